"""Bring a control store's tables to the present: Alembic run from code, with no file of settings.

All versions run in one transaction, under the lock that every writer of the store takes, so
processes that start together migrate once.
"""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from integrated_data.control.schema import MIGRATIONS
from integrated_data.control.store import CHAIN_LOCK


def upgrade(engine: sa.Engine) -> None:
    """Create or upgrade the tables of the control store behind `engine`; idempotent."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CHAIN_LOCK)))
        try:
            command.upgrade(config(connection), "head")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def config(connection: sa.Connection) -> Config:
    """Alembic's settings for one open connection, whose transaction belongs to the caller."""
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return settings
