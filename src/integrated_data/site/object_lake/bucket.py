"""A store that speaks S3, as the lake uses one: objects are sent, fetched, and destroyed in every version.

By boto3, because Arrow's client, which reads feeds, neither lists nor deletes versions and unfinished uploads: what
it deletes in a bucket that keeps versions is still there.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from integrated_data.acquire.feeds.store import ANSWER, CONNECT
from integrated_data.model.errors import InstallationRefusal, StoreRefusal, is_disk_full

#: Files are sent in parts of so many bytes, two at once.
PART = 32 << 20
#: Objects that one request deletes, at most: the protocol's own limit.
AT_ONCE = 1000
#: The object that tells whose a prefix is.
MARKER = "installation"
#: The object that a store is tried out with.
TRIAL = "trial"
_DENIED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403")
_ABSENT = ("NoSuchKey", "404")


@dataclass(frozen=True)
class Kept:
    """Where an installation keeps its tables, and the token by which the store knows it. It holds no secret."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    token: str

    @property
    def address(self) -> str:
        """As a URL."""
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True)
class _Version:
    """A version of an object, or the mark that it was deleted."""

    key: str
    id: str
    stands: bool


class Bucket:
    """The objects below an installation's prefix (an `ObjectStore`)."""

    def __init__(self, kept: Kept, secret: Mapping[str, str], *, part: int = PART) -> None:
        self.kept, self._prefix = kept, f"{kept.prefix}/"
        self._transfer = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=2)
        self._secret = dict(secret)
        with _asking("reached"):
            self._client = boto3.session.Session().client(
                "s3", region_name=kept.region, endpoint_url=kept.endpoint or None,
                aws_access_key_id=secret["access_key"], aws_secret_access_key=secret["secret_key"],
                aws_session_token=secret.get("session_token"),
                config=Config(
                    ignore_configured_endpoint_urls=True,  # what is set around this process is not the installation's
                    connect_timeout=CONNECT, read_timeout=ANSWER, retries={"mode": "standard", "max_attempts": 3},
                    s3={"addressing_style": "path" if kept.endpoint else "auto"},
                ),
            )  # fmt: skip

    @property
    def root(self) -> str:
        """The URL that keys are below."""
        return self.kept.address

    @property
    def properties(self) -> Mapping[str, str]:
        """What pyiceberg must know, the keys among it: they stay in this process."""
        named = {
            "s3.region": self.kept.region, "s3.endpoint": self.kept.endpoint,
            "s3.access-key-id": self._secret["access_key"], "s3.secret-access-key": self._secret["secret_key"],
            "s3.session-token": self._secret.get("session_token", ""),
            "s3.connect-timeout": str(CONNECT), "s3.request-timeout": str(ANSWER),
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        }  # fmt: skip
        return {name: value for name, value in named.items() if value}

    def owner(self, prefix: str | None = None) -> str | None:
        """The token of whose a prefix is, this one unless another is given; None of nobody's."""
        key = f"{prefix}/{MARKER}" if prefix else self._prefix + MARKER
        with _asking("read"):
            try:
                return str(self._client.get_object(Bucket=self.kept.bucket, Key=key)["Body"].read(1000).decode())
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def try_out(self) -> None:
        """See that what is written there, and begun to be written, can be destroyed; refuses a store that keeps it."""
        where = {"Bucket": self.kept.bucket, "Key": self._prefix + TRIAL}
        with _asking("written"):
            for body in (b"first", b"second"):
                self._client.put_object(**where, Body=body)
            self._client.create_multipart_upload(**where)
        self.clear(TRIAL)

    def is_empty(self) -> bool:
        """Whether nothing is there but what a trial that was cut short left."""
        return not set(self.held("")) - {TRIAL}

    def own(self) -> None:
        """Write down whose the prefix is."""
        with _asking("written"):
            body = self.kept.token.encode()
            self._client.put_object(Bucket=self.kept.bucket, Key=self._prefix + MARKER, Body=body)
        self.clear(MARKER, besides=(MARKER,))

    def check_own(self) -> None:
        """Refuse a prefix that another installation took, or that nobody has."""
        if self.owner() != self.kept.token:
            raise InstallationRefusal(
                f"The lake at {self.root} is not this installation's",
                why="The object there that tells whose it is, is missing or another's: somebody took it over, or a "
                "move was cut short",
                next_step=f"Move the lake again: ids lake store {self.root}; by --take-over, where it is yours alone",
            )

    def put(self, key: str, place: Path) -> None:
        """Send a file, whole or not at all; its older versions are destroyed."""
        with _asking("written"):
            self._client.upload_file(str(place), self.kept.bucket, self._prefix + key, Config=self._transfer)
        if key not in self.clear(key, besides=(key,)):
            raise StoreRefusal(
                "The object store does not hold what was sent to it", next_step="Find out who else writes there"
            )

    def fetch(self, key: str, place: Path) -> None:
        """Write an object to a file."""
        with _asking("read to the end"):
            self._client.download_file(self.kept.bucket, self._prefix + key, str(place), Config=self._transfer)

    def clear(self, under: str, *, besides: Collection[str] = ()) -> frozenset[str]:
        """Destroy all that is below a prefix but the newest version of some keys; returns those that are there.

        It is listed again at the end: a store that does not let go (a lock, a policy) is an error, not silence.
        """
        for looked in (1, 2):
            kept, doomed = set(), []
            for version in self._versions(under):
                key = version.key.removeprefix(self._prefix)
                if version.stands and key in besides:
                    kept.add(key)
                else:
                    doomed.append(version)
            uploads = self._uploads(under)
            if not doomed and not uploads:
                return frozenset(kept)
            if looked == 1:
                self._destroy(doomed)
                self._abort(uploads)
        raise StoreRefusal(
            f"{len(doomed) + len(uploads)} objects of the lake cannot be destroyed in the object store",
            why="They are still listed after they were deleted: by version, or as an unfinished upload",
            next_step="Take object locks and holds off the bucket, and allow DeleteObjectVersion; then do it again",
        )

    def empty(self) -> None:
        """Destroy all that is there; whose it is goes last, so that who is cut short may go on."""
        self.clear("", besides=(MARKER,))
        self.clear("")

    def give_up(self, under: str, *, naming: str) -> None:
        """Destroy unfinished uploads below a prefix of keys that hold a text."""
        self._abort([upload for upload in self._uploads(under) if naming in upload[0].removeprefix(self._prefix)])

    def held(self, under: str) -> tuple[str, ...]:
        """Keys below a prefix of which there is anything."""
        found = {version.key for version in self._versions(under)} | {key for key, _ in self._uploads(under)}
        return tuple(sorted(key.removeprefix(self._prefix) for key in found))

    def _pages(self, operation: str, under: str) -> Iterator[Mapping[str, Any]]:
        with _asking("listed"):
            pages = self._client.get_paginator(operation)
            yield from pages.paginate(Bucket=self.kept.bucket, Prefix=self._prefix + under)

    def _versions(self, under: str) -> Iterator[_Version]:
        for page in self._pages("list_object_versions", under):
            for one in page.get("Versions", ()):
                yield _Version(one["Key"], one["VersionId"], bool(one["IsLatest"]))
            for one in page.get("DeleteMarkers", ()):
                yield _Version(one["Key"], one["VersionId"], stands=False)

    def _uploads(self, under: str) -> list[tuple[str, str]]:
        pages = self._pages("list_multipart_uploads", under)
        return [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", ())]

    def _destroy(self, versions: list[_Version]) -> None:
        for first in range(0, len(versions), AT_ONCE):
            listed = [{"Key": v.key, "VersionId": v.id} for v in versions[first : first + AT_ONCE]]
            with _asking("cleared"):
                told = self._client.delete_objects(
                    Bucket=self.kept.bucket, Delete={"Objects": listed, "Quiet": True}
                ).get("Errors", ())
            if told:
                raise _refused("cleared", code=str(told[0].get("Code", "")))

    def _abort(self, uploads: list[tuple[str, str]]) -> None:
        for key, upload in uploads:
            with _asking("cleared"):
                try:
                    self._client.abort_multipart_upload(Bucket=self.kept.bucket, Key=key, UploadId=upload)
                except ClientError as error:
                    if _code(error) != "NoSuchUpload":  # it came to its end meanwhile
                        raise


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Errors of the store inside become one sentence that holds nothing of theirs but the protocol's word for them."""
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error, OSError) as error:
        if is_disk_full(error):
            raise
        cause = error.__context__ if isinstance(error, Boto3Error) else error
        code = _code(cause) if isinstance(cause, ClientError) else type(cause or error).__name__
        raise _refused(what, code=code) from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(what: str, *, code: str) -> StoreRefusal:
    told = re.sub(r"[^A-Za-z0-9]", "", code)[:60] or "an error without a name"
    if code in _DENIED:
        return StoreRefusal(
            f"The object store of the lake did not let itself be {what}", why=f"It refuses these keys: {told}",
            next_step="Put keys into keyring/lake.yaml that may list versions and uploads, read, write and delete",
        )  # fmt: skip
    return StoreRefusal(
        f"The object store of the lake did not let itself be {what}", why=f"It failed with {told}",
        next_step="Check that it answers, and its address and bucket; then do the same again",
    )  # fmt: skip
