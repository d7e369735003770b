"""A file with one thing wrong in it, in many ways: refused, in quarantine or loaded, and never wrong in silence."""

from bench import mutations


def test_no_mutation_crashes_or_is_loaded_wrong_in_silence() -> None:
    assert mutations.run(each=2)
