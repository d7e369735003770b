"""Alembic's entry: runs the versions on the connection that `control.migrate` hands over."""

from alembic import context

from integrated_data.control import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.METADATA)
context.run_migrations()
