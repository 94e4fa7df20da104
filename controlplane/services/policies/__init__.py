"""Policies and bundles: drafted, tried, put in force, handed out."""
