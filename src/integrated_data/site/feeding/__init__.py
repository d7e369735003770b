"""Feeds at work: looking at their stores, taking what came, telling what did not."""
