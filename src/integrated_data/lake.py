"""The lake of published tables: Parquet files registered as Iceberg snapshots by pyiceberg.

The catalogue of snapshots is a database file of its own. A snapshot that no release in the
control store names does not exist for readers. Files and snapshots lie in a folder; or in an object store
(`lake_files`), and then the folder has copies of the files, which everything here reads.
"""

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError, ValidationError
from pyiceberg.table import Table, Transaction

from integrated_data.lake_files import FILES, TABLES, Objects, ObjectStore, asking
from integrated_data.model.errors import DeliveryRefusal, InstallationRefusal, StoreRefusal

TABLE = "records"
#: The property that tells the columns of the newest delivery, by a digest.
COLUMNS = "columns"

#: A table of many small deliveries keeps few manifests, and the newest of its metadata files: snapshots stay.
KEPT = {
    "commit.manifest-merge.enabled": "true", "commit.manifest.min-count-to-merge": "16",
    "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "5",
}  # fmt: skip
SUFFIX = ".parquet"
#: What is done where a table is between two places, or two registrations.
ANEW = "Give the command again that was cut short: ids lake store, ids lake leave, ids right erase or ids restore"


@dataclass(frozen=True)
class Step:
    """What a release does to its table: it adds the file of its delivery, and leaves out files of before.

    `without`: the names of those; None for all of them. `rewritten`: names of files that hold what is left of some
    of them, and are added too (see `Lake.rewritten`).
    """

    delivery: str
    without: tuple[str, ...] | None = None
    rewritten: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that are added."""
        return (f"{self.delivery}{SUFFIX}", *self.rewritten)

    def after(self, names: Collection[str]) -> tuple[str, ...]:
        """Names of the files that make up the table once it is done, where these did before."""
        kept = [] if self.without is None else [n for n in names if n not in self.without]
        return (*kept, *self.files)


@dataclass(frozen=True)
class Located:
    """Where another engine finds an Iceberg table: its folder, and the newest metadata file in it."""

    folder: str
    metadata: str


class Lake:
    """Published tables under one folder. A dataset is one table, `<dataset>.records`.

    `store`: where files and snapshots lie for other engines; a method that meets it raises StoreRefusal where it does
    not do what it is asked.
    """

    def __init__(self, folder: Path, store: ObjectStore | None = None) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.objects = Objects(folder, store) if store else None
        self._root = f"{store.root}/{TABLES}" if store else folder.resolve().as_uri()
        self._asking = asking if store else contextlib.nullcontext
        self._catalog = SqlCatalog(
            "lake", uri=f"sqlite:///{folder / 'catalogue.sqlite'}", warehouse=self._root,
            **(store.properties if store else {}),
        )  # fmt: skip

    def place(self, dataset: str, delivery: str) -> Path:
        """Where the file of one delivery belongs, before and after it is committed."""
        return self.named(dataset, f"{delivery}{SUFFIX}")

    def rewritten(self, dataset: str, file: Path, *, by: str) -> Path:
        """Where what a delivery `by` leaves of an earlier file belongs: its rows keep their numbers."""
        return self._folder(dataset) / f"{self.delivery_of(file)}.{by}{SUFFIX}"

    def named(self, dataset: str, name: str) -> Path:
        """The place of a file by its name; one that the object store has, and is missing here, is fetched."""
        return self.here(self._folder(dataset) / name)

    def here(self, place: Path) -> Path:
        """The same place, with its file fetched where it is missing here and in the object store."""
        if self.objects is not None:
            self.objects.fetched(place.parent.name, place)
        return place

    def gather(self, *datasets: str) -> None:
        """Fetch every file that is missing here and in the object store: of datasets, or of all."""
        if self.objects is not None:
            for dataset in datasets or self.objects.datasets():
                self.objects.gather(dataset)

    def left(self, dataset: str) -> tuple[str, ...]:
        """Keys of the object store under which anything of a dataset is found."""
        return self.objects.left(dataset) if self.objects is not None else ()

    def _folder(self, dataset: str) -> Path:
        folder = self.folder / FILES / dataset
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @staticmethod
    def delivery_of(file: Path) -> str:
        """The delivery whose rows a file of the lake holds (see `place` and `rewritten`)."""
        return file.name.split(".")[0]

    def sweep(self, dataset: str, delivery: str) -> None:
        """Remove what a killed load of a delivery had half written; nobody else may be loading it."""
        for left in (self.folder / FILES / dataset).glob(f"*{delivery}*.part"):
            left.unlink(missing_ok=True)
        if self.objects is not None:
            self.objects.store.give_up(f"{FILES}/{dataset}/", naming=delivery)

    @contextlib.contextmanager
    def alone(self, dataset: str, *, wait: bool = True) -> Iterator[bool]:
        """Nobody else adds a release to the dataset meanwhile: waits for who does, and a process that ends lets go.

        It holds from reading which snapshot is the newest until the control store names the next one. Without `wait`,
        it is False where somebody else is at it.
        """
        place = self.folder / "locks" / dataset
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with place.open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def commit(self, dataset: str, step: Step, *, base: int | None) -> int:
        """Make a new snapshot of the dataset's table by a step; returns the snapshot's id.

        `base` is the snapshot that readers see now (None: nothing is published): what a killed
        load left on top of it is set aside first, so it can never ride along. Idempotent: a
        delivery that was committed on this base before keeps its snapshot.
        """
        places = [self.named(dataset, name) for name in step.files]
        addresses = [self._address(dataset, place) for place in places]
        with self._asking():
            return self._commit(dataset, step, base=base, places=places, addresses=addresses)

    def _address(self, dataset: str, place: Path) -> str:
        """Where a snapshot finds a file: in the object store, once it is there."""
        return self.objects.sent(dataset, place) if self.objects is not None else place.resolve().as_uri()

    def _commit(
        self, dataset: str, step: Step, *, base: int | None, places: Sequence[Path], addresses: list[str]
    ) -> int:
        delivery, table = step.delivery, self._table(dataset, places[0], base=base)
        done = self._snapshot_of(table, delivery, base=base)
        if done is not None:
            self._stand(table, done)
            return done
        if base is not None and self._stand(table, base):
            table = self._catalog.load_table((dataset, TABLE))
        with table.transaction() as change:
            columns = pq.read_schema(places[0])
            told = hashlib.sha256(columns.remove_metadata().to_string().encode()).hexdigest()
            if table.properties.get(COLUMNS) != told:
                change.set_properties(KEPT | {COLUMNS: told})
                _follow(change, dataset, columns=columns, whole=step.without is None)
            properties = {"delivery": delivery, "base": str(base)}
            if step.without is None and base is not None:
                change.delete("true", snapshot_properties=properties | {"delivery": ""})
            elif step.without:
                left_out = change.update_snapshot(snapshot_properties=properties | {"delivery": ""}).overwrite()
                with left_out:
                    for task in table.scan(snapshot_id=base).plan_files():
                        if Path(task.file.file_path).name in step.without:
                            left_out.delete_data_file(task.file)
            change.add_files(addresses, snapshot_properties=properties, check_duplicate_files=False)
        committed = self._snapshot_of(self._catalog.load_table((dataset, TABLE)), delivery, base=base)
        if committed is None:
            raise InstallationRefusal(
                f"The lake did not keep the snapshot of dataset {dataset}",
                next_step="Check the disk and deliver the file again",
            )
        return committed

    def stand(self, dataset: str, snapshot: int) -> None:
        """Make a snapshot the one that readers of the table see who ask the lake itself.

        A table that is still to be moved (see `_own`) is not told: it is registered anew.
        """
        with self._asking():
            table = self._catalog.load_table((dataset, TABLE))
            if self._is_own(table):
                self._stand(table, snapshot)

    @staticmethod
    def _stand(table: Table, snapshot: int) -> bool:
        """Move the branch to a snapshot; False where it is there."""
        if table.current_snapshot() == table.snapshot_by_id(snapshot):
            return False
        table.manage_snapshots().create_branch(snapshot_id=snapshot, branch_name="main").commit()
        return True

    def forget(self, dataset: str) -> None:
        """Let nobody find a table of which no release is named; its files stay until they are written again."""
        with self._asking(), contextlib.suppress(NoSuchTableError):
            self._catalog.drop_table((dataset, TABLE))

    def rebuild(self, dataset: str, steps: Sequence[Step], *, on: Sequence[int | None] | None = None) -> list[int]:
        """Make the table of a dataset anew from its files as they are now; returns a snapshot for each step.

        `steps`: what every release did, oldest first; `on`: the place of the step that each was built on, where it
        is not the one before. Whatever the old snapshots said of the files, their least
        and greatest values too, is destroyed, and what the object store has otherwise than it is here. Done twice, it
        gives other snapshots of the same.
        """
        if self.objects is not None:
            self.objects.settle(dataset, {self.named(dataset, name) for step in steps for name in step.files})
        with contextlib.suppress(NoSuchTableError):
            self._catalog.drop_table((dataset, TABLE))
        shutil.rmtree(self.folder / dataset / TABLE, ignore_errors=True)
        made: list[int] = []
        for place, step in enumerate(steps):
            base = place - 1 if on is None else on[place]
            made.append(self.commit(dataset, step, base=made[base] if place and base is not None else None))
        return made

    def located(self, dataset: str) -> Located:
        """Where a dataset's table lies."""
        with self._asking():
            table = self._catalog.load_table((dataset, TABLE))
        return Located(table.location(), table.metadata_location)

    def rows(self, dataset: str, names: Collection[str]) -> int:
        """How many rows files hold, by their names; one that is not there holds none."""
        return sum(self._rows(self.named(dataset, name)) for name in names)

    @staticmethod
    def _rows(place: Path) -> int:
        return int(pq.read_metadata(place).num_rows) if place.exists() else 0

    def files(self, dataset: str, snapshot: int) -> tuple[Path, ...]:
        """The Parquet files that make up one snapshot of a dataset's table; of an empty one, the last delivery's.

        Refuses a snapshot that the table does not have, and a store that is another installation's by now.
        """
        try:
            with self._asking():
                table = self._catalog.load_table((dataset, TABLE))
                addresses = [task.file.file_path for task in table.scan(snapshot_id=snapshot).plan_files()]
        except StoreRefusal:
            if self.objects is not None:
                self.objects.check_own()  # somebody who took it over destroyed what is missing
            raise
        except NoSuchTableError:
            raise _between(dataset) from None
        if table.snapshot_by_id(snapshot) is None:
            raise _between(dataset)
        if self.objects is None or not self._is_own(table):
            found = tuple(sorted(Path(address.removeprefix("file://")) for address in addresses))
        else:
            names = self.objects.checked(dataset, sorted(PurePosixPath(address).name for address in addresses))
            found = tuple(self.named(dataset, name).resolve() for name in names)
        return found or (self.place(dataset, self._delivery(table, snapshot)),)

    @staticmethod
    def _delivery(table: Table, snapshot: int) -> str:
        found = table.snapshot_by_id(snapshot)
        kept = found.summary.additional_properties if found and found.summary else {}
        return str(kept.get("delivery", ""))

    def _table(self, dataset: str, file: Path, *, base: int | None) -> Table:
        name = (dataset, TABLE)
        if base is None and self._catalog.table_exists(name):
            table = self._catalog.load_table(name)
            if self._snapshot_of(table, file.stem, base=None) is not None:
                return table
            self._catalog.drop_table(name)  # what a killed first load left
        try:
            return self._own(self._catalog.load_table(name))
        except NoSuchTableError:
            self._catalog.create_namespace_if_not_exists(dataset)
            return self._catalog.create_table(name, schema=pq.read_schema(file))

    def _is_own(self, table: Table) -> bool:
        return table.location().startswith(f"{self._root}/")

    def _own(self, table: Table) -> Table:
        """A table that lies where this lake keeps its tables; refuses one that a move which was cut short left."""
        if not self._is_own(table):
            raise InstallationRefusal(
                "The lake is being moved, and a table was not moved yet", why="The command that moves it was cut short",
                next_step=ANEW,
            )  # fmt: skip
        return table

    @staticmethod
    def _snapshot_of(table: Table, delivery: str, *, base: int | None) -> int | None:
        wanted = (delivery, str(base))
        for snapshot in reversed(table.snapshots()):
            kept = snapshot.summary.additional_properties if snapshot.summary else {}
            if (kept.get("delivery"), kept.get("base")) == wanted:
                return int(snapshot.snapshot_id)
        return None


def _between(dataset: str) -> InstallationRefusal:
    return InstallationRefusal(
        f"The lake does not know the version of dataset {dataset} that is named",
        why="Its tables were being registered anew, and that was cut short", next_step=ANEW,
    )  # fmt: skip


def _follow(change: Transaction, dataset: str, *, columns: pa.Schema, whole: bool) -> None:
    """Let a table have the columns of a new file. `whole`: it is all of the table, so a column may change its type."""
    before = {f.name: _plain(f.type) for f in change.table_metadata.schema().as_arrow()}
    retyped = [f.name for f in columns if before.get(f.name, _plain(f.type)) != _plain(f.type)]
    if retyped and whole:
        with change.update_schema(allow_incompatible_changes=True) as schema:
            for name in retyped:
                schema.delete_column(name)
    try:
        with change.update_schema() as schema:
            schema.union_by_name(columns)
    except ValidationError:
        raise DeliveryRefusal(
            f"Column {', '.join(retyped)} of dataset {dataset} has another type than the rows that are published",
            why="Deliveries are added to its table, and what is there stays",
            next_step="Keep the type, or deliver the whole table again under a contract with mode: replace",
        ) from None


def _plain(kind: pa.DataType) -> str:
    """A type as it is compared: text is text, however long its offsets are."""
    return "string" if kind in (pa.string(), pa.large_string()) else str(kind)
