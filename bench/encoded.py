"""What matching without names costs: a census's keyed encodings against its names, to one index.

The fictional country: a census delivery of 100,000 people against an index of the health register, once by the
identifiers themselves and once by what `ids encode` makes of them under a shared secret.
"""

import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import linking, report
from integrated_data.index.registry import SEATS
from integrated_data.journey.linking import version_folder
from integrated_data.site.encoding import EncodeOrder, encode_file, match_encoded_file
from integrated_data.site.installation import create
from integrated_data.site.kit import open_kit
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import MatchOrder, SourceOrder, load_reference, match_file
from integrated_data.site.settings import Settings
from integrated_data.specimen import write

PEOPLE, RUNS, MARK = 100_000, 5, 0.99


def run() -> bool:
    """Print the table; true when encodings lose at most a hundredth of F1."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = write(folder / "country", people=PEOPLE, seed=11, departments=["health_register", "census"])
        register, census = made.of("health_register")[0], made.of("census")[0]
        (folder / "secret.key").write_bytes(secrets.token_bytes(32))
        places = create(folder / "home", actor="system:bench")
        with open_loading(places, _settings()) as site:
            load_reference(site, SourceOrder("demographic", (register.path,), "health", register.record_id))
        truth = (str(register.truth), str(census.truth))
        delivered = (folder, str(census.path), census.record_id)
        done = {
            "names": linking.repeated(_by_name, *delivered, runs=RUNS),
            "encode": linking.repeated(_encode, *delivered, runs=RUNS),
            "encodings": linking.repeated(_by_encoding, folder, runs=RUNS),
        }
        rows = [_row(what, done[what], folder, truth) for what in ("names", "encodings")]
        seconds = {"what": f"encoding {PEOPLE:,} people", "seconds": done["encode"].seconds}
    report.table(f"A census of {PEOPLE:,} to the index of a health register", [*rows, seconds])
    clear, hidden = (row["F1"] for row in rows)
    print(f"F1 lost by hiding the names: {clear - hidden:.4f}")
    return report.marks({f"F1 of encodings at least {MARK} of that of names": hidden >= MARK * clear})


def _settings() -> Settings:
    return Settings(home=None, threads=linking.THREADS, memory="4GB", production=False, actor="system:bench")


def _by_name(folder: Path, census: str, record_id: str) -> None:
    with open_loading(Places(folder / "home"), _settings()) as site:
        match_file(site, MatchOrder("demographic", Path(census), folder / "names.parquet", record_id))


def _encode(folder: Path, census: str, record_id: str) -> None:
    with open_kit(_settings()) as kit:
        place = folder / "encoded.parquet"
        encode_file(kit, EncodeOrder(Path(census), place, folder / "secret.key", record_id))


def _by_encoding(folder: Path) -> None:
    order = MatchOrder("demographic", folder / "encoded.parquet", folder / "encodings.parquet")
    with open_loading(Places(folder / "home"), _settings()) as site:
        match_encoded_file(site, order, secret_file=folder / "secret.key")


def _row(what: str, done: linking.Timed, folder: Path, truth: tuple[str, str]) -> dict[str, Any]:
    places = Places(folder / "home")
    with open_loading(places, _settings()) as site:
        version = version_folder(places.indexes, "demographic", version=1)
        SEATS.of("demographic").members(site.engine, folder=version, relation="members")
        site.engine.create(
            "truly",
            f"SELECT DISTINCT m.entity_id, t.person_id FROM members m JOIN '{truth[0]}' t ON t.record_id = m.record_id",
        )
        found = site.engine.rows(
            "SELECT count(l.entity_id) AS linked, count(*) FILTER ((l.entity_id, t.person_id) IN (FROM truly)) "
            "AS good, "
            "count(*) FILTER (t.person_id IN (SELECT person_id FROM truly)) AS there "
            f"FROM '{folder / what}.parquet' l JOIN '{truth[1]}' t USING (record_id)"
        ).to_pylist()[0]
    p, r = found["good"] / max(found["linked"], 1), found["good"] / max(found["there"], 1)
    return {
        "what": what, "precision": p, "recall": r, "F1": 2 * p * r / (p + r), "seconds": done.seconds,
        "MiB": done.memory,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
