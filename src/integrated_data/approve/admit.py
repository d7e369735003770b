"""Who may come in: what must hold of a person on record, beside having shown who they are.

The reason is for the audit chain. Outside, every refusal to sign in says the same.
"""

from integrated_data.model.signing_in import Admission


def why_not(facts: Admission, *, production: bool) -> str:
    """Why somebody may not come in at all, or an empty text; procedures are asked apart."""
    if facts.person is None:
        return "not on record"
    if facts.person.suspended:
        return "suspended"
    if facts.frozen:
        return "frozen"
    if not facts.person.roles:
        return "no role"
    if facts.organisation is None:
        return "organisation not on record" if production else ""
    return "organisation suspended" if facts.organisation.suspended else ""


def owes_procedures(facts: Admission, *, production: bool) -> bool:
    """Whether procedures must be accepted first; in production some must be in force."""
    if facts.procedures is None:
        return production
    return not facts.accepted
