"""Tables of several installations in, one table out; and what cannot be put together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.federation import Answered, PeerState
from integrated_data.output.federated import Kind, combine, fits, label, plan

SQL = (
    "SELECT region, count(*) AS n, sum(pay)::INT AS pay, avg(pay) AS mean, count(DISTINCT who) AS people "
    "FROM t GROUP BY ALL"
)


def answered(peer: str, *rows: str, columns: str = "region n pay mean__sum people mean__count") -> Answered:
    cells = tuple(tuple(row.split()) for row in rows)
    return Answered(peer, PeerState.ANSWERED, columns=tuple(columns.split()), rows=cells)


def test_sums_and_counts_add_up_means_come_from_their_parts_and_people_are_told_apart() -> None:
    planned = plan(SQL)
    assert [f.kind for f in planned.figures] == [Kind.KEY, Kind.SUM, Kind.SUM, Kind.MEAN, Kind.APART]
    assert planned.sent == ("region", "n", "pay", "mean__sum", "people", "mean__count")
    north = answered("north", "East 10 100 100 9 10", "West 20 50 50 20 20")
    south = answered("south", "East 30 500 500 30 30")
    table = combine(planned, [north, south])
    assert table.columns == ("region", "n", "pay", "mean", "people (north)", "people (south)")
    assert table.rows == (("East", 40, 600, 15.0, "9", "30"), ("West", 20, 50, 2.5, "20", None))
    assert table.incomplete == {}


def test_people_add_up_where_whoever_asks_vouches_that_nobody_is_at_two() -> None:
    planned = plan("SELECT count(DISTINCT who) AS people FROM t", disjoint=True)
    north, south = (answered(p, n, columns="people") for p, n in (("north", "9"), ("south", "30")))
    assert combine(planned, [north, south]).rows == ((39,),)


def test_a_part_that_was_withheld_is_named() -> None:
    planned = plan("SELECT region, count(*) AS n, avg(pay) AS mean FROM t GROUP BY region ORDER BY mean")
    assert "ORDER" not in planned.sql
    north = answered("north", "East [c] 10 2", "West [c] [c] [c]", columns="region n mean__sum mean__count")
    south = answered("south", "East 30 90 30", columns="region n mean__sum mean__count")
    table = combine(planned, [north, south])
    assert table.rows == (("East", 30, 3.125), ("West", None, None))
    assert table.incomplete == {(0, "n"): ("north",), (1, "n"): ("north",), (1, "mean"): ("north",)}
    assert label([north, south], asked=2) == "Complete: all 2 installations answered; cells withheld at north"
    gone = Answered("west", PeerState.UNREACHABLE)
    assert label([north, gone], asked=2).startswith(
        "PARTIAL: 1 of 2 installations answered; without west (unreachable)"
    )


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT region, count(*) AS n FROM t GROUP BY region HAVING count(*) > 5", "HAVING"),
        ("SELECT region, count(*) AS n FROM t GROUP BY region LIMIT 5", "LIMIT"),
        ("SELECT DISTINCT region, count(*) AS n FROM t GROUP BY region", "DISTINCT"),
        ("SELECT region FROM t", "no aggregate"),
        ("SELECT * FROM t", "rows"),
        ("SELECT count(*) FROM t", "no name"),
        ("SELECT region, sum(count(*)) OVER () AS n FROM t GROUP BY region", "rows"),
        ("SELECT count(*) AS n FROM t UNION SELECT 1", "not one SELECT"),
        ("SELECT count(*) AS n FROM t; SELECT 1", "not one SELECT"),
        ("SELECT sum(a) AS n, sum(b) AS n FROM t", "one name"),
        ("SELEC", "not one SELECT"),
    ],
)
def test_what_cannot_be_put_together_is_refused(sql: str, why: str) -> None:
    with pytest.raises(QueryRefusal, match="cannot be asked of several") as told:
        plan(sql)
    assert why in str(told.value)


def test_an_answer_of_another_shape_does_not_fit() -> None:
    planned = plan("SELECT region, count(*) AS n FROM t GROUP BY region")
    assert fits(planned, answered("north", "East 1", columns="region n"))
    assert not fits(planned, answered("north", "East 1", columns="region people"))
    assert not fits(planned, answered("north", "East", columns="region n"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB"), st.integers(-9, 99)), max_size=30))
def test_parts_together_are_the_whole(rows: list[tuple[int, str, int]]) -> None:
    planned = plan("SELECT g, count(*) AS n, sum(x) AS x, avg(x) AS mean FROM t GROUP BY g")

    def table(mine: list[tuple[int, str, int]], peer: str) -> Answered:
        groups = sorted({g for _, g, _ in mine})
        of = {g: [x for _, h, x in mine if h == g] for g in groups}
        cells = tuple((g, str(len(of[g])), str(sum(of[g])), str(sum(of[g])), str(len(of[g]))) for g in groups)
        return Answered(peer, PeerState.ANSWERED, columns=planned.sent, rows=cells)

    parts = combine(planned, [table([r for r in rows if r[0] == p], str(p)) for p in range(4)])
    assert parts == combine(planned, [table(rows, "whole")])
