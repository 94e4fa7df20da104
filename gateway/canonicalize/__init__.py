"""Exchange -> canonical actions, or the code why a request is too ambiguous to be one. Pure."""
