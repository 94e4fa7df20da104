"""The text of a condition in, its tree out."""
