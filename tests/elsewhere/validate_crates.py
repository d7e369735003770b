"""Run by a Python that has roc-validator and rocrate: CACHE, then pairs of a crate's folder and a profile.

Prints one JSON list of issues for each pair. The validator takes the context of a crate from its cache, which is
filled here with the one that rocrate ships, so that no network is needed.
"""

import importlib.util
import io
import json
import pathlib
import sys

import requests
import requests_cache
import urllib3
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings

SHIPPED = pathlib.Path(importlib.util.find_spec("rocrate").origin).parent / "data" / "ro-crate.jsonld"


class Shipped(requests.adapters.BaseAdapter):
    """Answers for w3id.org with the shipped context, its Bioschemas terms as each version of RO-Crate has them."""

    def send(self, request, **_):
        content = SHIPPED.read_bytes()
        if "/1.1/" in request.url:
            content = content.replace(b"https://bioschemas.org/terms/", b"https://bioschemas.org/")
        answer = urllib3.HTTPResponse(
            io.BytesIO(content), status=200, headers={"Content-Type": "application/ld+json"}, preload_content=False
        )
        return requests.adapters.HTTPAdapter().build_response(request, answer)

    def close(self):
        """Nothing is open."""


def main(cache, *asked):
    """Fill the cache, validate, print."""
    session = requests_cache.CachedSession(cache, backend="sqlite", expire_after=-1)
    session.mount("https://w3id.org/ro/crate/", Shipped())
    for version in ("1.1", "1.2"):
        for accept in ({"Accept": "application/ld+json, application/json"}, {}):
            session.get(f"https://w3id.org/ro/crate/{version}/context", headers=accept)
    for folder, profile in zip(asked[::2], asked[1::2], strict=True):
        read = ROCrate(folder)
        settings = ValidationSettings(
            rocrate_uri=folder, profile_identifier=profile, requirement_severity=Severity.REQUIRED, offline=True,
            cache_path=cache,
        )  # fmt: skip
        found = services.validate(settings)
        issues = [f"{issue.check.identifier}: {issue.message}" for issue in found.get_issues()]
        told = {"entities": len(read.get_entities()), "main": read.mainEntity.id, "issues": issues}
        print(json.dumps(told | {"checks": len(found.executed_checks)}))


main(*sys.argv[1:])
