"""The index room: reference indexes, and matching records to them."""
