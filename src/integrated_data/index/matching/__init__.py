"""Matching records to an index: prepare, block, score, decide, explain, and how good it is."""
