"""Two sets of policies in, what becomes looser or tighter out."""
