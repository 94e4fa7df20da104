"""Rules in, what certainly holds of all that they match out: said only where it is certain."""
