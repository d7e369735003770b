"""The lake of published tables: Parquet files registered as Iceberg snapshots by pyiceberg.

The catalogue of snapshots is a database file of its own. A snapshot that no release in the
control store names does not exist for readers.
"""

from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

TABLE = "records"


class Lake:
    """Published tables under one folder. A dataset is one table, `<dataset>.records`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._catalog = SqlCatalog(
            "lake", uri=f"sqlite:///{folder / 'catalogue.sqlite'}", warehouse=folder.resolve().as_uri()
        )

    def place(self, dataset: str, delivery: str) -> Path:
        """Where the file of one delivery belongs, before and after it is committed."""
        folder = self.folder / "files" / dataset
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{delivery}.parquet"

    def commit(self, dataset: str, file: Path, *, append: bool, delivery: str) -> int:
        """Register `file` as a new snapshot of the dataset's table; returns the snapshot's id.

        Idempotent: a delivery that was committed before keeps its snapshot.
        """
        table = self._table(dataset, file)
        done = self._snapshot_of(table, delivery)
        if done is not None:
            return done
        with table.transaction() as change:
            if not append and table.current_snapshot() is not None:
                change.delete("true")
            with change.update_schema() as schema:
                schema.union_by_name(pq.read_schema(file))
            change.add_files(
                [file.resolve().as_uri()], snapshot_properties={"delivery": delivery}
            )
        committed = self._snapshot_of(self._catalog.load_table((dataset, TABLE)), delivery)
        assert committed is not None
        return committed

    def files(self, dataset: str, snapshot: int) -> tuple[Path, ...]:
        """The Parquet files that make up one snapshot of a dataset's table."""
        table = self._catalog.load_table((dataset, TABLE))
        tasks = table.scan(snapshot_id=snapshot).plan_files()
        return tuple(sorted(Path(task.file.file_path.removeprefix("file://")) for task in tasks))

    def _table(self, dataset: str, file: Path) -> Table:
        try:
            return self._catalog.load_table((dataset, TABLE))
        except NoSuchTableError:
            self._catalog.create_namespace_if_not_exists(dataset)
            return self._catalog.create_table((dataset, TABLE), schema=pq.read_schema(file))

    @staticmethod
    def _snapshot_of(table: Table, delivery: str) -> int | None:
        for snapshot in reversed(table.snapshots()):
            summary = snapshot.summary
            if summary is not None and summary.additional_properties.get("delivery") == delivery:
                return int(snapshot.snapshot_id)
        return None
