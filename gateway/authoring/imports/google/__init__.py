"""Google's discovery documents -> rows."""
