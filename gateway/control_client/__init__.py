"""The gateway's only view of the control plane: approvals, the agents it may serve, records."""
