"""`checkrein mappers`: one file for each command; no rule of reading a request stands here."""
