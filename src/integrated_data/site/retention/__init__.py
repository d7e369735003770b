"""Retention: data whose time is over are removed, with what was made of them, and a signed record is left."""
