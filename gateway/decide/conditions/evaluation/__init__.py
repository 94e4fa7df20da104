"""The tree of a condition in, functions out that say whether it holds of an action."""
