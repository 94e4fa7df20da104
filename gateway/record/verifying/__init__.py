"""Files of a record -> a verdict, offline. Needs the standard library and `cryptography` alone.

`export` judges a tenant's log, `chain` a gateway's own lines, `proof` one record or two
checkpoints; `files` tells which of them a file is. What is said of them is in `report`.
"""
