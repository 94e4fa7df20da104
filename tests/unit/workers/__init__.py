"""Tests of what makes one gateway of several processes."""
