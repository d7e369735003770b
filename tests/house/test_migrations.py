"""The migrations, run from nothing, make exactly the tables that the code works with."""

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from integrated_data.control import migrate, schema, tables
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.event import Event


def of_the_code(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a name is a table of the code, not one that SQLite keeps for full text."""
    return kind != "table" or not str(name).startswith("catalogue_words")


def differences(store: sa.Engine) -> list[object]:
    """What Alembic would change to bring the store to the tables of the code."""
    with store.connect() as connection:
        opts = {"compare_server_default": True, "include_name": of_the_code}
        context = MigrationContext.configure(connection, opts=opts)
        return list(compare_metadata(context, tables.METADATA))


def test_migrations_equal_the_tables(tmp_path: Path) -> None:
    store = sqlite(tmp_path / "control.sqlite")
    migrate.upgrade(store)
    assert differences(store) == []


def test_the_newest_is_told_without_migrating(tmp_path: Path) -> None:
    store = sqlite(tmp_path / "control.sqlite")
    assert not schema.is_newest(store)
    migrate.upgrade(store)
    assert schema.is_newest(store)
    with store.begin() as connection:
        assert ScriptDirectory.from_config(migrate.config(connection)).get_heads() == [schema.NEWEST]
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert not schema.is_newest(store)


def test_the_comparison_sees_a_missing_table_and_column(tmp_path: Path) -> None:
    store = sqlite(tmp_path / "control.sqlite")
    migrate.upgrade(store)
    with store.begin() as connection:
        connection.exec_driver_sql("DROP TABLE lineage")
        connection.exec_driver_sql("ALTER TABLE job DROP COLUMN reason")
    assert {str(d[0]) for d in differences(store) if isinstance(d, tuple)} >= {"add_table", "add_column"}


def test_upgrading_twice_keeps_what_is_there(tmp_path: Path) -> None:
    store = sqlite(tmp_path / "control.sqlite")
    migrate.upgrade(store)
    Store(store).record(Event("test.event", actor="tester", subject="store"))
    migrate.upgrade(store)
    with Store(store).read() as connection:
        assert [r.action for r in records(connection)] == ["test.event"]


def _upgrade(place: Path) -> None:
    migrate.upgrade(sqlite(place))


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    place = tmp_path / "control.sqlite"
    sqlite(place).connect().close()  # made by one process, upgraded by several
    spawn = multiprocessing.get_context("spawn")
    started = [spawn.Process(target=_upgrade, args=(place,)) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0]
    assert differences(sqlite(place)) == []


def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    store = sqlite(tmp_path / "control.sqlite")
    with store.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE output_release (id INTEGER)")  # in the way of the last table
    with pytest.raises(sa.exc.OperationalError):
        migrate.upgrade(store)
    assert sa.inspect(store).get_table_names() == ["output_release"]


def test_versions_form_one_line() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        versions = ScriptDirectory.from_config(migrate.config(connection))
        assert len(versions.get_heads()) == 1
        assert [v.revision for v in versions.walk_revisions()][-1] == "0001"
