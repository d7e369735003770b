"""What docs/scale.md says in numbers: measurements of `bench/scale.py` carried to the size of the real service.

Not a benchmark of its own. Everything that was not measured is in `ASSUMED`, marked as such on the page.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"

#: The real service, by what is public of it (November 2026).
ROWS, TABLES, WEEK = 83e9, 6_867, 1_750
BIGGEST, BIGGEST_SECONDS = 2.2e12, 17 * 60 + 16

#: Assumed on 23 November 2026, not measured: (what, value, unit).
ASSUMED: Mapping[str, tuple[str, float, str]] = {
    "people": ("people of the country, each in the index once", 68e6, "people"),
    "index": ("least power of the index's size that a record's comparison follows", 0.5, ""),
    "matched": ("share of rows that are about people and are matched", 0.5, ""),
    "cores": ("cores of one machine of a cluster", 64, "cores"),
    "memory": ("memory of one machine", 512, "GiB"),
    "disk": ("fast disk of one machine", 15, "TB"),
    "spread": ("share of a cluster's cores that work at any moment of a load", 0.7, ""),
    "core_hour": ("price of a core for an hour", 0.04, "£"),
    "terabyte": ("price of a terabyte in an object store for a month", 18, "£"),
    "days": ("days in which everything is to be loaded once", 30, "days"),
    "granted": ("copies of each row among all projects, on average", 1.5, "copies"),
    "kept": ("deliveries of a table that are kept, on average", 2, "deliveries"),
}

STAGES = ("landing", "acquire", "standardise", "validate", "index", "deidentify", "publish")


def page(told: Mapping[str, Any], text: str) -> str:
    """The page with its tables made from what was measured; all else on it stays."""
    for name, made in _TABLES.items():
        head, _, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"The page has no place for {name}.")
        text = f"{head}<!-- {name} -->\n{made(told)}{end}{tail}"
    return text


def power(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """The power of the rows that CPU followed from one size to the next: 1 where a row costs the same."""
    grown = sum(after["stages"].values()) / sum(before["stages"].values())
    return math.log(grown) / math.log(after["rows"] / before["rows"])


def measured_power(told: Mapping[str, Any]) -> float:
    """The power of the index's size that CPU of matching followed between the last two sizes, to a tenth."""
    before, after = told["compared"][-2:]
    followed = math.log(after["cpu"] / before["cpu"]) / math.log(after["people"] / before["people"])
    return max(0.0, round(followed, 1))


def index_power(told: Mapping[str, Any]) -> float:
    """The power that is reckoned with: the measured one, or the assumed where that is larger."""
    return max(measured_power(told), assumed("index"))


def _compared(told: Mapping[str, Any]) -> str:
    rows = [[f"{o['people']:,}", f"{o['rows']:,}", _number(1e6 * o["cpu"] / o["rows"])] for o in told["compared"]]
    return _table(["people in the index", "records matched", "µs a record, model trained before"], rows)


def assumed(name: str) -> float:
    """An assumption's value."""
    return ASSUMED[name][1]


def per_row(sizes: Sequence[Mapping[str, Any]], stages: Sequence[str] = STAGES, *, rows: float) -> float:
    """CPU-seconds of a row in a table of so many rows: the largest measured, and on as it grew, never below it."""
    small, large = sizes[-2], sizes[-1]
    first, last = (max(1e-9, sum(one["stages"].get(s, 0.0) for s in stages)) for one in (small, large))
    power = math.log(last / first) / math.log(large["rows"] / small["rows"])
    return float(last / large["rows"] * max(1.0, rows / large["rows"]) ** max(0.0, power - 1.0))


def matched_row(told: Mapping[str, Any], *, rows: float, power: float) -> float:
    """CPU-seconds of a row about people, whose index has grown from the one measured to the whole country's."""
    others = tuple(stage for stage in STAGES if stage != "index")
    larger = assumed("people") / told["census"][-1]["index"]["rows"]
    index = per_row(told["census"], ("index",), rows=rows) * max(1.0, larger) ** power
    return per_row(told["census"], others, rows=rows) + index


def loading(told: Mapping[str, Any], *, rows: float, matched: float, power: float) -> float:
    """CPU-seconds of a row loaded into a table of so many, where that share of rows is about people."""
    people, events = matched_row(told, rows=rows, power=power), per_row(told["events"], rows=rows)
    return matched * people + (1 - matched) * events


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _measured(told: Mapping[str, Any]) -> str:
    machine = told["machine"]
    rows = []
    for what, name in (("census", "people"), ("events", "events")):
        for before, one in zip([None, *told[what]], told[what], strict=False):
            micro = [1e6 * one["stages"].get(s, 0.0) / one["rows"] for s in STAGES]
            grew = f"{power(before, one):.2f}" if before else ""
            plain = _number(1e6 * one["plain_cpu"] / one["rows"]) if "plain_cpu" in one else ""
            together = [_number(sum(micro)), grew, plain, f"{one['MiB']:,}"]
            rows.append([name, f"{one['rows']:,}", *map(_number, micro), *together])
    said = f"Microseconds of CPU a row, {machine['day']}, {machine['threads']} threads of {machine['processor']}.\n\n"
    return said + _table(["about", "rows", *STAGES, "together", "power", "DuckDB", "MiB"], rows)


def _queried(told: Mapping[str, Any]) -> str:
    rows = [
        [f"{o['rows']:,}", _number(1e6 * o["index"]["cpu"] / o["index"]["rows"]),
         _number(1e6 * o["grant"]["cpu"] / o["rows"]), _number(1e9 * o["grant"]["query_cpu"] / o["rows"])]
        for o in told["census"]
    ]  # fmt: skip
    return _table(["rows", "index made, µs a person", "granted, µs a row", "queried, ns a row"], rows)


def _bytes(told: Mapping[str, Any]) -> str:
    rows = []
    for what, name in (("census", "people"), ("events", "events")):
        for one in told[what]:
            parts = [one[k] / one["rows"] for k in ("delivered", "landed", "checked", "lake")]
            more = (
                [one["grant"]["bytes"] / one["rows"], one["index"]["bytes"] / one["index"]["rows"]]
                if ("grant" in one)
                else []
            )
            rows.append([name, f"{one['rows']:,}", *map(_number, [*parts, *more]), *[""] * (2 - len(more))])
    head = ["about", "rows", "delivered", "landed, sealed", "checked, sealed", "lake", "a grant", "index, a person"]
    return _table(head, rows)


def _all(told: Mapping[str, Any]) -> str:
    share, each, fixed = assumed("matched"), ROWS / TABLES, TABLES * told["small"]["cpu"] / 3600
    powers = tuple(dict.fromkeys((measured_power(told), index_power(told), 1.0)))
    hours = [fixed + ROWS * loading(told, rows=each, matched=share, power=p) / 3600 for p in powers]
    time = assumed("spread") * 24 * assumed("days")
    cost = [h / assumed("spread") * assumed("core_hour") for h in hours]
    spent = _table(
        ["83 billion rows in 6,867 tables; comparing a record follows the index's size to the power", *powers],
        [["CPU to load everything once, core-hours", *(f"{h:,.0f}" for h in hours)],
         ["of these, what tables cost beside their rows", *[f"{fixed:,.1f}"] * len(powers)],
         [f"cores that do it in {assumed('days'):.0f} days", *(f"{math.ceil(h / time):,}" for h in hours)],
         ["cost of that CPU", *(f"£{c:,.0f}" for c in cost)]],
    )  # fmt: skip
    census, events = told["census"][-1], told["events"][-1]

    def held(key: str) -> float:
        return ROWS * (share * census[key] / census["rows"] + (1 - share) * events[key] / events["rows"]) / 1e12

    copies = assumed("granted") * ROWS * census["grant"]["bytes"] / census["rows"] / 1e12
    kept = assumed("kept")
    parts = {"landed, sealed": kept * held("landed"), "checked, sealed": kept * held("checked"),
             "lake": kept * held("lake"), "grants": copies}  # fmt: skip
    total = sum(parts.values())
    rows = [[what, f"{value:,.1f} TB"] for what, value in parts.items()]
    rows += [["together, a month", f"{total:,.0f} TB, £{total * assumed('terabyte'):,.0f}"]]
    return f"{spent}\n{_table(['at rest', ''], rows)}"


def _biggest(told: Mapping[str, Any]) -> str:
    rows = []
    powers = dict.fromkeys((measured_power(told), index_power(told), 1.0))
    for what, power in (("events", 0.0), *(("census", p) for p in powers)):
        one = told[what][-1]
        many = BIGGEST / (one["delivered"] / one["rows"])
        each = (
            per_row(told["events"], rows=one["rows"])
            if what == "events"
            else (matched_row(told, rows=one["rows"], power=power))
        )
        seconds = many * each
        cores, alone = seconds / BIGGEST_SECONDS / assumed("spread"), seconds / assumed("cores") / assumed("spread")
        name = "nothing of it is matched" if what == "events" else f"all of it is matched; index to the power {power}"
        rows.append([name, f"{many / 1e9:,.1f} billion", f"{seconds / 3600:,.0f}", f"{math.ceil(cores):,}",
                     f"{math.ceil(cores / assumed('cores')):,}", f"{alone / 3600:,.1f}"])  # fmt: skip
    head = ["2.2 TB", "rows", "core-hours", "cores for 17 min 16 s", "machines for that", "hours on one machine"]
    return _table(head, rows)


def _week(told: Mapping[str, Any]) -> str:
    each = ROWS / TABLES
    row = loading(told, rows=each, matched=assumed("matched"), power=index_power(told))
    seconds = WEEK * (each * row + told["small"]["cpu"])
    cores = seconds / (7 * 24 * 3600) / assumed("spread")
    events, control = WEEK * told["small"]["events"], WEEK * told["small"]["control"] / 2**20
    return _table(
        ["1,750 tables of 12 million rows in a week", ""],
        [["CPU", f"{seconds / 3600:,.0f} core-hours"], ["cores at work on average", f"{cores:,.1f}"],
         ["one such table, by 2 cores", f"{seconds / WEEK / 2 / 60:,.1f} minutes"],
         ["audit records", f"{events:,.0f}"], ["the control store grows by", f"{control:,.0f} MiB"]],
    )  # fmt: skip


def _first(told: Mapping[str, Any]) -> str:
    """What is asked of one machine, beside what it has; what is furthest beyond comes first."""
    census, people, events = told["census"], assumed("people"), told["events"][-1]
    grown = (census[-1]["MiB"] - census[0]["MiB"]) / (census[-1]["rows"] - census[0]["rows"])
    memory = max(0.0, grown) * people / 1024
    index = people * census[-1]["index"]["bytes"] / census[-1]["index"]["rows"] / 1e12
    many = BIGGEST / (events["delivered"] / events["rows"])
    disk = many * (events["landed"] + events["checked"] + events["lake"]) / events["rows"] / 1e12
    seconds = many * per_row(told["events"], rows=events["rows"]) / assumed("cores") / assumed("spread")
    about = BIGGEST / (census[-1]["delivered"] / census[-1]["rows"])
    each = matched_row(told, rows=census[-1]["rows"], power=index_power(told))
    people_seconds = about * each / assumed("cores") / assumed("spread")
    scanned = many * census[-1]["grant"]["query_cpu"] / census[-1]["rows"] / assumed("cores") / assumed("spread")
    store = WEEK * told["small"]["events"] / (7 * 24 * 3600)
    landing = BIGGEST * events["stages"]["landing"] / events["delivered"]
    asked = [
        ("time to land and seal the largest file, by one core", landing / 60, BIGGEST_SECONDS / 60, "minutes"),
        ("the largest load on all its cores, nothing of it matched", seconds / 60, BIGGEST_SECONDS / 60, "minutes"),
        ("the largest load on all its cores, all of it matched", people_seconds / 60, BIGGEST_SECONDS / 60, "minutes"),
        ("disk of that load: landed, checked, lake", disk, assumed("disk"), "TB"),
        ("memory to match 68 million people, if it grows as measured", memory, assumed("memory"), "GiB"),
        ("a count over the largest table on one machine", scanned, 60.0, "seconds"),
        ("the index of 68 million people on disk", index, assumed("disk"), "TB"),
        ("records a second of the control store, busiest week", store, 100.0, "(a disk's commits)"),
    ]
    rows = [
        [what, _number(value), f"{_number(limit)} {unit}", _number(value / limit)]
        for what, value, limit, unit in sorted(asked, key=lambda one: -one[1] / one[2])
    ]
    return _table(["what", "asked", "there", "times"], rows)


def _assumptions(_told: Mapping[str, Any]) -> str:
    return _table(["assumed, not measured", ""],
                  [[what, f"{f'{value:g}' if value < 1e6 else f'{value / 1e6:,.0f} million'} {unit}".strip()]
                   for what, value, unit in ASSUMED.values()])  # fmt: skip


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "measured": _measured, "compared": _compared, "queried": _queried, "bytes": _bytes,
    "assumptions": _assumptions, "everything": _all, "largest load": _biggest, "busiest week": _week,
    "what breaks first": _first,
}  # fmt: skip
