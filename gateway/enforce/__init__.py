"""Decision -> bytes upstream, or a refusal in the provider's own shape, or a hold."""
