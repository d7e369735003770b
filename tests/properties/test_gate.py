"""The gate overlooks no part of a query: a foreign word planted anywhere in an ordinary one is refused."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integrated_data.access.gate import Checked, Gate, Objection, may_query
from integrated_data.site.parser import DuckDBParser
from tests.access_side import VIEWS, goldens

PARSER = DuckDBParser()
TREES = [PARSER.parse(golden.statement) for golden in goldens("ordinary.txt")]


class Planted:
    """A parser that gives a tree made by hand."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree

    def parse(self, _sql: str) -> dict[str, Any]:
        return self.tree


def parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every part of a tree, but for what stands inside a literal."""
    if isinstance(tree, list):
        for each in tree:
            yield from parts(each)
    elif isinstance(tree, dict):
        yield tree
        if tree.get("class") != "CONSTANT" and not isinstance(tree.get("type"), dict):
            for each in tree.values():
                yield from parts(each)


def planted(plant: Callable[[dict[str, Any]], bool]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each tree with `plant` done to one of its parts, for every part that takes it, and the part as it was."""
    for tree in TREES:
        for number, original in enumerate(parts(tree["statements"])):
            changed = copy.deepcopy(tree)
            if plant(list(parts(changed["statements"]))[number]):
                yield changed, original


def foreign_table(part: dict[str, Any]) -> bool:
    if part.get("type") != "BASE_TABLE":
        return False
    part["table_name"] = "pay"
    return True


def foreign_schema(part: dict[str, Any]) -> bool:
    if part.get("type") != "BASE_TABLE":
        return False
    part["schema_name"] = "information_schema"
    return True


def foreign_function(part: dict[str, Any]) -> bool:
    if "function_name" not in part:
        return False
    part["function_name"] = "getenv"
    return True


def foreign_catalog(part: dict[str, Any]) -> bool:
    if "function_name" not in part:
        return False
    part["catalog"] = "other"
    return True


def foreign_class(part: dict[str, Any]) -> bool:
    if "class" not in part:
        return False
    part["class"] = "BOUND_EXPRESSION"
    return True


def foreign_type(part: dict[str, Any]) -> bool:
    if not isinstance(part.get("type"), str) or "class" in part:
        return False
    part["type"] = "COLUMN_DATA"
    return True


def foreign_key(part: dict[str, Any]) -> bool:
    part["something_new"] = 1
    return True


PLANTS = [foreign_table, foreign_schema, foreign_function, foreign_catalog, foreign_class, foreign_type, foreign_key]


@pytest.mark.parametrize("plant", PLANTS, ids=[p.__name__ for p in PLANTS])
def test_a_foreign_word_is_found_wherever_it_stands(plant: Callable[[dict[str, Any]], bool]) -> None:
    tried = 0
    for tree, original in planted(plant):
        tried += 1
        assert isinstance(may_query("", VIEWS, parser=Planted(tree)), Objection), original
    assert tried > 80


def test_the_trees_themselves_pass() -> None:
    for tree in TREES:
        assert isinstance(may_query("", VIEWS, parser=Planted(tree)), Checked)


def test_a_parser_that_gives_up_is_no_way_in() -> None:
    class Deep:
        def parse(self, _sql: str) -> dict[str, Any]:
            raise RecursionError

    answer = may_query("SELECT 1", VIEWS, parser=Deep())
    assert isinstance(answer, Objection)
    assert answer.gate is Gate.DEPTH
