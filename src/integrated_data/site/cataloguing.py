"""The public catalogue of an installation, written for catalogues elsewhere."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from integrated_data.approve.documents import read
from integrated_data.control import projects, releases
from integrated_data.control.store import Store
from integrated_data.model.errors import AgreementRefusal, UsageRefusal
from integrated_data.publish.exports import croissant, dcat, linkml, ukgov
from integrated_data.publish.exports.about import About, Format
from integrated_data.publish.exports.notice import Notice, conditions, notice
from integrated_data.site.agreeing import law_of
from integrated_data.site.places import Places
from integrated_data.vocabulary.nested import load_yaml


def read_about(text: str) -> About:
    """The operator's file; refuses by the name of the field that is wrong."""
    return read(About, text, what="catalogue file")


def notices(places: Places, store: Store) -> list[Notice]:
    """What is public of every published dataset, by name; a derived one stands under its sources' agreements."""
    law, day = law_of(places), store.now().date()
    found = []
    with store.read() as connection:
        for release in releases.all_current(connection):
            derivations = releases.derivations(connection, [release.dataset])
            under = sorted({release.dataset, *derivations, *(d for of in derivations.values() for d in of)})
            agreed = {d: projects.agreements(connection, d) for d in under}
            first = releases.of_dataset(connection, release.dataset)[0]
            found.append(
                notice(
                    release.entry, release=release.id, days=(_day(first.at), _day(release.at)),
                    conditions=conditions(agreed, law, day=day),
                )
            )  # fmt: skip
    return found


def _day(at: str) -> date:
    return datetime.fromisoformat(at).date()


def export(form: Format, out: Path, *, found: Sequence[Notice], about: About, schema: Path | None = None) -> list[Path]:
    """Write the catalogue; Croissant into the folder `out`, a file for each dataset, all else into the file `out`.

    `schema`: the exchange model's LinkML file, which the UK export must satisfy or is not written.
    """
    if schema is not None and form is not Format.UKGOV:
        raise UsageRefusal("Only the UK export is held to a schema", next_step="Leave out --schema")
    if form is Format.CROISSANT:
        made = {n.dataset: croissant.document(n, about) for n in found}
        _refuse([f"{dataset}: {problem}" for dataset, body in made.items() for problem in croissant.problems(body)])
        out.mkdir(parents=True, exist_ok=True)
        return [_write(out / f"{dataset}.json", body) for dataset, body in made.items()]
    writers: dict[Format, Callable[[Sequence[Notice], About], Any]] = {
        Format.UKGOV: ukgov.document, Format.DCAT: dcat.document,
    }  # fmt: skip
    document = writers[form](found, about)
    if schema is not None:
        _refuse(problems(document, linkml.read(schema)))
    return [_write(out, document)]


def _refuse(found: list[str]) -> None:
    if found:
        raise UsageRefusal(
            f"The export would not be valid: {'; '.join(found[:10])}",
            next_step="Correct the file given with --about; nothing was written",
        )


def _write(place: Path, document: Any) -> Path:
    place.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return place


def problems(document: object, schema: linkml.Schema) -> list[str]:
    """What a document, one resource or a list of them, breaks of a schema, by the place in it."""
    if not isinstance(document, list):
        return schema.problems(document)
    return [f"{number}: {problem}" for number, one in enumerate(document, 1) for problem in schema.problems(one)]


def load(place: Path) -> object:
    """The plain values of a JSON or YAML file of metadata; refuses what is none."""
    try:
        return load_yaml(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise AgreementRefusal(
            f"{place.name} cannot be read as JSON or YAML", next_step="Check which file was given"
        ) from None
