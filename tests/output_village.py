"""A drawn village for attacks on output control: few people in known places, and four projects that see them.

420 people in three regions of four areas, and four of them in a hamlet, N9. One was born in 1929 and one in
1971, who earns most; everybody else shares their year with five or six. Three were counted to the north in
2011 and to the south in 2021. Five fish for a living. 200 of them went to hospital in both years, one of
them once more in 2021; claims come from an office where six people are known from deliveries only.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from integrated_data.control import tables
from integrated_data.control.store import Store, sqlite
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.site.parser import DuckDBParser
from tests.output_world import World, people

PEOPLE, HAMLET, FISHING, MOVED = 420, (30, 60, 90, 120), (14, 56, 98, 140, 182), (7, 10, 13)
SURVEY = "birth_year sex region_2011 region_2021 area ilo_status works pay bonus hours trade person_weight psu"

#: Projects and who leads them.
PROJECTS = {"P-1": "ada", "P-2": "cleo", "P-3": "dan", "P-4": "eve"}


def survey() -> pa.Table:
    """One row for each person."""
    years = [year for year in range(1930, 2001) if year != 1971]
    rows = []
    for n in range(PEOPLE):
        region = "NSE"[n % 3]
        born = {0: 1929, 1: 1971}.get(n, years[(n * 11) % 70])
        status = "1111233"[n % 7]
        pay = 0 if status != "1" else 400 if n == 1 else 20 + (n * 13) % 40
        rows.append((
            n, born, "FM"[n // 3 % 2], "N" if n in MOVED else region, region,
            "N9" if n in HAMLET else f"{region}{n // 6 % 4 + 1}", status, int(status == "1"), pay,
            pay + 5 if n == 21 else pay, 30 + n % 10 if status == "1" else 0,
            "fishing" if n in FISHING else ("farm", "shop", "school")[n // 5 % 3],
            8.0 + (n * 5) % 11, None if n % 10 == 5 else n % 9 + 1,
        ))  # fmt: skip
    return people(*rows, columns=SURVEY)


def visits() -> pa.Table:
    """A visit of each of 200 people in each year, of one of them two, of another always another cost."""
    rows = [(n, year, 1 + n % 2, 100 + n * (year - 2010) % 9, 1 + n % 12) for n in range(200) for year in (2020, 2021)]
    return people(*rows, (7, 2021, 2, 50, 3), (9, 2021, 3, 60, 12), columns="year kind cost month")


def claims() -> pa.Table:
    """Nine people of the register and six of deliveries only at office A, twenty and one at office B."""
    groups = [(9, "A", "exact"), (6, "A", "provisional: new"), (20, "B", "exact"), (1, "B", "provisional: same"),
              (30, "C", "exact")]  # fmt: skip
    told = [(office, method) for count, office, method in groups for _ in range(count)]
    rows = [(n, office, 99 if method == "provisional: same" else 10 + n % 5) for n, (office, method) in enumerate(told)]
    made = people(*rows, columns="office amount")
    return made.append_column("person_link_method", pa.array([method for _, method in told]))


def firms() -> pa.Table:
    """Sixty firms: one holds the mines, two share the railways, the rest are bakers and builders."""
    kinds = [("mines", 9_000), *[("mines", 10)] * 11, ("rail", 5_000), ("rail", 4_000), *[("rail", 5)] * 12]
    kinds += [("bakers", 20 + n % 7) for n in range(20)] + [("builders", 40 + n % 9) for n in range(14)]
    rows = [(n, trade, amount, "NS"[n % 2]) for n, (trade, amount) in enumerate(kinds)]
    held = people(*rows, columns="industry turnover region")
    return held.rename_columns(["business_key", *held.column_names[1:]])


def village() -> dict[str, pa.Table]:
    """Its datasets by name."""
    return {"survey": survey(), "visits": visits(), "claims": claims(), "firms": firms()}


class Village:
    """Four projects of one service over the same datasets; a history of its own begins for each attack."""

    def __init__(self, folder: Path, held: Mapping[str, pa.Table]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        control = sqlite(folder / "control.sqlite")
        tables.METADATA.create_all(control)
        store, self.parser = Store(control), DuckDBParser()
        numbers: dict[str, dict[int, int]] = {}
        self.worlds: dict[str, World] = {}
        for n, (project, author) in enumerate(PROJECTS.items(), start=1):
            engine = DuckDB(Limits(threads=1))
            self.worlds[project] = World(
                store, engine, self.parser, folder / "outputs", held, numbers=numbers,
                project=project, author=author, team=(author, f"{author}s friend"), spread=n,
            )  # fmt: skip
        control.dispose()

    def anew(self, folder: Path) -> dict[str, World]:
        """The projects with nothing asked for yet, in a folder that is not there."""
        return {project: world.anew(folder) for project, world in self.worlds.items()}

    def close(self) -> None:
        """Close every engine."""
        for world in self.worlds.values():
            world.engine.close()
        self.parser.close()
