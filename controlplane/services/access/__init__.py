"""Who may call: agents, gateways, keys, sessions."""
