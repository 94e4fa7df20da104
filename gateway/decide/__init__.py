"""Actions and context -> one decision with its reasons and its risk. Pure and deterministic."""
