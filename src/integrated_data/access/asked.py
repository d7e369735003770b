"""A question on its way through the gateway, and what is known of it so far."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrated_data.access import scratch
from integrated_data.access.gate import LONGEST, Checked
from integrated_data.model.access import Decision, Reason
from integrated_data.model.errors import AgreementRefusal, Refusal
from integrated_data.model.estimate import Fit
from integrated_data.vocabulary import formula

#: Characters of a day or number that are kept of what was asked.
SHOWN = 20


@dataclass(frozen=True)
class Question:
    """What somebody asks. `person` is who signed in; `fit`: a model over the rows, given instead of them.

    `as_at`: the tables as they were read when this day was over, or the table of this number of a release.
    """

    person: str
    project: str
    sql: str
    fit: Fit | None = None
    as_at: str = ""


@dataclass
class Asked:
    """A question on its way through the gateway, and what is known of it so far."""

    question: Question
    query: str
    begun: float
    decisions: list[Decision] = field(default_factory=list)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    withdrawn: Refusal | None = None
    origins: tuple[scratch.Origin, ...] = ()
    made: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        sql = self.question.sql
        self.wish = scratch.wish(sql)
        self.select = sql if self.wish is None or self.wish.select is None else self.wish.select
        self.known |= {"sql": sql[:LONGEST], "sql_sha256": hashlib.sha256(sql.encode(errors="replace")).hexdigest()}
        if self.question.as_at:
            self.known["as_at"] = self.question.as_at[:SHOWN]
        if self.question.fit is not None:
            told = self.question.fit.estimate.told()
            self.known["estimate"] = told | {"formula": told["formula"][: formula.LONGEST]}

    def note(self, decision: Decision) -> bool:
        """Keep a decision; returns whether it allows."""
        self.decisions.append(decision)
        against = sorted({r.rule.value for d in self.decisions for r in d.reasons_against})
        agreements = sorted({a for d in self.decisions for a in d.agreements})
        self.known["decision"] = {
            "allowed": all(d.allowed for d in self.decisions), "policy": decision.policy_version,
            "agreements": agreements, "against": against,
        }  # fmt: skip
        return decision.allowed

    def reads(
        self, checked: Checked, *, columns: Mapping[str, tuple[str, ...]], kept: Mapping[str, scratch.Table]
    ) -> None:
        """Keep what the query reads: columns of views, through scratch tables too, and how those were made."""
        self.columns = columns
        self.known |= {"tables": list(columns), "columns": {k: list(v) for k, v in columns.items()}}
        self.made = scratch.definition(self.select, checked.tables, tables=kept)
        behind = scratch.made_from(checked.tables, tables=kept)
        if behind and "runs" in self.known:
            raise scratch.no_links_behind(behind)
        if behind:
            self.known["scratch"] = behind

    def against(self, project: str) -> AgreementRefusal:
        """Every reason against, as one refusal."""
        found: dict[Reason, None] = dict.fromkeys(r for d in self.decisions for r in d.reasons_against)
        why = ". ".join(reason.text for reason in found)
        changes = dict.fromkeys(r.change for r in found if r.change)
        self.known["rule"] = next(iter(found)).rule.value if found else "decision"
        return AgreementRefusal(
            f"Project {project} may not be queried like this", why=why, next_step=". ".join(changes)
        )
