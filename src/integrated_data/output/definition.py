"""Definitions: a released output whose queries are run anew on each release of its data.

The queries are those that were released, word for word; what people read around them is new, so an output
checker reads and approves it by its hash before anything is published under it.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

import yaml

from integrated_data.control import bodies, editions, outputs, projects, queries
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Definition, DefinitionState, TableWords, Words
from integrated_data.model.errors import OutputRefusal, UsageRefusal
from integrated_data.model.output import OutputRequest, OutputState
from integrated_data.model.proposal import ACCEPTED
from integrated_data.output import requested, wording
from integrated_data.output.derived import text_of
from integrated_data.output.review import check_checker
from integrated_data.vocabulary.nested import load_yaml

#: The longest text of a footnote or summary, and the most footnotes.
LONGEST, MOST = 2_000, 50

MOST_NAME = 48


def define(store: Store, *, request: str, name: str, words: Words | None, by: str) -> Definition:
    """Propose a definition from a released request, by its author; `words` None: its title alone."""
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        asked = [queries.get(connection, query)["body"] for query in known.queries]
    if known.person != by:
        raise OutputRefusal(
            f"Request {request} is not {by}'s", next_step="Ask its author to define it: it runs in their name"
        )
    if known.state is not OutputState.RELEASED:
        raise OutputRefusal(
            f"Request {request} is {known.state.value.replace('_', ' ')}, not released",
            why="A definition repeats what has left",
            next_step="Release it first, or define another one",
        )
    if known.brought or any("estimate" in body for body in asked):
        raise OutputRefusal(
            f"Request {request} holds a fitted model or a file that was made outside",
            why="Only tables that the service makes from SQL are published anew by themselves",
            next_step="Define an output of tables, and ask for the rest again when its data change",
        )
    if any("as_at" in body for body in asked):
        raise OutputRefusal(
            f"Request {request} is as at a day", why="A definition is published anew of what is read then",
            next_step="Ask for it of what is read now, and define that",
        )  # fmt: skip
    check_as_asked(known)
    check_name(name)
    texts = tuple(text_of(body, query=query) for query, body in zip(known.queries, asked, strict=True))
    chosen = _complete(words or Words(known.title), tables=len(texts))
    check_words(chosen, tables=len(texts))
    made = Definition(name, known.project, by, request, texts, chosen)
    return editions.put_definition(store, made, by=by)


def approve(store: Store, *, name: str, sha256: str, by: str) -> Definition:
    """Approve a definition as its hash says, by an output checker who is neither its author nor on the team."""
    with store.read() as connection:
        known = editions.definition(connection, name)
        team = projects.get_project(connection, known.project).team
    if by == known.person or by in team:
        raise OutputRefusal(
            f"{by} cannot approve definition {name}",
            why="Who approves is neither the author nor on the project's team",
            next_step="Ask another output checker",
        )
    check_checker(store, by)
    requested.check_hash(sha256, shown_by=f"ids output definitions {name}")
    return editions.approve(store, name, sha256=sha256, by=by)


def end(store: Store, *, name: str, reason: str, by: str) -> Definition:
    """Publish a definition no more: by its project's team, or by an output checker."""
    if not reason.strip():
        raise OutputRefusal("A definition is ended for a reason", next_step="Give a reason")
    with store.read() as connection:
        known = editions.definition(connection, name)
        team = projects.get_project(connection, known.project).team
    if by not in team:
        check_checker(store, by)
    return editions.end(store, name, reason=reason, by=by)


def check_approved(definition: Definition) -> None:
    """Refuse a definition whose words nobody has approved, or that has ended."""
    if definition.state is not DefinitionState.APPROVED:
        raise OutputRefusal(
            f"Definition {definition.name} is {definition.state.value}",
            why="Only an approved definition is published",
            next_step=f"Have an output checker read it: ids output approve {definition.name}",
        )


def read_words(text: str) -> Words:
    """The words of a definition from YAML; refuses what is no such thing, by the name of the field."""
    try:
        body = load_yaml(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that does not exist
        raise UsageRefusal("The words of a definition are YAML", next_step="Correct the file") from None
    found: Words = bodies.read(Words, body, what="definition")
    return found


def as_yaml(definition: Definition) -> str:
    """A definition as people read it and approve it."""
    body = bodies.write(asdict(definition))
    body["words"] = bodies.write(definition.words)
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=100)


def check_as_asked(known: OutputRequest) -> None:
    """Refuse a release in a form that was accepted: its queries alone would make what did not leave."""
    form = next((finding.reason for finding in known.findings if finding.rule == ACCEPTED), "")
    if form:
        raise OutputRefusal(
            f"Request {known.id} left in another form than its queries give",
            why=f"Its author accepted a proposal: {form}. A definition runs queries as they were asked",
            next_step="Write the groups into a query, ask for its result, and define that once it is released",
        )


def check_name(name: str) -> None:
    """Refuse a name that is no plain word: it becomes the name of folders and of a dataflow."""
    plain = name.replace("-", "").isalnum() and name.isascii() and name == name.lower() and name[:1].isalpha()
    if not plain or len(name) > MOST_NAME:
        raise UsageRefusal(
            "This is no name for a definition",
            why=f"A name is up to {MOST_NAME} small letters, digits and hyphens, a letter first",
            next_step="Choose another one, such as health-and-work",
        )


def check_words(words: Words, *, tables: int) -> None:
    """Refuse words that are too many, or of the form of somebody's identifier."""
    texts = _texts(words)
    if not words.title.strip() or len(words.footnotes) > MOST or any(len(text) > LONGEST for text in texts):
        raise OutputRefusal(
            "These words cannot be published",
            why=f"A definition has a title, up to {MOST} footnotes, and texts of up to {LONGEST} characters",
            next_step="Shorten them",
        )
    wording.check_said("title", words.title)  # it is the title of the request for each edition
    why = next(filter(None, (wording.unreadable(line) for text in texts for line in text.split("\n"))), "")
    if why:
        raise OutputRefusal(
            "A text of the definition cannot be published", why=why, next_step="Write it in plain words"
        )
    if any(wording.names_somebody(text) for text in texts):
        raise OutputRefusal(
            "A text of the definition has the form of a person's identifier",
            next_step="Take it out; for the contact give a web address or the name of a team",
        )
    if len(words.tables) > tables:
        raise OutputRefusal(f"The output has {tables} tables, and words for more are given", next_step="Leave them out")


def _complete(words: Words, *, tables: int) -> Words:
    """Words for each table: those that are not given have the title of the whole."""
    given = [replace(t, title=t.title or words.title) for t in words.tables]
    missing = [TableWords(words.title)] * (tables - len(given))
    return replace(words, tables=(*given, *missing))


def _texts(words: Words) -> Sequence[str]:
    inside = [text for table in words.tables for text in (table.title, *table.headings.values())]
    return (words.title, words.summary, words.contact, *words.footnotes, *inside)
