"""Tests of what authors of policies ask."""
