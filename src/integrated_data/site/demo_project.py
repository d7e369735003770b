"""The demo's paper: agreements, an analyst, a project, and the question that it asks.

Which chronic conditions keep people out of work, by part of the country and age? The survey says
who works; general practice and hospital records say who has which condition; benefit records say
who is paid for being unable to work. The answer is the weighted employment gap: the rate of those
without the condition less the rate of those with it.
"""

from datetime import date, timedelta

import yaml

from integrated_data.vocabulary.survey import Design, weighted_gap_sql

ANALYST = "ada"
PROJECT = "P-health-and-work"

#: Datasets, their owners, and the columns that the project asks for.
ASKED = {
    "labour_force_survey": (
        "Statistics Department",
        ["birth_year", "ilo_status", "inactive_reason", "person_weight", "stratum", "psu", "sex", "region_2021"],
    ),
    "gp_diagnoses": ("Health Department", ["icd10_code", "diagnosis_date"]),
    "hospital_episodes": ("Health Department", ["diag_01", "diag_02", "admidate"]),
    "benefits": ("Work Department", ["benefit_type", "start", "end"]),
}

#: Families of chronic conditions by three-character ICD-10 categories.
FAMILIES = {
    "Mental health": ("F20", "F32", "F41"),
    "Back and joints": ("M17", "M54"),
    "Diabetes": ("E11",),
    "Heart and circulation": ("I10", "I25", "I69"),
    "Lungs": ("J44", "J45"),
}

#: Parts of the country by region.
PARTS = {
    "North": ("E12000091", "E12000092", "E12000093", "E12000094", "E12000095"),
    "South and west": ("E12000096", "E12000097", "E12000098", "W12000099"),
}

SURVEY_YEAR = 2021


def agreements(today: date) -> list[str]:
    """One agreement for each dataset, as YAML."""
    made = [
        {
            "id": f"A-{dataset}", "dataset": dataset, "owner": owner, "gateway": "dea-2017-research",
            "purposes": ["research"], "columns": ["*"], "onward_to": ["University of Example"],
            "starts": today - timedelta(days=30), "ends": today + timedelta(days=700), "index_by_default": True,
        }
        for dataset, (owner, _) in ASKED.items()
    ]  # fmt: skip
    return [yaml.safe_dump(a, sort_keys=False) for a in made]


def person(today: date) -> str:
    """The analyst, as YAML."""
    body = {
        "id": ANALYST, "name": "Ada Example", "organisation": "University of Example",
        "accreditation": {
            "level": "full", "starts": today - timedelta(days=300), "ends": today + timedelta(days=1500),
        },
        "trained_until": today + timedelta(days=300),
        "roles": ["analyst"],
    }  # fmt: skip
    return yaml.safe_dump(body, sort_keys=False)


def approvers() -> list[str]:
    """Who approves for each owner, and for the panel, as YAML."""
    bodies = ("Research Accreditation Panel", *dict.fromkeys(owner for owner, _ in ASKED.values()))
    made = [
        {"id": body.lower().replace(" ", "-"), "name": f"Approver of the {body}", "organisation": body,
         "roles": ["approver"]}
        for body in bodies
    ]  # fmt: skip
    return [yaml.safe_dump(m, sort_keys=False) for m in made]


def project(today: date) -> str:
    """The project, as YAML."""
    body = {
        "id": PROJECT, "title": "Health conditions and work", "purpose": "research",
        "organisation": "University of Example", "lead": ANALYST, "team": [ANALYST],
        "datasets": [
            {"dataset": dataset, "columns": columns, "keys": ["person"]} for dataset, (_, columns) in ASKED.items()
        ],
        "starts": today, "ends": today + timedelta(days=365),
        "aims": "Which chronic conditions keep people out of work, by part of the country and age.",
        "public_benefit": "Shows where help to stay in work is needed most.",
        "methods": "Rates and gaps weighted for the survey's design, with their intervals.",
        "ethics": "Self-assessment, low risk",
    }  # fmt: skip
    return yaml.safe_dump(body, sort_keys=False)


def question() -> str:
    """The question as one SELECT over the project's views.

    It is about linked people of working age. Every sampled cluster has some, so leaving the others
    out does not change the design that the intervals rest on.
    """
    age = f"{SURVEY_YEAR} - birth_year"
    return weighted_gap_sql(
        f"""(
        SELECT s.person_key, c.condition, {_case("s.region_2021", PARTS)} AS part,
               CASE WHEN {age} < 50 THEN '16-49' ELSE '50-64' END AS age,
               s.ilo_status, s.person_weight, s.stratum, s.psu, b.paid,
               CASE WHEN i.person_key IS NULL THEN 0 ELSE 1 END AS ill
        FROM labour_force_survey AS s
        CROSS JOIN (VALUES {", ".join(f"('{family}')" for family in FAMILIES)}) AS c(condition)
        LEFT JOIN (
            SELECT person_key, {_case("left(icd10_code, 3)", FAMILIES)} AS condition FROM gp_diagnoses
            UNION SELECT person_key, {_case("left(diag_01, 3)", FAMILIES)} FROM hospital_episodes
        ) AS i ON i.person_key = s.person_key AND i.condition = c.condition
        LEFT JOIN (
            SELECT DISTINCT person_key, 1 AS paid FROM benefits
            WHERE benefit_type = 'Employment and Support Allowance'
        ) AS b ON b.person_key = s.person_key
        WHERE {age} BETWEEN 16 AND 64 AND s.person_key IS NOT NULL AND s.region_2021 IS NOT NULL
    )""",
        group=["condition", "part", "age"],
        indicator="CASE WHEN ilo_status = '1' AND paid IS NULL THEN 1 ELSE 0 END",
        split="ill",
        design=Design("person_weight", "stratum", "psu"),
    )


def _case(value: str, groups: dict[str, tuple[str, ...]]) -> str:
    """A CASE that gives each value the group it belongs to."""
    branches = " ".join(
        f"WHEN {value} IN ({', '.join(repr(member) for member in members)}) THEN '{group}'"
        for group, members in groups.items()
    )
    return f"CASE {branches} END"
