"""Checked policies -> an index, generated functions, and the verdict on one action."""
