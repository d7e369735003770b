"""The public catalogue in others' words: drawn notices in, documents that their standards accept out."""

import json
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import rdflib
import yaml

from integrated_data.approve.agree import united_kingdom
from integrated_data.model.agreement import Agreement, Conditions, Licence, Purpose
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.linkage import PRESENCE
from integrated_data.publish.associations import ASSOCIATIONS, OWNER
from integrated_data.publish.exports import about as words
from integrated_data.publish.exports import croissant, dcat, linkml, ukgov
from integrated_data.publish.exports.about import About, Format
from integrated_data.publish.exports.notice import Notice, conditions, notice
from integrated_data.site.cataloguing import export, problems, read_about
from integrated_data.site.demo import DELIVERIES
from tests.house.tree import ROOT
from tests.real_data import real_data

DAY = date(2026, 5, 1)
ENTRY = {
    "dataset": "labour_force_survey", "title": "Labour Force Survey", "owner": "Office for National Statistics",
    "contract_version": "1.2.0", "rows": 73_731, "read": 73_740, "quarantined": 9,
    "variables": [
        {"name": "hours", "type": "DOUBLE", "meaning": "amount", "title": "Hours worked", "profile": {"max": 971.25}},
        {"name": "born", "type": "DATE", "meaning": "date_of_birth", "title": "", "profile": {"min": "1931-02-03"}},
        {"name": "persons", "type": "BIGINT", "meaning": "count", "title": "", "profile": {}},
        {"name": "tags", "type": "VARCHAR[]", "meaning": "derived", "title": "", "profile": {}},
    ],
    "links": {"demographic": {"linked": 70_123}}, "withheld": [{"name": "remarks", "reason": "free text"}],
}  # fmt: skip
AGREED = Agreement(
    "A-1", "labour_force_survey", "Office for National Statistics", "dea-2017-research", (Purpose.RESEARCH,), ("*",),
    ("*",), date(2026, 1, 1), date(2026, 12, 31), conditions=Conditions(minimum_people=12, rounding=5),
    licence=Licence(("Northgate Analytics",), date(2026, 12, 31), price_share=0.37),
)  # fmt: skip


def drawn() -> Notice:
    said = conditions({AGREED.dataset: [AGREED]}, united_kingdom(), day=DAY)
    return notice(ENTRY, release=7, days=(date(2026, 3, 1), DAY), conditions=said)


def about() -> About:
    return read_about((ROOT / "examples" / "catalogue.yaml").read_text())


@cache
def model() -> linkml.Schema:
    return linkml.read(real_data("catalogue", "uk_cross_government_metadata_exchange_model.yaml"))


@pytest.mark.parametrize("valid", [True, False])
def test_the_exchange_models_own_examples(valid: bool) -> None:
    """Its valid examples are accepted and its invalid ones refused, as each file's name says."""
    schema, mark = model(), "__valid__" if valid else "__invalid__"
    files = [f for f in sorted(real_data("catalogue", "examples").iterdir()) if mark in f.name]
    assert files
    for file in files:
        body, of = yaml.safe_load(file.read_text()), file.name.split("__")[0]
        assert (not schema.problems(body, of=of)) is valid, file.name
        assert (not schema.problems(body)) is valid, file.name


def test_the_uk_export_is_valid_and_says_what_it_would_not_be() -> None:
    schema, made = model(), ukgov.document([drawn()], about())
    assert [one["type"] for one in made] == ["dcat:DataService", "dcat:Dataset"]
    assert problems(made, schema) == []
    for resource in made:
        for name in ("identifier", "title", "publisher", "version", "licence", "contactPoint", "modified"):
            assert problems([{k: v for k, v in resource.items() if k != name}], schema) == [f"1: {name}: is missing"]
    assert problems([made[1] | {"updateFrequency": "freq:madeUp"}], schema) == [
        "1: updateFrequency: is not one of FrequencyValues"
    ]


def test_the_frequencies_and_phases_are_the_models() -> None:
    known = {name: set(body["permissible_values"]) for name, body in model().enums.items()}
    assert {f"freq:{f.value}" for f in words.Frequency} == known["FrequencyValues"]
    assert {s.value for s in words.Status} == known["ServiceStatusValues"]
    assert {a.value for a in words.Access} == known["AccessRightsValues"]
    assert {c.value for c in words.Classification} == known["SecurityClassificationValues"]


SCHEMA = """
id: https://example.org/pets
default_prefix: pets
default_range: string
prefixes: {pets: "https://example.org/pets/", linkml: "https://w3id.org/linkml/"}
imports: [linkml:types]
classes:
  Animal: {abstract: true, slots: [type, name, born]}
  Dog: {is_a: Animal, slots: [tricks, weight, owner], slot_usage: {born: {required: true}}}
  Person: {slots: [name]}
slots:
  type: {designates_type: true, required: true, range: uriorcurie}
  name: {required: true, pattern: "^[A-Z]"}
  born: {range: date}
  tricks: {multivalued: true, range: Trick}
  weight: {range: integer, minimum_value: 1}
  owner: {range: Person}
enums:
  Trick: {permissible_values: {sit: {}, roll: }}
"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"type": "https://example.org/pets/Dog"}, []),
        ({"type": "Dog"}, ["type: is not pets:Dog or https://example.org/pets/Dog"]),
        ({"type": "pets:Cat"}, ["type: names no class of the schema"]),
        ({"born": None}, ["born: is missing"]),
        ({"born": "2020-02-31"}, ["born: is no date"]),
        ({"born": date(2020, 2, 3)}, []),
        ({"name": "rex"}, ["name: is not written as it must be"]),
        ({"name": ["Rex"]}, ["name: must not be a list"]),
        ({"tricks": "sit"}, ["tricks: must be a list"]),
        ({"tricks": ["sit", "fly"]}, ["tricks: is not one of Trick"]),
        ({"tricks": [["sit"]]}, ["tricks: is not one of Trick"]),
        ({"weight": True}, ["weight: is no integer"]),
        ({"weight": 0}, ["weight: is too small or too large"]),
        ({"owner": "Ann"}, ["owner: must be a Person"]),
        ({"owner": {"name": "Ann", "age": 3}}, ["owner.age: Person has no such field"]),
        ({"owner": {"name": "ann"}}, ["owner.name: is not written as it must be"]),
        ({"colour": "red"}, ["colour: Dog has no such field"]),
    ],
)  # fmt: skip
def test_a_schema_is_held_to(change: dict[str, object], found: list[str], tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text(SCHEMA)
    dog = {"type": "pets:Dog", "name": "Rex", "born": "2020-02-03", "tricks": ["sit"], "weight": 9} | change
    assert linkml.read(tmp_path / "pets.yaml").problems(dog) == found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("range: integer,", "range: integer, equals_number: 3,", "equals_number"),
        ("{range: date}", "{any_of: [{range: date, required: true}]}", "required"),
        ("{range: date}", '{any_of: [{range: date}], pattern: "^2"}', "any_of beside pattern"),
        ("{permissible_values", "{matches: {source_ontology: x}, permissible_values", "matches"),
    ],
)
def test_a_schema_that_asks_for_more_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text(SCHEMA.replace(old, new))
    with pytest.raises(UsageRefusal, match=said):
        linkml.read(tmp_path / "pets.yaml")


def test_dcat_reads_as_rdf_with_what_a_catalogue_needs() -> None:
    graph = rdflib.Graph().parse(data=json.dumps(dcat.document([drawn()], about())), format="json-ld")
    asked = """
        PREFIX dcat: <http://www.w3.org/ns/dcat#> PREFIX dct: <http://purl.org/dc/terms/>
        PREFIX foaf: <http://xmlns.com/foaf/0.1/> PREFIX vcard: <http://www.w3.org/2006/vcard/ns#>
        PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
        SELECT ?title ?publisher ?mail ?theme ?place ?first ?licence ?endpoint ?freq WHERE {
          ?c a dcat:Catalog ; dcat:dataset ?d ; dcat:service ?s .
          ?s a dcat:DataService ; dcat:servesDataset ?d ; dcat:endpointURL ?endpoint .
          ?d a dcat:Dataset ; dct:title ?title ; dct:publisher/foaf:name ?publisher ; dcat:theme ?theme ;
             dcat:contactPoint/vcard:hasEmail ?mail ; dct:spatial ?place ; dct:temporal/dcat:startDate ?first ;
             dct:conformsTo [ a dct:Standard ] ; dct:provenance/rdfs:label ?made ; dct:rights/rdfs:label ?rights ;
             dct:license ?licence ; dct:accrualPeriodicity ?freq ; dct:accessRights ?access ; dct:modified ?m .
          FILTER(isIRI(?theme) && isIRI(?licence) && isIRI(?place) && isIRI(?mail) && datatype(?m) = xsd:date) }"""
    assert [[str(v) for v in row] for row in graph.query(asked)] == [[
        "Labour Force Survey", "Office for National Statistics", "mailto:catalogue@example.gov.uk",
        "http://publications.europa.eu/resource/authority/data-theme/SOCI",
        "http://statistics.data.gov.uk/id/statistical-geography/K02000001", "2019-01-01",
        "https://data.example.gov.uk/terms", "https://data.example.gov.uk:8443", "http://purl.org/cld/freq/quarterly",
    ]]  # fmt: skip


def test_croissant_has_all_it_must_have() -> None:
    made = croissant.document(drawn(), about())
    assert croissant.problems(made) == []
    assert [(f["name"], f["dataType"]) for f in made["recordSet"][0]["field"]] == [
        ("hours", "sc:Float"), ("born", "sc:Date"), ("persons", "sc:Integer"), ("tags", "sc:Text"),
    ]  # fmt: skip
    for name in croissant.REQUIRED:
        assert croissant.problems({k: v for k, v in made.items() if k != name})
    assert croissant.problems(made | {"license": "ask us"}) == ["license is no address"]


def test_the_example_is_enough_for_the_demo() -> None:
    """What came without a contract is called its own owner; the service answers for what it derives."""
    derived = [*(each.dataset for each in ASSOCIATIONS), PRESENCE]
    owners = {dataset: dataset for dataset, _ in DELIVERIES} | dict.fromkeys(derived, OWNER)
    found = [replace(drawn(), dataset=dataset, owner=owner) for dataset, owner in owners.items()]
    schema, made = model(), ukgov.document(found, about())
    assert problems(made, schema) == []
    assert [problem for n in found for problem in croissant.problems(croissant.document(n, about()))] == []


def test_croissants_own_reader_accepts_it() -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    read = mlcroissant.Dataset(jsonld=croissant.document(drawn(), about()))
    assert not read.metadata.issues.errors
    assert [f.name for f in read.metadata.record_sets[0].fields] == ["hours", "born", "persons", "tags"]


@pytest.mark.parametrize("form", [Format.UKGOV, Format.DCAT, Format.CROISSANT])
def test_nothing_of_the_data_and_no_commercial_term_is_told(form: Format, tmp_path: Path) -> None:
    files = export(form, tmp_path / "out", found=[drawn()], about=about())
    text = "".join(f.read_text() for f in files)
    for counted in ("73731", "73_731", "73740", "971", "1931", "70123", "Northgate", "0.37", "remarks"):
        assert counted not in text
    assert "fewer than 12 people" in text
    assert "rounded to 5" in text


def test_what_nobody_has_said_is_asked_for_and_never_made_up(tmp_path: Path) -> None:
    bare = replace(about(), organisations={}, contact=None, classification=None, datasets={})
    with pytest.raises(UsageRefusal, match="labour_force_survey: contact"):
        ukgov.document([drawn()], bare)
    with pytest.raises(UsageRefusal, match="licence"):
        export(Format.CROISSANT, tmp_path / "out", found=[drawn()], about=bare)
    assert "dcat:contactPoint" not in json.dumps(dcat.document([drawn()], bare)["@graph"])
    assert not (tmp_path / "out").exists()


def test_an_invalid_export_is_not_written(tmp_path: Path) -> None:
    place = real_data("catalogue", "uk_cross_government_metadata_exchange_model.yaml")
    told = about()
    wrong = replace(told, organisations={
        name: replace(body, slug="ministry-of-nothing") for name, body in told.organisations.items()
    })  # fmt: skip
    with pytest.raises(UsageRefusal, match="publisher: is not one of OrganisationValues"):
        export(Format.UKGOV, tmp_path / "out.json", found=[drawn()], about=wrong, schema=place)
    assert not (tmp_path / "out.json").exists()
    export(Format.UKGOV, tmp_path / "out.json", found=[drawn()], about=told, schema=place)
    assert len(json.loads((tmp_path / "out.json").read_text())) == 2


def test_what_is_derived_stands_under_every_agreement() -> None:
    """One sentence for each agreement in force; none on one of the datasets, and nothing can be granted."""
    law, other = united_kingdom(), replace(AGREED, dataset="births", ends=date(2026, 6, 30))
    under = {"births": [other], AGREED.dataset: [AGREED]}
    said = conditions(under, law, day=DAY)
    assert [s.split(" until ")[0] for s in said] == [
        "births: Approved projects of research", "labour_force_survey: Approved projects of research",
    ]  # fmt: skip
    assert conditions(under, law, day=date(2026, 7, 1)) == ["No project can be granted this dataset today."]
