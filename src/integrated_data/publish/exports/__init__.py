"""The public catalogue in the words of others: metadata alone, never a value or a count from the data."""
