"""One importer a file: the packages it reads, pinned, and how they become sections of rows.

A module here has `PROVIDER`, `SOURCES` and `sections(folders)`; `rebuild` finds it by its name,
which is the catalog's too.
"""
