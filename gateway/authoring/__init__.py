"""What authors of mappers and policies use: check, test, map, decide. Never on the data path."""
