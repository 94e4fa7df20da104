"""`checkrein policies`: one file for each command; no rule of deciding stands here."""
