"""Encoded identifiers: made at a supplier's from a file, and matched on the loading side without a name.

An encoded file is Parquet: record_id, the words of the filter, ones, signatures; its metadata say which format it
is, whether two of its records may be one entity, and a keyed print of the secret, so that another secret is refused
instead of matching nothing.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.control import indexes
from integrated_data.engine import Held
from integrated_data.index import encoding
from integrated_data.index.encoded import match_encoded
from integrated_data.index.matched import MatchedIndex
from integrated_data.index.records import records_of
from integrated_data.index.reference import demographic
from integrated_data.index.store import open_version
from integrated_data.journey import checking
from integrated_data.journey.linking import version_folder
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal, IndexRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import LINK_COLUMNS
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.site.kit import Kit
from integrated_data.site.loading import LoadingSite
from integrated_data.site.references import MatchOrder, standardised
from integrated_data.vocabulary import sql

FORMAT = b"keyed encoding 1"
#: Keys of the file's metadata.
ABOUT, SHARED, SECRET = b"ids.format", b"ids.one_to_one", b"ids.secret"
#: Identifiers that number a supplier's records and may leave with an encoding; the others identify somebody.
NUMBERING = (Meaning.RECORD_ID, Meaning.PERSON_REFERENCE)
MADE = "Make it with: ids encode FILE --secret SECRET --out ENC.parquet"
DELIVERED, LINKS = "encoded", "encoded_links"


@dataclass(frozen=True)
class EncodeOrder:
    """What `ids encode` was asked."""

    file: Path
    out: Path
    secret_file: Path
    id_column: str | None = None
    contract_file: Path | None = None


def read_secret(place: Path) -> bytes:
    """The shared secret from its file; refuses one that is missing or too short."""
    try:
        return encoding.check_secret(place.read_bytes())
    except OSError as error:
        raise UsageRefusal(
            "The file of the shared secret cannot be read", why=error.strerror or "", next_step="Name it with --secret"
        ) from None


def encode_file(kit: Kit, order: EncodeOrder) -> dict[str, Any]:
    """Encode a file's records for the Demographic Index; needs no installation, and writes no value in plain."""
    secret, definition = read_secret(order.secret_file), demographic.DEFINITION
    contract = standardised(kit, MatchOrder("demographic", order.file, order.out, None, order.contract_file))
    use = next((u for u in contract.indexes if u.index == "demographic"), IndexUse("demographic"))
    records = records_of(contract, use, relation=checking.STANDARDISED, record_id=_record_id(contract, order.id_column))
    engine = kit.engine
    engine.create("to_encode", records.sql)
    encoding.encode(engine, secret, definition=definition, records="to_encode", out=DELIVERED)
    table = engine.rows(
        f"SELECT c.record_id, {encoding.columns_of('f')}, f.ones, s.signatures FROM {DELIVERED}_clean c "
        f"LEFT JOIN {DELIVERED}_filters f USING (record) LEFT JOIN (SELECT record, list(signature ORDER BY signature) "
        f"AS signatures FROM {DELIVERED}_signatures GROUP BY record) s USING (record) ORDER BY c.record"
    )
    about = {ABOUT: FORMAT, SHARED: str(use.one_to_one).encode(), SECRET: _print(secret)}
    _write(table.replace_schema_metadata(about), order.out)
    return {
        "records": table.num_rows, "encoded": table.num_rows - table["ones"].null_count,
        "read": sorted(m for m in records.columns), "written": str(order.out),
    }  # fmt: skip


def _record_id(contract: Contract, wanted: str | None) -> str:
    """SQL of what numbers the records: the column named, unless it identifies somebody by itself, else the row."""
    if wanted is None:
        return "(row_number() OVER () - 1)::VARCHAR"
    found = next((c for c in contract.columns if wanted in (c.source, c.name)), None)
    if found is None:
        raise ContractRefusal("The file has no column of the name given by --id", next_step="Name a column of the file")
    if found.handling is Handling.IDENTIFIER and found.meaning not in NUMBERING:
        raise ContractRefusal(
            "The column named by --id identifies people by itself",
            why="The record ids of an encoded file are not encoded",
            next_step="Number the records with a column of your own, or leave --id out: then rows are numbered",
        )
    return f"{sql.name(found.name)}::VARCHAR"


def match_encoded_file(site: LoadingSite, order: MatchOrder, *, secret_file: Path) -> dict[str, Any]:
    """Match an encoded file to an index of people and write one link per record; changes no index."""
    secret, seat = read_secret(secret_file), site.seats.of(order.index)
    if not isinstance(seat, MatchedIndex) or seat.matching is not demographic.DEFINITION:
        raise IndexRefusal(
            f"Encoded records cannot be matched to the {order.index} index",
            why="Encodings hold the identifiers of people",
            next_step="Match them to the demographic index",
        )
    table = _read(order.file, secret)
    with site.store.read() as connection:
        version = indexes.get(connection, order.index, version=order.version)
    place = version_folder(site.places.indexes, order.index, version=version.version)
    engine, one_to_one = site.engine, table.schema.metadata[SHARED] == b"True"
    numbered = table.append_column("record", pa.array(range(table.num_rows), pa.int64()))
    try:
        engine.load(DELIVERED, Held(numbered))
        engine.create(f"{DELIVERED}_ids", f"SELECT record, record_id FROM {DELIVERED}")
        columns = f"record, {', '.join(encoding.COLUMNS)}, ones"
        engine.create(f"{DELIVERED}_filters", f"SELECT {columns} FROM {DELIVERED} WHERE ones > 0")
        signed = f"SELECT record, unnest(signatures) AS signature FROM {DELIVERED}"
        engine.create(f"{DELIVERED}_signatures", signed)
        report = match_encoded(
            engine, secret, version=open_version(seat.matching, place), records=DELIVERED, out=LINKS,
            one_to_one=one_to_one,
        )  # fmt: skip
        rows = engine.save(f"SELECT {', '.join(LINK_COLUMNS)} FROM {LINKS}", order.out, sealed=False)
    finally:
        engine.drop(LINKS, DELIVERED, *(f"{DELIVERED}_{t}" for t in ("ids", "filters", "signatures")))
    facts = {"index_version": version.version, "records": rows, "accepted": report.accepted, "encoded": True}
    site.store.record(Event("file.matched", site.actor, f"index/{order.index}", facts))
    return facts | {
        "clerical": report.clerical, "one_to_one": one_to_one, "links": str(order.out),
        "seconds": report.seconds, "note": "a file of the identified zone: keep it there",
    }  # fmt: skip


def _print(secret: bytes) -> bytes:
    return hmac.digest(secret, b"print of the shared secret", hashlib.sha256)[:8].hex().encode()


def _read(place: Path, secret: bytes) -> pa.Table:
    try:
        table = pq.read_table(place)
    except (pa.ArrowException, OSError):
        raise DeliveryRefusal(
            "The encoded file cannot be read",
            next_step=MADE,
        ) from None
    about = table.schema.metadata or {}
    if about.get(ABOUT) != FORMAT:
        raise DeliveryRefusal(
            "The file holds no encoded records",
            next_step=MADE,
        )
    if not hmac.compare_digest(about.get(SECRET, b""), _print(secret)):
        raise DeliveryRefusal(
            "The file was encoded under another secret",
            why="Nothing in it could be found with this one",
            next_step="Name the secret that the supplier used",
        )
    return table


def _write(table: pa.Table, place: Path) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        pq.write_table(table, file, compression="zstd")
