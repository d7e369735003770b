"""One file per index: what it keeps, and how records are matched to it."""
