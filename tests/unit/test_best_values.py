"""The best value of each attribute: by how far its sources can be relied on, and by recency; laws and examples."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.index.best import Trust, best, ranked, trust_of
from integrated_data.index.matching.basis import Basis, Learnt
from integrated_data.index.matching.model import assumed
from integrated_data.index.reference.demographic import DEFINITION

TRUST = Trust(
    (("address", "postcode"),),
    {("register", "address"): 0.95, ("tax", "address"): 0.7, ("register", "given_name"): 0.95,
     ("tax", "given_name"): 0.7},
)  # fmt: skip


def said(source: str, day: str, *, gone: str | None = None, **values: str) -> dict[str, Any]:
    return {"source": source, "record_id": "1", "effective_from": day, "effective_to": None,
            "recorded_from": "2021-01-01T00:00:00", "recorded_to": gone, **values}  # fmt: skip


def first(*statements: dict[str, Any]) -> dict[str, str]:
    told = best(statements, ("given_name", "address", "postcode"), trust=TRUST)
    return {b["attribute"]: b["value"] for b in told}


def test_of_one_day_the_better_source_and_of_one_source_the_newer_day() -> None:
    assert first(said("tax", "2020-01-01", given_name="Anne"), said("register", "2020-01-01", given_name="Ann")) == {
        "given_name": "Ann"
    }
    old, new = said("register", "2012-01-01", address="1 Low Road"), said("register", "2020-01-01", address="2 High St")
    assert first(old, new) == {"address": "2 High St"}


def test_an_old_word_of_a_good_source_gives_way_to_a_new_one_of_a_weak_source_where_things_change() -> None:
    pair = (said("register", "2010-01-01", address="1 Low Road"), said("tax", "2020-01-01", address="2 High St"))
    assert first(*pair) == {"address": "2 High St"}
    births = [said(s["source"], s["effective_from"], date_of_birth=s["address"]) for s in pair]
    assert ranked(births, ("date_of_birth",), trust=TRUST)[0][1] == ("register",), "no birthday grows old"


def test_house_and_postcode_are_chosen_together() -> None:
    told = first(
        said("register", "2020-01-01", address="1 Low Road", postcode="AB1 2CD"),
        said("tax", "2020-01-01", address="2 High St", postcode="ZZ9 9ZZ"),
        said("benefits", "2019-01-01", postcode="ZZ9 9ZZ"),
    )
    assert told in ({"address": "1 Low Road", "postcode": "AB1 2CD"}, {"address": "2 High St", "postcode": "ZZ9 9ZZ"})


def test_what_is_not_said_any_more_is_best_only_where_nothing_is_said() -> None:
    gone = said("register", "2021-01-01", gone="2022-01-01", given_name="Ann")
    assert first(gone) == {"given_name": "Ann"}
    assert first(gone, said("tax", "2001-01-01", given_name="Anne")) == {"given_name": "Anne"}


DAYS = st.dates().map(lambda d: d.isoformat())
STATEMENTS = st.lists(
    st.builds(
        lambda source, day, value, gone: said(source, day, gone="2022-01-01" if gone else None, given_name=value),
        st.sampled_from(["register", "tax", "other"]), DAYS, st.sampled_from(["Ann", "ANN", "Anne", "Bo"]),
        st.booleans(),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(STATEMENTS, st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(statements: list[dict[str, Any]], dice: Any) -> None:
    shuffled = list(statements)
    dice.shuffle(shuffled)
    assert best(statements, ("given_name",), trust=TRUST) == best(shuffled, ("given_name",), trust=TRUST)


@given(STATEMENTS)
def test_the_best_is_something_said_and_stays_best_when_another_source_says_it_too(
    statements: list[dict[str, Any]],
) -> None:
    ((chosen,), _) = ranked(statements, ("given_name",), trust=TRUST)[0]
    assert chosen in {s["given_name"] for s in statements}
    newest = max(s["effective_from"] for s in statements)
    more = [*statements, said("another", newest, given_name=str(chosen))]
    ((again,), _) = ranked(more, ("given_name",), trust=TRUST)[0]
    assert str(again).casefold() == str(chosen).casefold()


def test_what_an_index_learnt_of_its_sources() -> None:
    model = assumed(DEFINITION)
    shares = model.shares | {"place": replace(model.shares["place"], m=(0.6, *model.shares["place"].m[1:]))}
    trust = trust_of(DEFINITION, Basis({"a": Learnt(model), "b": Learnt(replace(model, shares=shares))}))
    assert set(trust.together) == {
        ("address", "postcode"), ("date_of_birth", "birth_day", "birth_month", "birth_year")
    }  # fmt: skip
    assert trust.weight("a", "address") > trust.weight("b", "address")
    assert trust.weight("a", "given_name") == trust.weight("b", "given_name")
    assert trust.weight("a", "nhs_number") == pytest.approx(trust.weight("b", "nhs_number"))
