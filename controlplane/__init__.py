"""The control plane: approvals, agents, keys and the record store, behind one HTTP API.

Never in the path of an ALLOW or a BLOCK. `api` parses and renders, `services` holds the use cases,
`store` the only SQL.
"""
