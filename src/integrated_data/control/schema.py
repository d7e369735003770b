"""Whether the tables of a control store are those of the code: asked without the library that brings them there."""

from pathlib import Path

import sqlalchemy as sa

#: Where the versions of the tables are, a file each, which begins with its number.
MIGRATIONS = Path(__file__).with_name("migrations")
NEWEST = max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def is_newest(engine: sa.Engine) -> bool:
    """Whether nothing is left to migrate behind `engine`; false also where there is no table yet."""
    with engine.connect() as connection:
        try:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        except sa.exc.DBAPIError:
            return False
    return list(found) == [NEWEST]
