"""How good a set of links is, from a blind clerical sample, and what to do about the links that are missed."""
