"""What happened -> redacted, chained, durable entries; and the proof that they are whole."""
