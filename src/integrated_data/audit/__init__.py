"""The audit chain and the questions an auditor asks of it."""
