"""Classification sources: activities with SIC 2007, job titles with SOC 2020, conditions with ICD-10."""

import pyarrow as pa

from integrated_data.specimen.businesses import industries
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet
from integrated_data.specimen.health import conditions
from integrated_data.specimen.jobs import occupations
from integrated_data.specimen.words import records


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `industry_index.csv`, `occupation_index.csv` and `condition_codes.csv`.

    They are the same in every country. The last phrase of each code is kept out,
    so that some answers are in no index.
    """
    assert country.seed >= 0
    activities = [(text, one.code) for one in industries() for text in (one.title, *one.phrases[:-1])]
    titles = [(text, one.code, one.name) for one in occupations() for text in one.titles[:-1]]
    chronic = [(one.code, one.name, one.chapter, one.concept) for one in conditions()]
    acute = [(row[0], row[1], None, None) for row in records("admissions")]
    industry = pa.table({"activity": [row[0] for row in activities], "sic_code": [row[1] for row in activities]})
    occupation = pa.table({
        "job_title": [row[0] for row in titles], "soc_code": [row[1] for row in titles],
        "soc_title": [row[2] for row in titles],
    })  # fmt: skip
    codes = ("icd10_code", "condition", "chapter", "snomed_code")
    condition = pa.table({name: [row[place] for row in (*chronic, *acute)] for place, name in enumerate(codes)})
    return (
        Sheet("industry_index.csv", "comma", industry),
        Sheet("occupation_index.csv", "comma", occupation),
        Sheet("condition_codes.csv", "comma", condition),
    )
