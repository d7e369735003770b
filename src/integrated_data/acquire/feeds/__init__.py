"""Feeds: how their files are called and when they are due, and the stores that they are dropped into."""
