"""Imported catalogs: a provider's operations in a compact file, read a section at a time."""
