"""The folders of one installation, its control store and its signing key.

keyring/      vault.key, projects/*.salt                 identity keys: apart from the data; back it up apart
              rights/                                    who objected or was erased, by ids and hashes
              feeds/                                     secrets of the stores that feeds fetch from, a file each
              lake.yaml                                  keys to the object store of the lake, where it has one
service-keys/ signing.key, sign-in.key, audit-head.json  no identity key: the analyst's side may hold them
sign-in.yaml                                             the identity provider, where there is one
control.sqlite                                           the service's own memory
identified/   landed/ deliveries/ indexes/               sealed; loading side only
definitions/                                             own indexes, a file each
federation/                                              other installations, a file each: address and public key
law.yaml                                                 legal gateways, where not those shipped
lake/         catalogue.sqlite files/                    published tables, no identifier
projects/     <project>/<dataset>-<release>/ scratch/    what was provisioned; tables of the project's own
concepts/     registry.yaml <dataset>.json               harmonised concepts, where not those shipped; what maps to them
joinable/     <dataset>.json                             what else it joins with, and about how much of it
twins/        <dataset>.json .parquet                    synthetic twins of published tables: no row of anybody
outputs/      requests/ released/
ledger/       who is behind every released cell, by number, sealed under a key of the service's own
proofs/                                                  signed proofs: people's rights, data whose time was over
scratch/                                                 spill (encrypted) and work in progress
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrated_data.control import schema
from integrated_data.control.store import Store, sqlite
from integrated_data.model.errors import InstallationRefusal

#: The mark of an installation that is being restored.
RESTORING = ".restoring"


@dataclass(frozen=True)
class Places:
    """Where things are in an installation."""

    home: Path

    @property
    def keyring(self) -> Path:
        """Identity keys: vault key, project salts. The loading side's alone."""
        return self.home / "keyring"

    @property
    def rights(self) -> Path:
        """Who objected or was erased, by ids and hashes: kept with the keys, so that no restored copy forgets it."""
        return self.keyring / "rights"

    @property
    def feed_secrets(self) -> Path:
        """Secrets of the stores that feeds fetch from: a file each, the loading side's alone."""
        return self.keyring / "feeds"

    @property
    def service_keys(self) -> Path:
        """Keys that both sides may hold: none of them opens identified data."""
        return self.home / "service-keys"

    @property
    def provider(self) -> Path:
        """The file that names the identity provider; absent where there is none."""
        return self.home / "sign-in.yaml"

    @property
    def control(self) -> Path:
        """The control store's file."""
        return self.home / "control.sqlite"

    @property
    def identified(self) -> Path:
        """The identified zone."""
        return self.home / "identified"

    @property
    def landed(self) -> Path:
        """Deliveries as they came, sealed."""
        return self.identified / "landed"

    @property
    def deliveries(self) -> Path:
        """Checked rows, quarantine and links, by delivery, sealed."""
        return self.identified / "deliveries"

    @property
    def indexes(self) -> Path:
        """Index versions, sealed."""
        return self.identified / "indexes"

    @property
    def requests(self) -> Path:
        """What people asked about data on them, sealed, until it is done."""
        return self.identified / "rights"

    @property
    def proofs(self) -> Path:
        """Signed proofs of requests that were done; no personal data."""
        return self.home / "proofs"

    @property
    def definitions(self) -> Path:
        """The installation's own indexes: a file each; no personal data."""
        return self.home / "definitions"

    @property
    def federation(self) -> Path:
        """The other installations that are asked and answered: a file each; no secret."""
        return self.home / "federation"

    @property
    def law(self) -> Path:
        """The law that the installation works under, where it is not the one shipped."""
        return self.home / "law.yaml"

    @property
    def lake(self) -> Path:
        """Published tables."""
        return self.home / "lake"

    @property
    def lake_store(self) -> Path:
        """The object store that the lake is kept in; absent where it is kept here alone."""
        return self.lake / "store.json"

    @property
    def lake_store_before(self) -> Path:
        """The object store that the lake of a restored installation was kept in, while nobody decided about it."""
        return self.lake / "store-before.json"

    @property
    def lake_secret(self) -> Path:
        """The keys to that store."""
        return self.keyring / "lake.yaml"

    @property
    def projects(self) -> Path:
        """What was provisioned, by project."""
        return self.home / "projects"

    @property
    def concepts(self) -> Path:
        """The installation's own registry of concepts, and what variables map to them."""
        return self.home / "concepts"

    @property
    def joinable(self) -> Path:
        """What each dataset is joinable with, as it may be told."""
        return self.home / "joinable"

    @property
    def alerts(self) -> Path:
        """What each channel of alerts was told."""
        return self.home / "alerts"

    @property
    def twins(self) -> Path:
        """Synthetic twins of published tables, and the counts that they were made from."""
        return self.home / "twins"

    @property
    def outputs(self) -> Path:
        """Requests and releases of outputs."""
        return self.home / "outputs"

    @property
    def ledger(self) -> Path:
        """Who is behind what has left, by number, sealed."""
        return self.home / "ledger"

    @property
    def scratch(self) -> Path:
        """Work in progress and encrypted spill."""
        return self.home / "scratch"

    def check(self, *, restoring: bool = False) -> None:
        """Refuse a folder that is not an installation, or one that is still being restored (but to the restore)."""
        if (self.home / RESTORING).exists() and not restoring:
            raise InstallationRefusal(
                "This installation is being restored",
                why="A restore runs, or was cut short: whoever was erased may be in it again",
                next_step="Wait for it, or restore again: ids restore FROM --keys DIR",
            )
        if not self.control.exists():
            raise InstallationRefusal(
                "This folder is not an installation of the service",
                why="It holds no control store",
                next_step="Make one with: ids init DIR",
            )


def open_store(places: Places) -> Store:
    """The control store, brought to the newest schema."""
    engine = control_engine(places)
    if not schema.is_newest(engine):
        from integrated_data.control.migrate import upgrade

        upgrade(engine)
    return Store(engine)


def control_engine(places: Places) -> sa.Engine:
    """The database engine of the control store."""
    return sqlite(places.control)


def signing_key(places: Places) -> Ed25519PrivateKey:
    """The service's signing key (audit heads, records of releases); not an identity key."""
    key = load_pem_private_key(service_file(places, "signing.key").read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise InstallationRefusal("The signing key is not an Ed25519 key", next_step="Restore it from its backup")
    return key


def service_file(places: Places, name: str) -> Path:
    """Where a file of the service's own keys is; one that lies among the identity keys, as it once did, is moved."""
    place, once = places.service_keys / name, places.keyring / name
    if not place.exists() and once.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process was first
            once.replace(place)
    return place
