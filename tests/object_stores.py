"""A real object store on loopback for lakes: a bucket that keeps versions, and everything that is in it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import duckdb
import pyarrow as pa
import yaml
from pyiceberg.table import StaticTable

from integrated_data.lake import Lake
from integrated_data.site.moving_lake import Wish
from integrated_data.site.object_lake.bucket import Bucket, Kept
from integrated_data.site.places import Places
from tests.stores import free_port, running

BUCKET, REGION = "lake", "eu-west-2"
SECRET = {"access_key": "AKIDTESTKEY", "secret_key": "correct horse battery staple"}


@dataclass(frozen=True)
class Stores:
    """The server, and its bucket as its owner sees it."""

    port: int
    client: Any

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, prefix: str = "ids", *, token: str = "ours", port: int = 0, part: int = 8 << 20) -> Bucket:
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return Bucket(Kept(BUCKET, prefix, endpoint, REGION, token), SECRET, part=part)

    def lake(self, folder: Path, prefix: str = "ids", **how: Any) -> Lake:
        """A lake that is kept below a prefix, which is its own."""
        bucket = self.bucket(prefix, **how)
        bucket.own()
        return Lake(folder, bucket)

    def wish(self, prefix: str, *, take_over: bool = False) -> Wish:
        return Wish(f"s3://{BUCKET}/{prefix}", self.endpoint, REGION, take_over)

    def all(self, prefix: str = "ids") -> dict[str, list[bytes]]:
        """Every version of every object below a prefix by its key."""
        found: dict[str, list[bytes]] = {}
        for told in self.client.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for one in told.get("Versions", ()):
                body = self.client.get_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
                found.setdefault(one["Key"].removeprefix(f"{prefix}/"), []).append(body)
            for one in told.get("DeleteMarkers", ()):
                found.setdefault(one["Key"].removeprefix(f"{prefix}/"), [])
        return found

    def files(self, prefix: str = "ids") -> dict[str, int]:
        """How many versions there are of every data file."""
        return {k.removeprefix("files/"): len(v) for k, v in self.all(prefix).items() if k.startswith("files/")}

    def unfinished(self) -> list[str]:
        return [u["Key"] for u in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]

    @property
    def known(self) -> dict[str, str]:
        """What another engine is told to read from the store."""
        return {
            "s3.endpoint": self.endpoint, "s3.region": REGION, "s3.access-key-id": "x", "s3.secret-access-key": "y",
        }  # fmt: skip

    def read(self, metadata: str, snapshot: int) -> pa.Table:
        """A table as another engine reads it, from the store alone."""
        return StaticTable.from_metadata(metadata, properties=self.known).scan(snapshot_id=snapshot).to_arrow()

    def duckdb(self, metadata: str, snapshot: int) -> list[Any]:
        """Column `a` of a table as DuckDB's own extensions read it, from the store alone."""
        other, root = duckdb.connect(), Path(duckdb.__file__).parents[1]
        for named in ("httpfs", "avro", "iceberg"):
            place = next((root / f"duckdb_extension_{named}").rglob("*.duckdb_extension"))
            other.execute(f"LOAD '{place}'")
        other.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y', REGION '{REGION}', ENDPOINT '127.0.0.1:{self.port}', "
            "USE_SSL false, URL_STYLE 'path')"
        )
        scan = f"iceberg_scan('{metadata}', snapshot_from_id = {snapshot})"
        found = [a for (a,) in other.execute(f"SELECT a FROM {scan} ORDER BY a").fetchall()]
        other.close()
        return found

    def ask_keys(self, *, asked: bool) -> None:
        """Let the server ask for keys that it knows, which none are; or let it believe everybody."""
        data = b"0" if asked else b"inf"
        url, plain = f"{self.endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urlopen(Request(url, data=data, headers=plain, method="POST")).close()


@contextmanager
def stores() -> Iterator[Stores]:
    """A server with a bucket that keeps every version."""
    port = free_port()
    with running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port, port=port):
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION,
                              aws_access_key_id="x", aws_secret_access_key="y")  # fmt: skip
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Stores(port, client)


def keep_keys(places: Places) -> None:
    """Put the keys to the store where an installation finds them."""
    places.lake_secret.write_text(yaml.safe_dump(SECRET))
    places.lake_secret.chmod(0o600)
