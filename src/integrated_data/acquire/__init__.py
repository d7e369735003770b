"""Acquire: bytes land unchanged and sealed, their layout is read, their contract found or inferred."""
