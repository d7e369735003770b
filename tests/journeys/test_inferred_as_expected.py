"""Inference on the real open data, held against what each column is, written by hand before it was asked."""

import pytest
from bench import inference

from tests.expected_columns import expected
from tests.real_data import real_data


@pytest.mark.long
def test_types_and_identifiers_of_real_files_are_found_and_none_is_published() -> None:
    for file in expected():
        real_data(*file.split("/"))
    assert inference.run()
