"""The language of `when`: text -> checked tree -> a function that says whether it holds."""
