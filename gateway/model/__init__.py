"""The vocabulary that every stage shares: frozen values, closed enums, stable codes.

Standard library only, no I/O, no clock, no randomness. A word that two stages need stands here;
a word that one stage needs stands in that stage.
"""
