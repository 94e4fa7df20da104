"""The `checkrein` command, one file per command group."""
