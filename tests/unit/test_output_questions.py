"""What an auditor asks of the chain, answered from drawn events."""

from integrated_data.audit import questions
from integrated_data.audit.chain import Record


def chain(*events: tuple[str, str, str, dict[str, object]]) -> list[Record]:
    return [
        Record(n, f"2026-06-{n:02}T09:00:00+00:00", action, actor, subject, dict(facts), "", "")
        for n, (action, actor, subject, facts) in enumerate(events, start=1)
    ]


EVENTS = chain(
    ("project.approved", "panel", "project/P-1", {"decision": 1}),
    ("query.done", "ada", "project/P-1", {"query": "q1", "tables": ["gp_diagnoses"]}),
    ("query.refused", "eve", "project/P-2", {"query": "q2", "tables": ["gp_diagnoses"]}),
    ("output.requested", "ada", "output/O-1", {"project": "P-1", "datasets": ["gp-diagnoses"], "sha256": "a"}),
    ("output.reviewed", "rita", "output/O-1", {"project": "P-1", "vote": "approve", "sha256": "a"}),
    ("project.approved", "panel", "project/P-1", {"decision": 2}),
    ("output.requested", "ada", "output/O-1", {"project": "P-1", "datasets": ["gp-diagnoses"], "sha256": "b"}),
    ("output.reviewed", "rob", "output/O-1", {"project": "P-1", "vote": "approve", "sha256": "c"}),
    ("output.reviewed", "ruth", "output/O-1", {"project": "P-1", "vote": "approve", "sha256": "c"}),
    ("output.released", "ada", "output/O-1",
     {"project": "P-1", "datasets": ["gp-diagnoses"], "queries": ["q1"], "sha256": "c", "lane": "review"}),
    ("output.revoked", "steward", "output/O-1", {"project": "P-1", "datasets": ["gp-diagnoses"]}),
    ("output.released", "bob", "output/O-2",
     {"project": "P-3", "datasets": ["pay"], "sha256": "d", "lane": "automatic"}),
)  # fmt: skip


def test_who_used_a_dataset_and_under_which_decision() -> None:
    used = questions.who_used(EVENTS, "gp-diagnoses")
    assert [(u.number, u.actor, u.action, u.project, u.decision) for u in used] == [
        (2, "ada", "query.done", "P-1", 1),
        (4, "ada", "output.requested", "P-1", 1),
        (7, "ada", "output.requested", "P-1", 6),
        (10, "ada", "output.released", "P-1", 6),
    ]


def test_what_left_of_a_dataset() -> None:
    (left,) = questions.what_left(EVENTS, dataset="gp_diagnoses")
    assert (left.output, left.sha256, left.lane, left.queries) == ("O-1", "c", "review", ("q1",))
    assert left.approved_by == ("rob", "ruth"), "an earlier vote was about other files"
    assert (left.decision, left.revoked_at) == (6, "2026-06-11T09:00:00+00:00")


def test_what_left_of_a_project_or_at_all() -> None:
    assert [d.output for d in questions.what_left(EVENTS, project="P-3")] == ["O-2"]
    assert [d.output for d in questions.what_left(EVENTS)] == ["O-1", "O-2"]


def test_the_decision_that_stood() -> None:
    early, late = questions.under_which_decision(EVENTS, 2), questions.under_which_decision(EVENTS, 10)
    assert early is not None
    assert late is not None
    assert (early.facts["decision"], late.facts["decision"]) == (1, 2)
    assert questions.under_which_decision(EVENTS, 12) is None
    assert questions.under_which_decision(EVENTS, 99) is None
