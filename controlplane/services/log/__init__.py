"""The tenant's log, which proves what it holds: leaves, checkpoints, proofs, anchors."""
