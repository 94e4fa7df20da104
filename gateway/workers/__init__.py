"""Several gateway processes on one port, behind one supervisor."""
