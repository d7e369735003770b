"""The Business Index: drawn registers and deliveries in, one link per record out, on the real engine."""

from pathlib import Path
from typing import Any

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.business import BUSINESS
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LINK_COLUMNS
from tests.drawn import NoTrainer, drawn
from tests.real_data import real_data

REGISTER = """
    record_id | company_number | organisation_name          | trading_name | address                     | postcode
    1         | 1234567        | SMITH & SONS ENGRG LIMITED | .            | Unit 4, Mill Lane, Otley    | LS21 1AA
    2         | SC000002       | THE CORNER CAFE LTD        | BEAN THERE   | 12 High Street, Otley       | LS21 1AB
    3         | 00000003       | ACME PLUMBING LIMITED      | .            | 3 Station Road, Leeds       | LS1 4AB
    4         | .              | ACME PLUMBING LIMITED      | .            | 90 Quay Street, Truro       | TR1 2AB
    5         | .              | PARK VIEW SURGERY          | .            | Health Centre, Park Road    | HU1 1AA
    6         | .              | RIVERSIDE PRACTICE         | .            | Health Centre, Park Road    | HU1 1AA
    7         | .              | WILLOW TREE NURSERY        | .            | 7 Elm Grove, Truro          | TR1 3CD
    8         | .              | GREENFIELD ACCOUNTANTS LLP | .            | 22 Castle Street, York      | YO1 7AA
"""


class World:
    """Sources added one after another, and what is matched to the newest version."""

    def __init__(self, engine: DuckDB, folder: Path) -> None:
        self.engine, self.folder, self.versions = engine, folder, 0
        self.tools = Tools(engine, NoTrainer())

    @property
    def version(self) -> Path | None:
        return self.folder / str(self.versions) if self.versions else None

    def add(self, source: str, picture: str, *, one_to_one: bool = False) -> dict[str, Any]:
        self.engine.load("delivered", Held(drawn(picture)))
        addition = Addition(source, "delivered", "2024-01-01T00:00:00Z", one_to_one=one_to_one)
        previous = self.version
        report = BUSINESS.add(self.tools, addition, previous=previous, folder=self.folder / str(self.versions + 1))
        self.versions += 1
        return report

    def members(self) -> dict[tuple[str, str], int]:
        assert self.version is not None
        BUSINESS.members(self.engine, folder=self.version, relation="members")
        rows = self.engine.rows("SELECT source, record_id, entity_id FROM members").to_pylist()
        return {(r["source"], r["record_id"]): r["entity_id"] for r in rows}

    def match(
        self, picture: str, *, one_to_one: bool = False, models: Path | None = None
    ) -> dict[str, tuple[str, str]]:
        """Per record the register's record it was linked to (`?` before a clerical candidate) and the method."""
        assert self.version is not None
        self.engine.load("asked", Held(drawn(picture)))
        matching = Matching("asked", "links", one_to_one=one_to_one, models=models)
        self.report = BUSINESS.match(self.tools, matching, folder=self.version)
        assert tuple(self.engine.columns("links")) == LINK_COLUMNS
        known = {entity: record for (_, record), entity in reversed(self.members().items())}
        found = {}
        for row in self.engine.rows("SELECT * FROM links").to_pylist():
            assert (row["band"] == "accept") == (row["entity_id"] is not None)
            assert (row["band"] == "clerical") == (row["candidate_id"] is not None)
            whom = known.get(row["entity_id"]) or (row["candidate_id"] and "?" + known[row["candidate_id"]]) or "-"
            found[row["record_id"]] = (whom, row["method"])
        return found


@pytest.fixture
def world(engine: DuckDB, tmp_path: Path) -> World:
    made = World(engine, tmp_path / "index")
    made.add("register", REGISTER)
    return made


def test_businesses_are_found_by_number_name_and_place(world: World) -> None:
    found = world.match("""
        record_id | company_number | organisation_name            | address                            | postcode
        number    | 01234567       | S & S                        | .                                  | .
        short     | .              | Smith and Sons Engrg Ltd.    | Unit 4 Mill Ln, Otley              | LS21 1AA
        style     | .              | BEAN THERE                   | 12 High St, Otley                  | LS21 1AB
        misspelt  | .              | WILOW TREE NURSRY            | 7 Elm Grove, Truro                 | TR1 3CD
        moved     | .              | GREENFIELD ACCOUNTANTS       | 5 Bridge Street, York              | YO1 9ZZ
        chain     | .              | ACME PLUMBING LTD            | 90 Quay St, Truro                  | TR1 2AB
        stranger  | .              | ZEBRA LOGISTICS LTD          | 1 Airport Way, Luton               | LU2 9LY
        nothing   | .              | .                            | .                                  | .
    """)
    assert found == {
        "number": ("1", "company number"),
        "short": ("1", "name and postcode"),
        "style": ("2", "name and postcode"),
        "misspelt": ("7", found["misspelt"][1]),
        "moved": ("8", "name, moved"),
        "chain": ("4", "name and postcode"),
        "stranger": ("-", None),
        "nothing": ("-", "nothing to match on"),
    }


def test_a_rename_is_shown_to_a_person_beside_whoever_else_is_there(world: World) -> None:
    found = world.match(
        """
        record_id | organisation_name     | address                            | postcode
        same      | PARK VIEW SURGERY     | Health Centre, Park Road | HU1 1AA
        renamed   | DR KHAN AND PARTNERS  | Health Centre, Park Road | HU1 1AA
        """,
        one_to_one=True,
    )
    assert found == {"same": ("5", "name and postcode"), "renamed": ("?6", "address, renamed")}


def test_a_common_name_alone_does_not_choose_between_branches(world: World) -> None:
    found = world.match("""
        record_id | organisation_name
        unclear   | ACME PLUMBING LTD
        clear     | WILLOW TREE NURSERY
    """)
    assert found["unclear"][0].startswith("?")
    assert found["clear"] == ("7", "name")


def test_what_one_delivery_numbers_alike_is_matched_as_one(world: World) -> None:
    found = world.match("""
        record_id | organisation_reference | organisation_name
        a         | 123/AB456              | GREENFIELD ACCOUNTANTS LLP
        b         | 123/AB456              | GF ACCTS
    """)
    assert found == {"a": ("8", "name"), "b": ("8", "name")}


def test_a_file_the_index_was_loaded_from_gets_its_own_entities_back(world: World) -> None:
    found = world.match(REGISTER)
    assert found == {str(i): (str(i), "the same record") for i in range(1, 9)}


def test_ids_are_opaque_stable_and_never_reused(world: World) -> None:
    before = world.members()
    assert len(set(before.values())) == 8
    assert all(0 < entity < 2**63 for entity in before.values())
    again = world.add(
        "register",
        REGISTER.replace(
            "ACME PLUMBING LIMITED            | .            | 3 Station", "ZENITH LIMITED | . | 3 Station"
        ),
    )
    assert (again["known"], again["created"]) == (8, 0)
    assert world.members() == before
    world.add("register", "record_id | organisation_name | postcode\n 9 | NEW FIRM LTD | SE1 1AA")
    after = world.members()
    assert {key: after[key] for key in before} == before
    assert after[("register", "9")] not in before.values()


def test_a_second_source_joins_the_entities_of_the_first(world: World) -> None:
    report = world.add(
        "tax",
        """
        record_id | company_number | organisation_name         | address              | postcode
        t1        | 01234567       | SMITH & SONS ENGRG LTD    | .                    | LS21 1AA
        t2        | .              | CORNER CAFE               | 12 High St, Otley    | LS21 1AB
        t3        | .              | ZEBRA LOGISTICS LTD       | 1 Airport Way, Luton | LU2 9LY
        t4        | .              | Zebra Logistics Limited   | 1 Airport Way, Luton | LU2 9LY
        """,
    )
    members = world.members()
    assert members[("tax", "t1")] == members[("register", "1")]
    assert members[("tax", "t2")] == members[("register", "2")]
    assert members[("tax", "t3")] == members[("tax", "t4")], "found to be the same at loading"
    assert (report["matched"], report["created"], report["merged"], report["entities"]) == (2, 1, 1, 9)


def test_records_of_a_register_stay_apart_where_it_says_so(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, tmp_path / "index")
    twice = "record_id | organisation_name | postcode\n 1 | TWIN LTD | AB1 2CD\n 2 | TWIN LTD | AB1 2CD"
    world.add("register", twice, one_to_one=True)
    assert len(set(world.members().values())) == 2
    found = world.match(twice, one_to_one=True)
    assert {record: whom for record, (whom, _) in found.items()} == {"1": "1", "2": "2"}


def test_a_newcomer_is_matched_although_what_is_known_is_compared_with_nothing(world: World) -> None:
    before = world.members()
    report = world.add(
        "register",
        REGISTER + "    9 | 00000009 | ZEBRA LOGISTICS LTD | . | 1 Airport Way, Luton | LU2 9LY\n"
        "    10 | . | GREENFIELD ACCOUNTANTS LLP | . | 22 Castle Street, York | YO1 7AA\n",
    )
    now = world.members()
    assert (report["known"], report["matched"], report["created"]) == (8, 1, 1)
    assert {key: now[key] for key in before} == before
    assert now["register", "10"] == before["register", "8"]
    assert now["register", "9"] not in before.values()


def test_weights_are_learned_once_per_dataset(world: World, tmp_path: Path) -> None:
    asked = "record_id | organisation_name | postcode\n a | WILLOW TREE NURSERY | TR1 3CD"
    first = world.match(asked, models=tmp_path / "models")
    assert world.report["trained_now"]
    assert world.match(asked, models=tmp_path / "models") == first
    assert not world.report["trained_now"]


def test_repeated_record_ids_are_refused(world: World) -> None:
    with pytest.raises(IndexRefusal, match="not unique"):
        world.add("register", "record_id | organisation_name\n 1 | A LTD\n 1 | B LTD")


def test_nothing_is_left_in_the_engine(world: World) -> None:
    world.match(REGISTER)
    tables = world.engine.rows("SELECT table_name FROM duckdb_tables()")["table_name"].to_pylist()
    assert set(tables) == {"links", "members"}


def test_files_are_sealed(world: World) -> None:
    assert world.version is not None
    for file in world.version.glob("*.parquet"):
        assert b"SMITH" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.long
@pytest.mark.parametrize("share", [100, 20])
def test_a_register_is_not_forced_onto_an_index_that_lacks_it(engine: DuckDB, tmp_path: Path, share: int) -> None:
    """Nobody says that no two practices are one, and of the index a share alone is there: real data as above."""
    place = real_data("business", "ods_gp_practice_snapshots_truth.parquet")
    columns = "record_id, name AS organisation_name, address, postcode"
    some = f"hash(org_code || 'x') % 100 < {share}"
    engine.create("earlier", f"SELECT {columns} FROM '{place}' WHERE snapshot = '2016' AND {some}")
    engine.create("later", f"SELECT {columns} FROM '{place}' WHERE snapshot = '2020-01'")
    tools = Tools(engine, NoTrainer())
    addition = Addition("practices", "earlier", "2024-01-01T00:00:00Z", one_to_one=True)
    BUSINESS.add(tools, addition, previous=None, folder=tmp_path / "1")
    BUSINESS.match(tools, Matching("later", "links"), folder=tmp_path / "1")
    BUSINESS.members(engine, folder=tmp_path / "1", relation="members")
    counts = engine.rows(
        "SELECT count(l.entity_id) AS links, count(*) FILTER (a.org_code = b.org_code) AS hits "
        f"FROM links AS l JOIN '{place}' AS b USING (record_id) JOIN members AS m ON m.entity_id = l.entity_id "
        f"JOIN '{place}' AS a ON a.record_id = m.record_id"
    ).to_pylist()[0]
    assert counts["hits"] / counts["links"] >= 0.9


@pytest.mark.long
@pytest.mark.parametrize(("later", "mark"), [("2020-01", 0.972), ("2022plus", 0.955)])
def test_practices_are_followed_through_renames_and_moves(
    engine: DuckDB, tmp_path: Path, later: str, mark: float
) -> None:
    """Real drift; the practice code is read for the evaluation alone. The mark is Splink's F1."""
    place = real_data("business", "ods_gp_practice_snapshots_truth.parquet")
    for table, snapshot in (("earlier", "2016"), ("later", later)):
        engine.create(
            table,
            "SELECT record_id, name AS organisation_name, address, postcode "
            f"FROM '{place}' WHERE snapshot = '{snapshot}'",
        )
    tools = Tools(engine, NoTrainer())
    addition = Addition("practices", "earlier", "2024-01-01T00:00:00Z", one_to_one=True)
    BUSINESS.add(tools, addition, previous=None, folder=tmp_path / "1")
    BUSINESS.match(tools, Matching("later", "links", one_to_one=True), folder=tmp_path / "1")
    BUSINESS.members(engine, folder=tmp_path / "1", relation="members")
    counts = engine.rows(
        f"SELECT count(l.entity_id) AS links, count(*) FILTER (a.org_code = b.org_code) AS hits, "
        f"(SELECT count(DISTINCT org_code) FROM '{place}' WHERE snapshot = '2016') AS present FROM links AS l "
        f"JOIN '{place}' AS b USING (record_id) LEFT JOIN members AS m ON m.entity_id = l.entity_id "
        f"LEFT JOIN '{place}' AS a ON a.record_id = m.record_id"
    ).to_pylist()[0]
    assert 2 * counts["hits"] / (counts["links"] + counts["present"]) >= mark


def test_spellings_of_employers_find_their_employer(engine: DuckDB, tmp_path: Path) -> None:
    """Real pay records with typing errors; the employer's id is read for the evaluation alone. Splink: .950."""
    place = real_data("persons", "pseudopeople", "taxes_w2_and_1099.parquet")
    engine.create(
        "spelled",
        "SELECT min(record_id) AS record_id, employer_name AS organisation_name, any_value(employer_id) AS truth "
        f"FROM '{place}' WHERE employer_name IS NOT NULL GROUP BY employer_name, employer_id",
    )
    engine.create(
        "register",
        f"SELECT employer_id AS record_id, mode(employer_name) AS organisation_name FROM '{place}' GROUP BY ALL",
    )
    tools = Tools(engine, NoTrainer())
    BUSINESS.add(tools, Addition("register", "register", "2024-01-01T00:00:00Z"), previous=None, folder=tmp_path / "1")
    BUSINESS.match(tools, Matching("spelled", "links"), folder=tmp_path / "1")
    BUSINESS.members(engine, folder=tmp_path / "1", relation="members")
    counts = engine.rows(
        "SELECT count(l.entity_id) AS links, count(*) AS present, count(*) FILTER (m.record_id = s.truth) AS hits "
        "FROM links AS l JOIN spelled AS s USING (record_id) LEFT JOIN members AS m ON m.entity_id = l.entity_id"
    ).to_pylist()[0]
    assert 2 * counts["hits"] / (counts["links"] + counts["present"]) >= 0.95
