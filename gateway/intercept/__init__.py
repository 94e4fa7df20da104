"""An agent's bytes -> one strictly parsed `Exchange` at a time, and the answer's bytes back."""
