"""Recorded decisions in, what other policies would have said to them out."""
