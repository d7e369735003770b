"""What may be corrected of somebody, and how corrected values are kept."""

from collections.abc import Mapping
from datetime import date

from integrated_data.model.errors import UsageRefusal
from integrated_data.model.meanings import Meaning

#: What may be corrected in an index: what tells people apart. The rest is the supplier's.
CORRECTABLE = (
    Meaning.GIVEN_NAME, Meaning.MIDDLE_NAME, Meaning.FAMILY_NAME, Meaning.PREVIOUS_FAMILY_NAME, Meaning.DATE_OF_BIRTH,
    Meaning.SEX, Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.ADDRESS, Meaning.POSTCODE,
)  # fmt: skip


def check(values: Mapping[str, object]) -> dict[str, str]:
    """Corrected values as they are kept; refuses what is not corrected in an index, nothing, and a day that is none."""
    unknown = sorted(set(values) - {str(m) for m in CORRECTABLE})
    if unknown:
        raise UsageRefusal(
            "Something else is corrected than what tells people apart",
            why=f"These can be corrected here: {', '.join(map(str, CORRECTABLE))}",
            next_step="Send the rest to the supplier, who delivers the dataset again",
        )
    told = {meaning: "" if value is None else str(value).strip() for meaning, value in values.items()}
    if not all(told.values()):
        raise UsageRefusal("A corrected value is empty", next_step="Write what is right, or leave its line out")
    try:
        date.fromisoformat(told.get("date_of_birth", "2000-01-01"))
    except ValueError:
        raise UsageRefusal("The corrected day of birth is no day", next_step="Write it as 1970-01-31") from None
    return told
