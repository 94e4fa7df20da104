"""The `checkrein` command: one file per command group, each imported only when it is called."""
