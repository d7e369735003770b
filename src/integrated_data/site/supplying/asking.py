"""Asking: questions put to a person one by one, or answered by a file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from integrated_data.acquire.questions import Question, read_answers
from integrated_data.model.errors import UsageRefusal
from integrated_data.vocabulary.nested import load_yaml


def ask(questions: Sequence[Question], *, read: Callable[[], str], tell: Callable[[str], None]) -> dict[str, str]:
    """Answers by question. An empty line leaves a question open; a choice is given by its number or its answer."""
    given = {}
    for number, question in enumerate(questions, 1):
        tell(f"\n{number} of {len(questions)}. {question.asks}")
        for place, (answer, words) in enumerate(question.choices, 1):
            tell(f"  {place}  {words}{' (as it is taken so far)' if answer == question.guess else ''}")
        answer = _one(question, read=read, tell=tell)
        if answer:
            given[question.id] = answer
    return given


def _one(question: Question, *, read: Callable[[], str], tell: Callable[[str], None]) -> str:
    """One answer, asked again until it is a choice; empty where it is left open."""
    while True:
        said = read().strip()
        answers = [answer for answer, _ in question.choices]
        if not said or not answers or said in answers:
            return said
        if said.isdecimal() and 1 <= int(said) <= len(answers):
            return answers[int(said) - 1]
        tell("Give the number of one of these, or leave the line empty to answer later.")


def answers_in(file: Path) -> dict[str, str]:
    """Answers by question in a YAML or JSON file; refuses one that cannot be read."""
    try:
        document = load_yaml(file.read_text("utf-8"), loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise UsageRefusal(
            "The answers cannot be read", next_step="Write a YAML file with lines of id: answer"
        ) from None
    return read_answers(document)
