"""Change data: what the table holds, whatever the order of batches; and snapshots kept beside each other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from integrated_data.acquire import contracts
from integrated_data.control import releases
from integrated_data.engine import Stored
from integrated_data.model.contract import Changes, Column, Contract, Format, Layout, Mode
from integrated_data.model.drift import DriftKind, Policy
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import tables
from integrated_data.site.loading import LoadingSite
from tests.feeding import Fed
from tests.service import Service

Row = tuple[str, int, int, str]  # operation, key, sequence, value


def contract(mode: Mode = Mode.CHANGES, *, sequence: str = "n") -> Contract:
    columns = (
        Column("op", "op", Kind.STRING, Meaning.CODE, _hidden(mode)),
        Column("id", "id", Kind.STRING, Meaning.PERSON_REFERENCE, Handling.IDENTIFIER, key=True),
        Column("n", "n", Kind.INTEGER, Meaning.MEASURE, _hidden(mode)),
        Column("v", "v", Kind.STRING, Meaning.CODE, Handling.PAYLOAD),
    )
    how = Changes("op", ("D",), sequence) if mode is Mode.CHANGES else None
    version = f"{'1' if sequence else '2'}.{list(Mode).index(mode)}.0"
    return Contract("people", "Register", Layout(Format.CSV), columns, version=version, mode=mode, changes=how)


def _hidden(mode: Mode) -> Handling:
    """What tells a change is published only where it tells none."""
    return Handling.IDENTIFIER if mode is Mode.REPLACE else Handling.PAYLOAD


def batch(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"op": o, "id": f"P{k}", "n": str(n), "v": v} for o, k, n, v in rows]


def held(site: LoadingSite) -> list[str]:
    with site.store.read() as connection:
        release = releases.get(connection, "people")
    site.engine.load("held", Stored(site.lake.files("people", release.snapshot), sealed=False))
    assert "op" not in site.engine.columns("held")
    values = site.engine.rows("SELECT v FROM held ORDER BY v")["v"].to_pylist()
    assert release.rows == len(values)
    return values


def expected(batches: Sequence[Sequence[Row]]) -> list[str]:
    """What is left when all changes are put in order of their sequence, later ones first among equals."""
    last: dict[int, tuple[tuple[int, int, int], Row]] = {}
    for b, rows in enumerate(batches):
        for r, row in enumerate(rows):
            at = (row[2], b, r)
            if row[1] not in last or last[row[1]][0] <= at:
                last[row[1]] = (at, row)
    return sorted(row[3] for _, row in last.values() if row[0] != "D")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("changes"))


def anew(service: Service, site: LoadingSite, rows: Sequence[Row] = (("I", 0, 0, "first"),)) -> None:
    """The whole table, delivered as one; a value of its own keeps deliveries apart."""
    service.deliver(site, contract(Mode.REPLACE), batch([*rows, ("I", 99, 0, f"z{service.files:04d}")]))


def test_inserts_updates_and_deletions_in_batches(service: Service) -> None:
    with service.open() as site:
        anew(service, site, [("I", 1, 1, "a1"), ("I", 2, 1, "b1"), ("I", 3, 1, "c1")])
        z = held(site)[-1]
        service.deliver(
            site, contract(), batch([("U", 1, 2, "a2"), ("D", 2, 2, ""), ("I", 4, 2, "d2"), ("U", 1, 3, "a3")])
        )
        assert held(site) == ["a3", "c1", "d2", z]
        late = service.deliver(site, contract(), batch([("U", 2, 1, "b0"), ("U", 4, 1, "d1"), ("U", 3, 9, "c9")]))
        assert held(site) == ["a3", "c9", "d2", z]  # what came late was overtaken, a deletion too
        assert late["state"] == "published"
        service.deliver(site, contract(), batch([("D", k, 20, "") for k in (1, 3, 4, 99)]))
        assert held(site) == []
        before = files(site)
        tables.register(site)  # the table anew, from its files
        assert files(site) == before
        assert held(site) == []


def files(site: LoadingSite) -> list[list[str]]:
    """The files of every release."""
    with site.store.read() as connection:
        every = releases.of_dataset(connection, "people")
    return [[p.name for p in site.lake.files("people", r.snapshot)] for r in every]


def test_without_a_sequence_the_later_delivery_counts(service: Service) -> None:
    plain = contract(sequence="")
    with service.open() as site:
        anew(service, site, [("I", 1, 1, "a1")])
        z = held(site)[-1]
        service.deliver(site, plain, batch([("U", 1, 7, "a2"), ("U", 1, 3, "a3")]))
        service.deliver(site, plain, batch([("U", 1, 1, "a4"), ("I", 2, 1, "b")]))
        assert held(site) == ["a4", "b", z]


def test_a_table_with_another_key_is_not_changed(service: Service) -> None:
    other = Contract("others", contract().owner, Layout(Format.CSV), (Column("x", "x", handling=Handling.PAYLOAD),))
    with service.open() as site:
        service.deliver(site, other, [{"x": "1"}])
        with pytest.raises(ContractRefusal, match="another key"):
            service.deliver(
                site, contracts.parse(contracts.dump(contract()).replace("people", "others")), batch([("I", 1, 1, "a")])
            )


ROWS = st.lists(
    st.tuples(st.sampled_from("IUD"), st.integers(1, 4), st.integers(1, 6), st.sampled_from("abc")),
    min_size=1,
    max_size=5,
)


@pytest.mark.long
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_the_table_is_what_all_changes_in_order_leave(service: Service, batches: list[list[Row]]) -> None:
    with service.open() as site:
        anew(service, site, [])
        (z,) = held(site)
        done = []
        for number, rows in enumerate(batches):
            unlike = [*rows, ("I", 50 + number, 0, f"y{service.files:04d}")]  # no two batches are the same bytes
            service.deliver(site, contract(), batch(unlike))
            done.append(unlike)
        assert held(site) == sorted([*expected(done), z])


def drifting(name: str, mode: Mode = Mode.CHANGES, *policies: tuple[DriftKind, Policy]) -> Contract:
    return replace(contract(mode), dataset=name, drift=policies)


def many(first: int, *, operation: str = "U", value: str = "b") -> list[dict[str, str]]:
    """A batch of a hundred changes, of which every fifth is a deletion."""
    return batch([("D" if k % 5 == 0 else operation, k, first, f"{value}{k % 3}") for k in range(100)])


def values(site: LoadingSite, name: str) -> list[tuple[str, int]]:
    """The values of a table, and how many rows have each."""
    with site.store.read() as connection:
        release = releases.get(connection, name)
    site.engine.load("held", Stored(site.lake.files(name, release.snapshot), sealed=False))
    counted = site.engine.rows("SELECT v, count(*) AS n FROM held GROUP BY v ORDER BY v").to_pylist()
    assert release.rows == sum(row["n"] for row in counted)
    return [(row["v"], row["n"]) for row in counted]


@pytest.mark.long
def test_a_batch_whose_header_has_drifted_changes_the_same_records(service: Service) -> None:
    given = drifting("headers", Mode.CHANGES, (DriftKind.MISSING, Policy.EVOLVE))
    with service.open() as site:
        service.deliver(site, drifting("headers", Mode.REPLACE), batch([("I", k, 0, "a") for k in range(120)]))
        told = service.deliver(site, given, [row | {"grade": "A"} for row in many(1)])
        assert (told["state"], told["drift"][0]["told"]) == ("published", "column grade is new")
        assert values(site, "headers") == [("a", 20), ("b0", 27), ("b1", 27), ("b2", 26)]
        again = service.deliver(site, given, batch([("U", 0, 2, "c"), ("D", 1, 2, "")]))  # without it, as promised
        assert (again["state"], values(site, "headers")) == (
            "published", [("a", 20), ("b0", 27), ("b1", 26), ("b2", 26), ("c", 1)]
        )  # fmt: skip
        respelled, late = (
            [{"N" if k == "n" else k: v for k, v in row.items()} for row in many(first, value=value)]
            for first, value in ((3, "d"), (2, "late"))
        )
        told = service.deliver(site, given, respelled)
        assert (told["state"], told["drift"][0]["told"]) == ("published", "column n came written N")
        service.deliver(site, given, late)
        after = [("a", 20), ("d0", 27), ("d1", 27), ("d2", 26)]
        assert values(site, "headers") == after, "what came late was overtaken, by the sequence under its other name"
        for lacking in ("op", "id", "N"):
            rows = [{k: v for k, v in row.items() if k != lacking} for row in respelled]
            with pytest.raises(ContractRefusal, match=f"without column {lacking}"):
                service.deliver(site, given, rows)
        assert values(site, "headers") == after


def test_an_operation_that_was_never_told_waits(service: Service) -> None:
    given = drifting("operations")
    with service.open() as site:
        service.deliver(site, drifting("operations", Mode.REPLACE), batch([("I", k, 0, "a") for k in range(120)]))
        service.deliver(site, given, many(1))
        before = values(site, "operations")
        held = service.deliver(site, given, [row | {"op": row["op"].replace("D", "X")} for row in many(2, value="c")])
        assert (held["state"], held["drift"][0]["kind"], held["drift"][0]["column"]) == ("held", "codes", "op")
        assert values(site, "operations") == before, "or what they deleted would be there again"
        kept = [row for row in many(3, operation="I", value="d") if row["op"] != "D"]
        assert service.deliver(site, given, kept)["state"] == "published", "a batch need not delete anything"


def test_changes_round_trip_in_the_contract() -> None:
    assert contracts.parse(contracts.dump(contract())) == contract()
    written = contracts.dump(contract())
    for right, wrong in (("operation: op", "operation: no"), ("primaryKey: true", "primaryKey: false"),
                         ("sequence: n", "sequence: no"), ("operation: op", "operaton: op")):  # fmt: skip
        with pytest.raises(ContractRefusal):
            contracts.parse(written.replace(right, wrong))


WEEKLY = """
id: weekly
dataset: people
drop: {kind: folder, place: DROP, quiet: 0}
files: "w{period:%Y%m%d}{any}.csv"
schedule: {every: week, first: 2024-03-04}
restated: replace
"""


def test_snapshots_are_kept_beside_each_other_by_their_day(tmp_path: Path) -> None:
    fed = Fed(tmp_path, WEEKLY, contract(Mode.SNAPSHOT))
    for name, value in (("w20240304", "a"), ("w20240311", "b"), ("w20240304_again", "c")):
        fed.drops(f"{name}.csv", f"op,id,n,v\nI,1,1,{value}\n".encode(), at="2024-03-19T00:00")
    assert [s for _, s in fed.look("2024-03-19T01:00")] == ["loaded"] * 3
    assert fed.table("as_at, v", "as_at") == [
        {"as_at": date(2024, 3, 4), "v": "c"}, {"as_at": date(2024, 3, 11), "v": "b"}
    ]  # fmt: skip
