"""Contracts as files: a minimal one works, a full one is standard YAML, a wrong one is told where."""

from pathlib import Path

import pytest
import yaml

from integrated_data.acquire.contracts import dump, parse, read, write
from integrated_data.acquire.describe import describe, described_json, layout_sentence
from integrated_data.acquire.drift import Drift, check_header, drift_of
from integrated_data.model.contract import Check, Column, Format, IndexUse, Layout, Mode, Rule, Thresholds
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from tests.delivering import contract_of

MINIMAL = """
apiVersion: v3.1.0
kind: DataContract
id: pay
status: active
version: 1.0.0
schema:
- name: pay
  properties:
  - name: surname
    customProperties: [{property: meaning, value: family_name}]
  - name: dob
    physicalName: Date of birth
    customProperties:
    - {property: meaning, value: date_of_birth}
    - {property: formats, value: ['%d/%m/%Y']}
  - name: pay
    customProperties: [{property: meaning, value: money}, {property: missing, value: [NO, -9, 0.50]}]
  - name: anything
"""


def test_a_contract_by_hand_needs_names_and_a_few_meanings() -> None:
    contract = parse(MINIMAL)
    assert (contract.dataset, contract.layout, contract.thresholds) == ("pay", Layout(Format.CSV), Thresholds())
    assert [(c.name, c.source, c.kind, c.meaning, c.handling) for c in contract.columns] == [
        ("surname", "surname", Kind.STRING, Meaning.FAMILY_NAME, Handling.IDENTIFIER),
        ("dob", "Date of birth", Kind.DATE, Meaning.DATE_OF_BIRTH, Handling.IDENTIFIER),
        ("pay", "pay", Kind.NUMBER, Meaning.MONEY, Handling.PAYLOAD),
        ("anything", "anything", Kind.STRING, Meaning.UNKNOWN, Handling.WITHHELD),
    ]
    assert contract.column("pay").missing == ("NO", "-9", "0.50")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("id: pay", "id: Pay Records!", "id"),
        ("id: pay\n", "", "id"),
        ("kind: DataContract", "kind: Contract", "kind"),
        ("v3.1.0", "v2.2.0", "apiVersion"),
        ("status: active", "statas: active", "statas"),
        ("- name: surname", "- nane: surname", r"schema\[0\].properties\[0\].nane"),
        ("- name: surname", "- name: _row", "name"),
        ("- name: anything", "- name: Surname", r"schema\[0\].properties\[3\].name"),
        ("value: family_name", "value: familyname", "meaning"),
        ("property: meaning, value: money", "property: meening, value: money", "customProperties"),
        ("value: ['%d/%m/%Y']", "value: '%d/%m/%Y'", "formats"),
        ("schema:\n- name: pay", "schema:\n  name: pay", "schema"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, field: str) -> None:
    assert old in MINIMAL
    with pytest.raises(ContractRefusal, match=field) as refusal:
        parse(MINIMAL.replace(old, new, 1))
    assert refusal.value.next_step


def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ContractRefusal, match="line 2"):
        parse("id: pay\n  : [\n")
    with pytest.raises(ContractRefusal, match="mapping"):
        parse("just text")
    with pytest.raises(ContractRefusal, match="no contract file"):
        read(tmp_path / "absent.yaml")


FULL = contract_of(
    Column("id", "ID", key=True, required=True, unique=True, meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER),
    Column(
        "born", "Born", Kind.DATE, Meaning.DATE_OF_BIRTH, Handling.IDENTIFIER, formats=("%d/%m/%Y", "%Y"),
        missing=("z", "", "-9"), confidence=0.97, title="when",
    ),
    Column("rate", "rate", Kind.NUMBER, Meaning.MEASURE, Handling.PAYLOAD, decimal=",", codes=(("1", "one"),)),
    layout=Layout(Format.FIXED, header=False, widths=(4, 10, 3)),
    title="Pay", version="2.1.0", mode=Mode.APPEND, inferred=True, thresholds=Thresholds(0.0, 0.5),
    indexes=(IndexUse("demographic", ("born",), one_to_one=True), IndexUse("address")),
    rules=(
        Rule("rows", Check.ROW_COUNT, low="1", high="10"),
        Rule("known", Check.ALLOWED, "rate", values=("1,0", "2")),
        Rule("late", Check.RANGE, "born", low="1900-01-01", reason="nobody is older"),
        Rule("form", Check.PATTERN, "id", pattern="[A-Z]{2}[0-9]+"),
        Rule("order", Check.EXPRESSION, expression="rate > 0"),
        Rule("there", Check.REQUIRED, "rate"),
        Rule("one", Check.UNIQUE, "born"),
    ),
)  # fmt: skip


def test_a_full_contract_comes_back_the_same(tmp_path: Path) -> None:
    write(FULL, tmp_path / "c.yaml")
    assert read(tmp_path / "c.yaml") == FULL


def test_what_is_written_stands_where_the_standard_wants_it() -> None:
    document = yaml.safe_load(dump(FULL))
    table = document["schema"][0]
    assert (document["apiVersion"], document["kind"], document["id"]) == ("v3.1.0", "DataContract", "example")
    assert table["properties"][0]["primaryKeyPosition"] == 1
    assert table["properties"][2]["quality"][0] == {
        "name": "known", "metric": "invalidValues", "arguments": {"validValues": ["1,0", "2"]}, "mustBe": 0,
    }  # fmt: skip
    assert table["quality"][0] == {"name": "rows", "metric": "rowCount", "mustBeBetween": [1, 10]}
    assert {p["property"] for p in document["customProperties"]} == {
        "layout", "thresholds", "mode", "indexes", "inferred", "ruleOrder",
    }  # fmt: skip


def test_checks_of_other_tools_are_passed_over() -> None:
    other = "  quality:\n  - {type: text, description: looks good}\n  - {type: sql, query: SELECT 1, mustBe: 0}\n"
    assert parse(MINIMAL + other).rules == ()


CONTRACT = contract_of(Column("nhs", "NHS Number"), Column("sex", "Sex"), Column("sex2", "Sex"))


@pytest.mark.parametrize(
    ("delivered", "drift"),
    [
        (("NHS Number", "Sex"), Drift()),
        (("Sex", "NHS Number", "extra"), Drift(new=("extra",))),
        (("nhs_number", "Sex"), Drift(respelled=(("NHS Number", "nhs_number"),))),
        (("Sex",), Drift(missing=("NHS Number",))),
        (("a", "b"), Drift(missing=("NHS Number", "Sex"), new=("a", "b"))),
    ],
)
def test_drift_is_named(delivered: tuple[str, ...], drift: Drift) -> None:
    assert drift_of(CONTRACT, delivered) == drift


def test_new_columns_go_on_and_missing_ones_are_refused() -> None:
    assert check_header(CONTRACT, ("NHS Number", "Sex", "new")).new == ("new",)
    with pytest.raises(ContractRefusal, match="without column NHS Number") as refusal:
        check_header(CONTRACT, ("Sex", "9434765919"))
    assert "9434765919" not in str(refusal.value)
    with pytest.raises(ContractRefusal, match="another spelling of column Sex"):
        check_header(CONTRACT, ("NHS Number", "SEX"))
    with pytest.raises(ContractRefusal, match="no header"):
        check_header(CONTRACT, ("9434765919", "M"))


def test_descriptions_hold_no_values() -> None:
    rows = describe(FULL)
    assert [(r.column, r.seems, r.handled) for r in rows][:2] == [
        ("id", "record id", "used to match, never published"),
        ("born", "date of birth", "used to match, never published"),
    ]
    assert rows[1].read_as == "date, written %d/%m/%Y or %Y, 3 codes for no value"
    assert layout_sentence(FULL.layout) == "fixed-width text of 3 columns, without a header"
    assert described_json(FULL)["columns"][1]["formats"] == ["%d/%m/%Y", "%Y"]
