"""Decisions as auditors look at them: found, told, exported."""
