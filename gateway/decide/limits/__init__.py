"""Budgets: what an action takes of them, and what their counters mean for its decision."""
