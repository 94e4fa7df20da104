"""`checkrein audit`: one file for each command; what a verdict goes by is `gateway.record`."""
