"""Harmonised concepts: the registry as a file, and how variables that map to them are recoded."""
