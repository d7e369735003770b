"""Deidentify: identifiers out, opaque entity ids in, and a look at what is left."""
