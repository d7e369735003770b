"""Publish: one atomic release of a dataset, with its catalogue entry and lineage."""
