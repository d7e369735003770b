"""Approve: agreements, people and projects; the decision; and what is provisioned for a project."""
