"""Historical figures with errors: one list in which every person stands about ten times, deduplicated.

Ours: the list is loaded as the only source of an index, trained without truth; its comparisons of names,
birth and place are those of the Demographic Index, with birthplace and occupation beside them. Beside it
Splink 5 with the settings of its tutorial on this data set (comparisons, blocking rules and training as
published), clustered at .95 and at .5. `cluster` is read at the end alone. Cluster F1 is pairwise.
"""

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.real_data import FOLDER

from bench import linking, report
from integrated_data.engines.duckdb import Limits
from integrated_data.index import build
from integrated_data.index.matching.definition import Comparison, Field, Key, Level, MatchDefinition
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.site.splink_training import SplinkTrainer
from integrated_data.vocabulary import dwellings

DATA = FOLDER / "persons" / "historical_50k.parquet"
F1 = 0.88
AT = "2026-01-01T00:00:00"

#: A date of which one part is written wrongly still has the others.
_PARTS = ", ".join(
    f"CASE WHEN try_cast(split_part(dob, '-', {i}) AS INTEGER) BETWEEN 1 AND {most} "
    f"THEN try_cast(split_part(dob, '-', {i}) AS INTEGER) END AS birth_{part}"
    for i, (part, most) in enumerate((("year", 9999), ("month", 12), ("day", 31)), start=1)
)

#: What stands in the full name between the first name and the surname.
_MIDDLE = (
    "CASE WHEN starts_with(full_name, first_name || ' ') AND ends_with(full_name, ' ' || surname) THEN nullif(trim("
    "substring(full_name, length(first_name) + 1, length(full_name) - length(first_name) - length(surname))), '') END"
)

_WORDS = "nullif(upper(trim(strip_accents({}))), '')"


def _told(name: str, title: str) -> Comparison:
    levels = (
        Level("same", f"l.{name} = r.{name}", 0.8, 0.01, name),
        Level("similar", f"jaro_winkler_similarity(l.{name}, r.{name}) >= 0.88", 0.05, 0.005),
        Level("other", "TRUE", 0.15, 0.985),
    )
    return Comparison(name, title, f"l.{name} IS NULL OR r.{name} IS NULL", levels, (name,))


#: The Demographic Index for people without an address, who have a birthplace and an occupation.
HISTORICAL: MatchDefinition = replace(
    DEFINITION,
    fields=(
        *DEFINITION.fields,
        Field("birth_place", _WORDS.format("in_birth_place"), ("birth_place",), frequency=True),
        Field("occupation", _WORDS.format("in_occupation"), ("occupation",), frequency=True),
    ),
    keys=(
        *(replace(key, size=100) for key in DEFINITION.keys),
        Key("date of birth", ("born",), size=100),
        Key("family name and birthplace", ("family", "birth_place"), size=100),
        Key("names and year of birth", ("root", "family", "birth_year"), size=100),
        Key("year of birth, birthplace and initial", ("birth_year", "birth_place", "left(given, 1)"), size=100),
        Key("family name's sound, postcode district", ("family_sound", dwellings.district_sql("code")), size=100),
        Key("family name and occupation", ("family", "occupation"), size=100),
    ),
    comparisons=(*DEFINITION.comparisons, _told("birth_place", "Birthplace"), _told("occupation", "Occupation")),
    training=(("born",), ("given", "family"), ("code",)),
    rivals=None,
)


def run() -> bool:
    """Print the table; true when the mark is met, or when the data is not here."""
    if not DATA.exists():
        print(f"skipped: {DATA.name} is absent; set IDS_TEST_DATA to the folder of real open data")
        return True
    truth = dict(duckdb.execute(f"SELECT unique_id, cluster FROM '{DATA}'").fetchall())
    ours = linking.repeated(_ours)
    theirs = linking.repeated(_splink)
    rows = [_row("ours", ours, ours.result, truth)]
    rows += [_row(f"Splink 5, tutorial settings, at {at}", theirs, groups, truth) for at, groups in theirs.result]
    report.table("historical_50k: one list deduplicated, training included", rows)
    return report.marks(
        {
            f"cluster F1 ≥ {F1}": rows[0]["F1"] >= F1,
            "better than Splink": rows[0]["F1"] > max(r["F1"] for r in rows[1:]),
        }
    )


def _pairs(groups: Iterable[Any]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(groups).values())


def _row(what: str, done: linking.Timed, groups: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any]:
    found, true = _pairs(groups.values()), _pairs(truth.values())
    both = _pairs((groups[record], cluster) for record, cluster in truth.items())
    p, r = both / max(found, 1), both / true
    return {
        "method": what, "precision": p, "recall": r, "F1": 2 * p * r / max(p + r, 1e-9), "seconds": done.seconds,
        "cpu": min(done.cpu), "MiB": done.memory,
    }  # fmt: skip


def _ours() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        engine = linking.engine(Path(folder))
        engine.create(
            "figures",
            "SELECT unique_id AS record_id, first_name AS given_name, surname AS family_name, gender AS sex, "
            f"{_MIDDLE} AS middle_name, {_PARTS}, postcode_fake AS postcode, birth_place, occupation FROM '{DATA}'",
        )
        version, _ = build.add_source(
            engine, SplinkTrainer(Limits(linking.THREADS)), definition=HISTORICAL, previous=None,
            source=build.Source("figures", "figures", AT), folder=Path(folder) / "v1",
        )  # fmt: skip
        version.load(engine, "index")
        rows = engine.rows("SELECT record_id, entity FROM index_records")
        engine.close()
    return dict(zip(rows.column("record_id").to_pylist(), rows.column("entity").to_pylist(), strict=True))


def _splink() -> list[tuple[float, dict[str, Any]]]:
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    connection = duckdb.connect(config={"threads": linking.THREADS})
    connection.execute(f"CREATE TABLE figures AS SELECT * EXCLUDE (cluster) FROM '{DATA}'").fetchall()
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("figures"), _tutorial(), log_level=None)
    linker.training.estimate_probability_two_random_records_match(
        ["l.first_name = r.first_name AND l.surname = r.surname AND l.dob = r.dob",
         "substr(l.first_name, 1, 2) = substr(r.first_name, 1, 2) AND l.surname = r.surname AND "
         "substr(l.postcode_fake, 1, 2) = substr(r.postcode_fake, 1, 2)",
         "l.dob = r.dob AND l.postcode_fake = r.postcode_fake"],
        recall=0.6,
    )  # fmt: skip
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6)
    for block in (("first_name", "surname"), ("dob",)):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*block))
    predicted = linker.inference.predict(threshold_match_probability=0.1)
    found = []
    for at in (0.95, 0.5):
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predicted, threshold_match_probability=at
        )
        rows = connection.execute(f"SELECT unique_id, cluster_id FROM {clusters.physical_name}").fetchall()
        found.append((at, dict(rows)))
    return found


def _tutorial() -> SettingsCreator:
    """Splink's own settings for this data (tutorial "Deduplicate 50k rows of historical persons")."""
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="first_and_surname"),
            cl.DateOfBirthComparison(
                "dob", input_is_string=True, datetime_metrics=["month", "year", "year"], datetime_thresholds=[1, 1, 10]
            ),
            cl.PostcodeComparison("postcode_fake"),
            cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("substr(first_name, 1, 3)", "substr(surname, 1, 4)"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"),
            block_on("postcode_fake", "surname"),
            block_on("dob", "birth_place"),
            block_on("substr(postcode_fake, 1, 3)", "dob"),
            block_on("substr(postcode_fake, 1, 3)", "first_name"),
            block_on("substr(postcode_fake, 1, 3)", "surname"),
            block_on("substr(first_name, 1, 2)", "substr(surname, 1, 2)", "substr(dob, 1, 4)"),
        ],
        retain_matching_columns=False,
    )


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
