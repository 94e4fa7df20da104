"""The tree of a condition in, all that is wrong with it out, and the way out of each."""
