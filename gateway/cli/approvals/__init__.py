"""`checkrein approvals`: what waits for a person, shown and answered."""
