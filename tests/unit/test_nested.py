"""Documents that people hand in: those of ordinary depth are read, deeper ones are refused and end no process."""

from pathlib import Path

import pytest
import yaml

from integrated_data.acquire import contracts, manifest
from integrated_data.acquire.codebook import read_codebook
from integrated_data.model.errors import Refusal
from integrated_data.site.supplying.asking import answers_in
from integrated_data.vocabulary.nested import DEEPEST, load_json, load_yaml

LOADERS = (getattr(yaml, "CBaseLoader", yaml.BaseLoader), yaml.SafeLoader)
MANY = 100_000
DEEP = {
    "brackets": "[" * MANY,
    "braces": "{a: " * MANY,
    "brackets between quoted ones": "[']', " * MANY,
    "dashes": "- " * MANY,
    "questions": "? " * MANY,
    "closed": "[" * MANY + "]" * MANY,
    "indented": "".join(" " * level + "a:\n" for level in range(1_000)),
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_what_is_too_deep_is_refused(text: str) -> None:
    for loader in LOADERS:
        with pytest.raises(yaml.YAMLError, match="too deep"):
            load_yaml(text, loader=loader)


def test_what_only_looks_deep_is_read() -> None:
    wide = f"a: [{', '.join('[1]' for _ in range(500))}]\nb: '{'[' * 500}'\n"
    assert load_yaml(wide)["b"] == "[" * 500
    assert load_yaml("[" * DEEPEST + "]" * DEEPEST) is not None
    assert load_json('{"a": [[1]]}') == {"a": [[1]]}


@pytest.mark.parametrize("read", [contracts.read, read_codebook, manifest.read, answers_in])
def test_files_of_people_are_refused_in_one_sentence(tmp_path: Path, read: object) -> None:
    assert callable(read)
    for name, text in DEEP.items():
        file = tmp_path / "x"
        file.write_text(text)
        with pytest.raises(Refusal):
            read(file)
            raise AssertionError(name)
