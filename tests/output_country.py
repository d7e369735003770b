"""The fictional country as four projects see it: six datasets, linked by truth, for tables that a checker would pass.

Matching is other tests' matter: a row is linked to who it is about. Values that are missing, second rows of one
person in the census, and two sexes of one person in a dataset are left out, as the editing of official statistics
leaves none.
"""

import duckdb
import pyarrow as pa

from integrated_data.specimen import country
from integrated_data.specimen.departments import DEPARTMENTS
from tests.output_world import KEY

PEOPLE, SEED = 12_000, 3

_DISTRICT = """CASE WHEN left({0}, 2) IN ('CK', 'BE', 'CD', 'AG', 'BC', 'BP', 'BK', 'BG', 'AP', 'BU', 'BF', 'CE',
    'CG', 'AK', 'AF') THEN left({0}, 2) END"""

#: One value for all rows of a person, whatever each of them says.
_ONE = "{0}(sex) OVER (PARTITION BY truth.person_id)"

#: What is published of each dataset, as SQL over what was delivered.
PUBLISHED = {
    "census": f"""sex, try_cast(right(dob, 4) AS INT) AS birth_year, {_DISTRICT.format("postcode")} AS district,
        left({_DISTRICT.format("postcode")}, 1) AS region, relationship, country_of_birth, general_health,
        economic_activity, CASE WHEN ethnic_group < 4 THEN 'White' WHEN ethnic_group < 8 THEN 'Mixed'
        WHEN ethnic_group < 13 THEN 'Asian' WHEN ethnic_group < 16 THEN 'Black' ELSE 'Other' END AS ethnic_group""",
    "labour_force_survey": """sex, birth_year, wave, ilo_status, inactive_reason, hours, weekly_pay, health_problem,
        limits_activity, person_weight, stratum, psu""",
    "gp_diagnoses": f"""icd10_code, try_cast(right(diagnosis_date, 4) AS INT) AS year, practice_code,
        {_ONE.format("min")} AS sex""",
    "hospital_episodes": f"""{_ONE.format("max")} AS sex_code, procode, admimeth, epidur, diag_01,
        try_cast(substr(admidate, 3, 2) AS INT) AS month""",
    "benefits": """benefit_type, try_cast(left("start", 4) AS INT) AS start_year, "end" IS NULL AS ongoing,
        weekly_amount""",
    "pay": f"""{_DISTRICT.format("postcode")} AS district, try_cast(left(start_date, 4) AS INT) AS start_year,
        try_cast(replace(replace(gross_pay, '£', ''), ',', '') AS DOUBLE) AS gross_pay""",
}  # fmt: skip

#: Rows that are left after editing.
EDITED = {
    "census": "sex IS NOT NULL AND birth_year IS NOT NULL AND region IS NOT NULL",
    "labour_force_survey": "sex IS NOT NULL AND birth_year IS NOT NULL",
    "gp_diagnoses": "sex <> 'Unknown' AND year IS NOT NULL",
    "hospital_episodes": "sex_code <> '0' AND month IS NOT NULL",
    "pay": "district IS NOT NULL AND start_year IS NOT NULL",
}


def published() -> dict[str, pa.Table]:
    """Every dataset with a `person_key`."""
    land = country.build(count=PEOPLE, seed=SEED, progress=lambda _: None)
    held = {}
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, columns in PUBLISHED.items():
            sheet = DEPARTMENTS[name](land)[0]
            connection.register("sheet", sheet.table)
            connection.register("truth", sheet.truth)
            once = "QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY truth.record_id) = 1"
            held[name] = connection.sql(
                f"SELECT * FROM (SELECT {KEY} + truth.person_id * 7919 AS person_key, {columns} FROM sheet JOIN truth "
                f"ON truth.record_id = sheet.{sheet.record_id} {once if name == 'census' else ''} "
                f"ORDER BY truth.record_id) WHERE {EDITED.get(name, 'true')}"
            ).to_arrow_table()
    return held
