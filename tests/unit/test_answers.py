"""Keys in the index version wanted, drawn: published files that never change, and what is laid over them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.approve.answers import Answer, answered
from integrated_data.approve.provision import Order, provision, provision_all
from integrated_data.control import grants, projects
from integrated_data.control.store import Store
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest, Decision, Grant
from integrated_data.model.errors import AgreementRefusal
from tests.worlds import PROJECT

TOKENS = ProjectTokens(b"k" * 32)
PAY = DatasetRequest("pay", ("income",), ("person",))

#: Two deliveries of one dataset: income (which stands for the row here), entity id, row number.
FIRST = ((100, 11, 0), (200, 12, 1), (300, 13, 3), (400, None, 4))
SECOND = ((500, 11, 0), (600, 14, 1))


class Side:
    """A published dataset of two files, and an approved project."""

    def __init__(self, engine: DuckDB, store: Store, folder: Path) -> None:
        self.engine, self.store, self.folder = engine, store, folder / "projects"
        self.files = tuple(self._published(folder / f"d{i}.parquet", rows) for i, rows in enumerate((FIRST, SECOND)))
        self.before = self.checksums()
        self.approve(PAY)

    @staticmethod
    def _published(place: Path, rows: tuple[tuple[int, int | None, int], ...]) -> Path:
        incomes, entities, numbers = zip(*rows, strict=True)
        columns = {
            "income": pa.array(incomes), "person_entity": pa.array(entities, pa.int64()),
            "person_link_probability": pa.array([0.9] * len(rows), pa.float32()),
            "person_link_method": ["model"] * len(rows), "_row": pa.array(numbers, pa.int64()),
        }  # fmt: skip
        pq.write_table(pa.table(columns), place)
        return place

    def checksums(self) -> list[str]:
        return [sha256(file.read_bytes()).hexdigest() for file in self.files]

    def approve(self, *requests: DatasetRequest) -> None:
        projects.add_project(self.store, replace(PROJECT, id="P-1", datasets=requests), by="ada")
        projects.record_decision(self.store, "P-1", decision=Decision(True, (), (), "1", self.store.now()), by="panel")

    def provision(self, answer: Answer | None) -> Grant:
        answers = {"person": answer} if answer is not None else {}
        order = Order("P-1", PAY, 1, self.files, answers)
        return provision(self.engine, TOKENS, order=order, folder=self.folder, store=self.store, by="loader")

    def keys(self, answer: Answer | None) -> dict[int, str]:
        """Income to the entity whose key the row has; as text, so that a key of nobody shows."""
        names = {int(t): str(e) for e, t in zip(ENTITIES, TOKENS.of("person", ENTITIES), strict=True)}
        rows = pq.read_table(self.folder / self.provision(answer).place).to_pylist()
        return {r["income"]: names[r["person_key"]] if r["person_key"] is not None else "none" for r in rows}


ENTITIES = np.arange(1, 100)


@pytest.fixture
def side(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[Side]:
    made = Side(engine, store, tmp_path)
    yield made
    assert made.checksums() == made.before, "published files never change"
    left = engine.rows(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal UNION ALL SELECT table_name FROM duckdb_tables()"
    )
    assert left.num_rows == 0


def succession(pairs: Mapping[int, int]) -> pa.Table:
    return pa.table({"old_id": pa.array(pairs, pa.int64()), "new_id": pa.array(pairs.values(), pa.int64())})


def again(*rows: tuple[int, int | None, float, str]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("record_id", "entity_id", "probability", "method"), columns, strict=True)))


AS_PUBLISHED = {100: "11", 200: "12", 300: "13", 400: "none", 500: "11", 600: "14"}


@pytest.mark.parametrize(
    ("answer", "changed"),
    [
        (None, {}),
        (Answer(1), {}),
        (Answer(2, succession({12: 11})), {200: "11"}),
        (Answer(2, succession({12: 13, 11: 13, 77: 78})), {100: "13", 200: "13", 500: "13"}),
    ],
    ids=["as published", "nothing merged", "two become one", "three become one"],
)
def test_rows_of_merged_entities_carry_one_key(side: Side, answer: Answer | None, changed: dict[int, str]) -> None:
    assert side.keys(answer) == AS_PUBLISHED | changed


def test_records_matched_again_carry_their_new_link_and_others_stay(side: Side) -> None:
    laid = again((0, 21, 0.75, "again"), (3, None, 0.4, "again"))
    answer = Answer(3, relinked={side.files[0]: laid}, rests_on=("links-v0003",))
    assert side.keys(answer) == AS_PUBLISHED | {100: "21", 300: "none"}
    made: list[str] = []
    answered(side.engine, side.files, answers={"person": answer}, relation="seen", made=made)
    rows = side.engine.rows("SELECT * FROM seen").to_pylist()
    side.engine.drop(*reversed(made))
    links = {r["income"]: (round(r["person_link_probability"], 2), r["person_link_method"]) for r in rows}
    assert links[100] == (0.75, "again")
    assert links[300] == (0.4, "again")
    assert links[500] == (0.9, "model"), "row 0 of the other delivery is another record"


def test_succession_answers_for_records_matched_again_too(side: Side) -> None:
    laid = again((0, 21, 0.75, "again"))
    assert side.keys(Answer(4, succession({21: 22, 14: 22}), {side.files[0]: laid})) == AS_PUBLISHED | {
        100: "22",
        600: "22",
    }


def test_rows_linked_only_later_have_no_key_and_are_counted(side: Side) -> None:
    answer = Answer(1, later=frozenset(side.files[:1]))
    assert side.keys(answer) == {100: "none", 200: "none", 300: "none", 400: "none", 500: "11", 600: "14"}
    grant = side.provision(answer)
    assert (grant.versions, grant.without_key) == ({"person": 1}, {"person": 3})
    row = next(r for r in pq.read_table(side.folder / grant.place).to_pylist() if r["income"] == 100)
    assert (row["person_link_probability"], row["person_link_method"]) == (None, None)


def test_another_version_or_another_link_set_is_another_copy(side: Side) -> None:
    laid = {side.files[0]: again((0, 21, 0.75, "again"))}
    answers = [Answer(2), Answer(3), Answer(3, relinked=laid, rests_on=("links-v0003",))]
    made = [side.provision(answer) for answer in answers]
    assert len({grant.place for grant in made}) == 3
    assert side.provision(answers[2]) == made[2]
    with side.store.read() as connection:
        assert grants.active(connection) == (made[2],)
    assert [(side.folder / grant.place).exists() for grant in made] == [False, False, True]


def test_a_file_without_row_numbers_is_not_guessed_at(side: Side) -> None:
    plain = side.folder.parent / "plain.parquet"
    pq.write_table(pq.read_table(side.files[0]).drop_columns(["_row"]), plain)
    order = Order("P-1", PAY, 1, (plain,), {"person": Answer(3, relinked={plain: again((0, 21, 0.7, "a"))})})
    with pytest.raises(AgreementRefusal, match="Deliver the dataset again"):
        provision(side.engine, TOKENS, order=order, folder=side.folder, store=side.store, by="loader")


def test_the_copies_of_a_project_are_opened_together_or_not_at_all(side: Side) -> None:
    other = DatasetRequest("tax", ("income",), ("person",))
    side.approve(PAY, other)

    def both(answer: Answer, *requests: DatasetRequest) -> tuple[Grant, ...]:
        orders = [Order("P-1", r, 1, side.files, {"person": answer}) for r in requests]
        return provision_all(side.engine, TOKENS, orders=orders, folder=side.folder, store=side.store, by="loader")

    old = both(Answer(1), PAY, other)
    with pytest.raises(AgreementRefusal, match="did not apply for exactly this"):
        both(Answer(2), PAY, replace(other, columns=()))
    with side.store.read() as connection:
        assert grants.active(connection) == old
    new = both(Answer(2), PAY, other)
    with side.store.read() as connection:
        assert grants.active(connection) == new
    events: list[Any] = [g.place for g in new]
    assert len(set(events)) == 2
