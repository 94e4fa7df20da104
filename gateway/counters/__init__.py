"""The counters of limits that this gateway keeps itself: an exact ledger, and its durable copy."""
