"""What the Open Data Contract Standard 3.1 has against a contract: its own schema and its own library read it."""

import json
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

SCHEMA = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
LINT = Draft201909Validator(SCHEMA)


def complaints(text: str) -> list[str]:
    """What the schema has against a document; raises where the library cannot read it."""
    document: Any = yaml.safe_load(text)
    assert OpenDataContractStandard.from_string(text).id == document["id"]
    return [f"{e.json_path}: {e.validator}" for e in LINT.iter_errors(document)]
