"""Checked policies in, warnings of what can never happen or can't be meant out."""
