"""A seeded, fictional country with truth: the demo's input, the tests' input and the benchmarks' input.

`write` makes a whole small country (people in households with moves, marriages, deaths, jobs and illnesses;
addresses, areas, businesses) and what each department delivers about it, each in its own layout, with
realistic error that is uneven across groups. Truth is written apart; no stage may read it. Where each rate
comes from, and which are guesses, is said beside it in `rates.py`. No name, street or number is taken from a
real person's record; the words are typed in from general knowledge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrated_data.specimen import country, mobility, truth, writing
from integrated_data.specimen.delivery import Sheet
from integrated_data.specimen.departments import DEPARTMENTS
from integrated_data.specimen.rates import RATES, Rates
from integrated_data.specimen.small import write_small_tables

__all__ = ["DEPARTMENTS", "RATES", "DeliveredFile", "Manifest", "Rates", "mobility", "write", "write_small_tables"]


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One delivered file; `record_id` names its id column, `truth` the file about it ("" and None: none)."""

    department: str
    path: Path
    form: str
    rows: int
    record_id: str
    truth: Path | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was written: the files of all departments, and the truth about the country by name."""

    folder: Path
    people: int
    seed: int
    files: tuple[DeliveredFile, ...]
    truth: dict[str, Path]

    def of(self, department: str) -> tuple[DeliveredFile, ...]:
        """Return the files of one department."""
        return tuple(file for file in self.files if file.department == department)

    def file(self, name: str) -> DeliveredFile:
        """Return the file of that name; KeyError where there is none."""
        for file in self.files:
            if file.path.name == name:
                return file
        raise KeyError(name)


def write(
    folder: Path,
    *,
    people: int = 100_000,
    seed: int = 1,
    departments: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Manifest:
    """Write `folder/deliveries/<department>/…` and `folder/truth/…`, and say what was written.

    The same seed and number of people give the same bytes, whichever departments are asked for. Raises
    ValueError for an unknown department, fewer than 1,000 people or a negative seed.
    """
    chosen = tuple(DEPARTMENTS) if departments is None else tuple(departments)
    unknown = sorted(set(chosen) - set(DEPARTMENTS))
    if unknown:
        raise ValueError(f"No department is called {', '.join(unknown)}. There are: {', '.join(DEPARTMENTS)}.")
    if people < 1_000 or seed < 0:
        raise ValueError("A country needs at least 1,000 people and a seed of 0 or more.")
    tell = progress or (lambda _: None)
    land = country.build(count=people, seed=seed, progress=tell)
    tell("truth")
    facts = _write_truth(folder / "truth", land)
    files: list[DeliveredFile] = []
    for department in chosen:
        tell(department)
        files += _deliver(folder, department, sheets=DEPARTMENTS[department](land))
    return Manifest(folder, people, seed, tuple(files), facts)


def _write_truth(folder: Path, land: country.Country) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "people": truth.people,
        "businesses": truth.businesses,
        "addresses": truth.addresses,
        "areas": truth.areas,
    }
    for name, table in tables.items():
        writing.write_parquet(folder / f"{name}.parquet", table(land))
    return {name: folder / f"{name}.parquet" for name in tables}


def _deliver(folder: Path, department: str, *, sheets: tuple[Sheet, ...]) -> list[DeliveredFile]:
    place = folder / "deliveries" / department
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for sheet in sheets:
        writing.write_sheet(place / sheet.file, sheet)
        known = None
        if sheet.truth is not None:
            known = folder / "truth" / f"{sheet.truth_name}.parquet"
            writing.write_parquet(known, sheet.truth)
        files.append(
            DeliveredFile(department, place / sheet.file, sheet.form, len(sheet.table), sheet.record_id, known)
        )
    return files
