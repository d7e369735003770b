"""The service's own memory: SQLAlchemy Core tables, every write with its audit event."""
