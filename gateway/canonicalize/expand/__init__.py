"""The acts that a body carries, where method and path don't say them."""
