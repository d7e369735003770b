"""The page of scale says what follows from the measurements that are kept."""

import json

from bench.scale_page import ASSUMED, PAGE, ROWS, loading, page, per_row

KEPT = PAGE.parents[1] / "bench" / "scale.json"


def test_the_page_is_made_from_what_was_measured() -> None:
    text = PAGE.read_text("utf-8")
    assert page(json.loads(KEPT.read_text("utf-8")), text) == text, "run: python -m bench.scale page"
    assert all(what in text for what, _, _ in ASSUMED.values()), "every assumption is marked as one"


def test_a_row_of_a_larger_table_costs_no_less_and_more_where_it_grew() -> None:
    flat = [{"rows": 10, "stages": {"publish": 1.0}}, {"rows": 100, "stages": {"publish": 10.0}}]
    cheaper = [flat[0], {"rows": 100, "stages": {"publish": 5.0}}]
    steeper = [flat[0], {"rows": 100, "stages": {"publish": 100.0}}]
    assert per_row(flat, rows=1e6) == per_row(flat, rows=1) == 0.1
    assert per_row(cheaper, rows=1e6) == 0.05
    assert abs(per_row(steeper, rows=10_000) - 100.0) < 1e-6, "as the square of its rows"
    people = [one | {"index": {"rows": one["rows"]}} for one in flat]
    assert loading({"census": people, "events": cheaper}, rows=ROWS, matched=0.5, power=1.0) < 0.076
