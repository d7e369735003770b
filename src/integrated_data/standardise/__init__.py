"""Standardise: every value in one standard, as one SELECT over the landed text."""
