"""Groups of records from what their pairs weigh."""

import numpy as np
import pytest

from integrated_data.index.matching.partition import NO_PAIRS, Bonds, Sure, Weighed, grouped, pieces, unweighed

SURE = Sure(within=4.0, across=2.0)


def pairs(*rows: tuple[int, int, float]) -> Weighed:
    left, right, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return Weighed(np.array(left, np.int64), np.array(right, np.int64), np.array(weight, np.float64))


def groups(
    weighed: Weighed, sources: str, *, single: str = "", must: Weighed = NO_PAIRS, cannot: Weighed = NO_PAIRS
) -> str:
    names = sorted(set(sources))
    source = np.array([names.index(s) for s in sources])
    bonds = Bonds(source, np.array([n in single for n in names]), must, cannot)
    found = grouped(weighed, pieces(weighed, bonds, sure=SURE), bonds=bonds, sure=SURE)
    letters: dict[int, str] = {}
    return "".join(letters.setdefault(int(g), "abcdefgh"[len(letters)]) for g in found)


CASES = [
    ("nothing weighed", "xy", pairs(), "ab"),
    ("a sure pair", "xy", pairs((0, 1, 3.0)), "aa"),
    ("a pair that is not sure", "xy", pairs((0, 1, 1.0)), "ab"),
    ("of one source more is asked", "xx", pairs((0, 1, 3.0)), "ab"),
    (
        "a chain whose ends differ breaks at its weaker link",
        "xyz",
        pairs((0, 1, 9.0), (1, 2, 5.0), (0, 2, -30.0)),
        "aab",
    ),
    ("a doubtful pair in good company", "xyz", pairs((0, 1, 9.0), (1, 2, 9.0), (0, 2, -5.0)), "aaa"),
    ("of two sisters the likelier", "xyy", pairs((0, 1, 20.0), (0, 2, 12.0), (1, 2, -30.0)), "aab"),
    ("of two sisters equally likely neither", "xyy", pairs((0, 1, 20.0), (0, 2, 20.0), (1, 2, -30.0)), "abc"),
    ("of two statements of one person both", "xyy", pairs((0, 1, 20.0), (0, 2, 20.0), (1, 2, 9.0)), "aaa"),
]


@pytest.mark.parametrize(("what", "sources", "weighed", "expected"), CASES, ids=[c[0] for c in CASES])
def test_groups(what: str, sources: str, weighed: Weighed, expected: str) -> None:
    assert groups(weighed, sources) == expected


def test_a_source_that_holds_everyone_once_never_shares() -> None:
    weighed = pairs((0, 1, 20.0), (0, 2, 12.0), (1, 2, 9.0))
    assert groups(weighed, "xyy", single="y") == "aab"


def test_decisions_bind() -> None:
    weighed = pairs((0, 1, 20.0), (1, 2, 20.0), (0, 2, 20.0))
    assert groups(weighed, "xyz", cannot=pairs((0, 2, 0.0))) in ("aab", "abb")
    assert groups(pairs((0, 1, 20.0)), "xyz", must=pairs((1, 2, 0.0))) == "aaa"
    assert groups(pairs((0, 2, -30.0)), "xyz", must=pairs((0, 1, 0.0), (1, 2, 0.0))) == "aaa"


def test_pairs_of_a_piece_that_nobody_weighed_are_named() -> None:
    weighed = pairs((0, 1, 9.0), (1, 2, 9.0))
    left, right = unweighed(weighed, np.array([0, 0, 0, 1]))
    assert list(zip(left, right, strict=True)) == [(0, 2)]
