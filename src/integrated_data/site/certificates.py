"""The certificate that the serving doors show (TLS): from the settings, or one of their own for trials."""

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrated_data.model.errors import InstallationRefusal
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings

DAYS = 365


@dataclass(frozen=True)
class Certificate:
    """PEM files: the certificate with its chain, and its key."""

    chain: Path
    key: Path


def certificate(places: Places, settings: Settings) -> Certificate:
    """The certificate to show; refuses where production names none, or a file is missing."""
    if settings.tls is not None:
        found = Certificate(settings.tls / "tls.crt", settings.tls / "tls.key")
        if not (found.chain.is_file() and found.key.is_file()):
            raise InstallationRefusal(
                "The folder that IDS_TLS names holds no certificate", next_step="Put tls.crt and tls.key there, in PEM"
            )
        return found
    if settings.production:
        raise InstallationRefusal(
            "The doors have no certificate", why="In production nothing is served in plain text or under a trial's own",
            next_step="Set IDS_TLS to a folder with tls.crt and tls.key",
        )  # fmt: skip
    return _own(places.service_keys)


def _own(folder: Path) -> Certificate:
    """A certificate that this installation made for this machine, made anew a day before it ends."""
    found = Certificate(folder / "tls.crt", folder / "tls.key")
    if found.chain.is_file() and found.key.is_file():
        ends = x509.load_pem_x509_certificate(found.chain.read_bytes()).not_valid_after_utc
        if ends > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
            return found
    folder.mkdir(mode=0o700, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(found.key, secret)
    _write(found.chain, _sign(key).public_bytes(serialization.Encoding.PEM))
    return found


def _sign(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Integrated Data Service, for trials")])
    now = dt.datetime.now(dt.UTC)
    places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=DAYS))
    made = made.add_extension(x509.SubjectAlternativeName(places), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return made.sign(key, hashes.SHA256())


def _write(place: Path, content: bytes) -> None:
    part = place.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(place)
