"""A thousand mutations of one file: none crashes, none is loaded wrong in silence, every line is accounted for.

Each is the same good file with one thing wrong in it, of twenty-five kinds: bytes flipped, cut or put in, quotation
marks, delimiters, line ends, encodings. The service may refuse the file, send rows to quarantine or load them. What it
may not do: end by anything but a refusal with its reason; lose count of a line; or let a row that nobody touched be
missing or different without saying so. A value that was changed into another valid one is nobody's to see.
"""

import base64
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.delivering import SEALER, Outcome, checked, contract_of, delivered

from bench.report import marks, table
from integrated_data.acquire.drift import check_header
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.contract import Check, Column, Contract, Rule
from integrated_data.model.errors import Refusal
from integrated_data.model.meanings import Handling, Kind, Meaning

ROWS, EACH, SEED = 120, 40, 11

CONTRACT: Contract = contract_of(
    Column("id", "id", key=True),
    Column("name", "name", meaning=Meaning.FULL_NAME, handling=Handling.IDENTIFIER),
    Column("town", "town"),
    Column("pay", "pay", kind=Kind.NUMBER, meaning=Meaning.MONEY, handling=Handling.PAYLOAD),
    Column("day", "day", kind=Kind.DATE, formats=("%d/%m/%Y",)),
    Column("note", "note"),
    rules=(Rule("pay is possible", Check.RANGE, "pay", low="0", high="100000"),),
)

Mutation = Callable[[random.Random, list[bytes]], tuple[bytes, set[int]]]


@dataclass
class Found:
    """What became of the mutations of one kind."""

    kind: str
    tried: int = 0
    refused: int = 0
    clean: int = 0
    quarantined: int = 0
    wrong: int = 0
    crashed: int = 0


def lines() -> list[bytes]:
    """The good file, line by line, each with its end; the first is the header."""
    dice = random.Random(SEED)
    towns = ("Caerdydd", "Ynys Môn", "St Andrews", "Newcastle, upon Tyne", 'The "Old" Mill')
    made = ["id,name,town,pay,day,note"]
    for n in range(ROWS):
        town = dice.choice(towns).replace('"', '""')
        note = "" if n % 5 else '"two\nlines"'
        made.append(
            f'R{n:03d},Siân {n},"{town}",{dice.randint(0, 9999)}.{n % 10},{1 + n % 28:02d}/03/20{n % 20:02d},{note}'
        )
    return [f"{line}\n".encode() for line in made]


def _at(dice: random.Random, rows: list[bytes]) -> tuple[int, int]:
    """A line that is not the header, and a place in it before its end."""
    line = dice.randrange(1, len(rows))
    return line, dice.randrange(len(rows[line]) - 1)


def _put(what: bytes, *, instead: int = 0) -> Mutation:
    """Put bytes in a line, instead of so many of its own."""

    def mutated(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
        line, place = _at(dice, rows)
        row = rows[line]
        return b"".join([*rows[:line], row[:place] + what + row[place + instead :], *rows[line + 1 :]]), {
            line,
            line + 1,
        }

    return mutated


def _line(change: Callable[[bytes], bytes]) -> Mutation:
    """Make another line of one."""

    def mutated(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
        line, _ = _at(dice, rows)
        return b"".join([*rows[:line], change(rows[line]), *rows[line + 1 :]]), {line}

    return mutated


def _whole(change: Callable[[bytes], bytes]) -> Mutation:
    """Write the whole file in another way, in which every row says the same."""

    def mutated(_dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
        return change(b"".join(rows)), set()

    return mutated


def _flip(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    line, place = _at(dice, rows)
    byte = bytes([rows[line][place] ^ (1 << dice.randrange(8))])
    changed = rows[line][:place] + byte + rows[line][place + 1 :]
    return b"".join([*rows[:line], changed, *rows[line + 1 :]]), {line, line + 1}


def _cut(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    line, place = _at(dice, rows)
    return b"".join([*rows[:line], rows[line][:place]]), set(range(line, len(rows)))


def _cut_out(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    first, place = _at(dice, rows)
    last = min(len(rows) - 1, first + dice.randrange(4))
    end = dice.randrange(len(rows[last]) - 1)
    middle = rows[first][:place] + (rows[last][max(place, end) :] if first == last else rows[last][end:])
    return b"".join([*rows[:first], middle, *rows[last + 1 :]]), set(range(first, last + 1))


def _noise(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    return _put(dice.randbytes(60))(dice, rows)


def _header(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    place = dice.randrange(len(rows[0]) - 1)
    return b"".join([rows[0][:place] + b"x" + rows[0][place + 1 :], *rows[1:]]), set()


def _swapped(dice: random.Random, rows: list[bytes]) -> tuple[bytes, set[int]]:
    one, other = dice.sample(range(1, len(rows)), 2)
    moved = list(rows)
    moved[one], moved[other] = rows[other], rows[one]
    return b"".join(moved), set()


KINDS: dict[str, Mutation] = {
    "a bit flipped": _flip,
    "a byte cut out": _put(b"", instead=1),
    "the end cut off": _cut,
    "a part cut out": _cut_out,
    "noise put in": _noise,
    "the header changed": _header,
    "two lines exchanged": _swapped,
    "a quotation mark": _put(b'"'),
    "an opened quotation": _put(b',"'),
    "a closed quotation": _put(b'"\n'),
    "a delimiter": _put(b","),
    "many delimiters": _put(b",,,,,,,,"),
    "a line end": _put(b"\n"),
    "a carriage return": _put(b"\r"),
    "a byte of nothing": _put(b"\0"),
    "half a letter": _put(b"\xc3"),
    "a mark of byte order": _put(b"\xef\xbb\xbf"),
    "a very long value": _put(b"x" * 300_000),
    "a line twice": _line(lambda row: row + row),
    "a line left out": _line(lambda _row: b""),
    "blank lines": _line(lambda row: b"\n\n" + row),
    "other delimiters in a line": _line(lambda row: row.replace(b",", b";")),
    "line ends of Windows": _whole(lambda data: data.replace(b"\n", b"\r\n")),
    "Windows-1252": _whole(lambda data: data.decode().encode("cp1252")),
    "UTF-16": _whole(lambda data: data.decode().encode("utf-16")),
}


def run(each: int = EACH) -> bool:
    """Try so many of each kind; true when none crashed or was loaded wrong in silence, every line accounted for."""
    dice, rows = random.Random(SEED), lines()
    engine = DuckDB(Limits(), sealer=SEALER, parquet_key=base64.b64encode(bytes(32)).decode())
    begun, found = time.perf_counter(), []
    try:
        with tempfile.TemporaryDirectory() as folder:
            good = _rows(checked(engine, Path(folder) / "good", data=b"".join(rows), contract=CONTRACT))
            for kind, mutation in KINDS.items():
                told = Found(kind)
                for number in range(each):
                    data, touched = mutation(dice, rows)
                    place = Path(folder) / f"{len(found)}-{number}"
                    _try(engine, place, data=data, untouched=_untouched(good, touched), told=told)
                found.append(told)
    finally:
        engine.close()
    table(f"{sum(f.tried for f in found):,} mutations", [vars(f) for f in found])
    print(f"{time.perf_counter() - begun:.0f} s")
    return marks(
        {
            f"{each * len(KINDS):,} tried": sum(f.tried for f in found) == each * len(KINDS),
            "none ends by anything but a refusal": not any(f.crashed for f in found),
            "none is loaded wrong in silence, every line accounted for": not any(f.wrong for f in found),
        }
    )


def _rows(outcome: Outcome) -> list[tuple[object, ...]]:
    """Good rows; line ends inside values as the file has them count as one."""
    return [tuple(v.replace("\r\n", "\n") if isinstance(v, str) else v for v in row.values()) for row in outcome.good]


def _untouched(good: list[tuple[object, ...]], touched: set[int]) -> Counter[tuple[object, ...]]:
    return Counter(row for number, row in enumerate(good, 1) if number not in touched)


def _try(engine: DuckDB, place: Path, *, data: bytes, untouched: Counter[tuple[object, ...]], told: Found) -> None:
    told.tried += 1
    try:
        check_header(CONTRACT, delivered(place, ("0.csv", data), contract=CONTRACT).columns)
        outcome = checked(engine, place, data=data, contract=CONTRACT)
    except Refusal:
        told.refused += 1
        return
    except Exception as broken:  # what this is here to find
        told.crashed += 1
        print(f"{told.kind}: {type(broken).__name__}", file=sys.stderr)
        return
    account, counted = outcome.account, outcome.tally
    missing = sum((untouched - Counter(_rows(outcome))).values())
    lines_told = account.header + account.rows + account.inside + account.blank + account.rejected
    held = lines_told == account.lines and account.rows == counted.good + counted.quarantined - account.rejected
    told.wrong += not held or missing > counted.quarantined
    told.clean += not counted.quarantined
    told.quarantined += bool(counted.quarantined)


if __name__ == "__main__":
    sys.exit(not run())
