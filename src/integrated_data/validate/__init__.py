"""Validate: rules as marks on rows, tallies, the decision on a load, reconciliation and a profile."""
