"""A heading in, the meaning it suggests most out."""

import pytest

from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.headings import column_name, hints, words_of

GOLDEN = """
pername1                    given_name
pername2                    family_name
FORENAME                    given_name
PersonForename              given_name
firstName                   given_name
surname                     family_name
lastname                    family_name
maiden_name                 previous_family_name
middle_initial              middle_name
PERSON_NAME                 full_name
first_and_surname           full_name
dob                         date_of_birth
DateOfBirth                 date_of_birth
MYDOB                       date_of_birth
dob_day                     birth_day
dob_mon                     birth_month
year_of_birth               birth_year
Sex                         sex
gender                      sex
NHS_NUMBER                  nhs_number
newnhsno                    nhs_number
NINO                        national_insurance_number
NI number                   national_insurance_number
ssn                         person_reference
ip_address                  person_reference
PSEUDO_HESID                person_reference
email_address               email
mobile                      telephone
Postcode                    postcode
zipcode                     postcode
pcds                        postcode
UPRN                        uprn
hse_num                     address_building
street_number               address_building
str_nam                     address_street
RegAddress.AddressLine1     address_line
address_concat              address
RegAddress.PostTown         address_town
CompanyName                 organisation_name
employer_name               organisation_name
CompanyNumber               company_number
org_code                    organisation_reference
GPPRAC                      organisation_reference
SICCode.SicText_1           industry_code
sic2007                     industry_code
sic2003                     code
soc2010                     occupation_code
soc90                       code
job_title                   occupation_text
main activity               industry_text
DIAG_4_01                   condition_code
ETHNOS                      ethnic_group
LSOA11CD                    area_code
lad15nm                     area_name
latitude                    latitude
wages                       money
ADMIDATE                    event_date
tax_year                    year
YEAR_MONTH                  year
EPIDUR                      count
STARTAGE                    measure
person_weight               survey_weight
stratum                     stratum
psu                         cluster
census_id                   record_id
EPIKEY                      record_id
notes                       free_text
is_active                   flag
"""
PAIRS = [line.rsplit(maxsplit=1) for line in GOLDEN.strip().splitlines()]


@pytest.mark.parametrize(("heading", "meaning"), PAIRS)
def test_heading_says(heading: str, meaning: str) -> None:
    assert hints(heading.strip())[0].meaning is Meaning(meaning)


@pytest.mark.parametrize("heading", ["spouse_first_name", "next_of_kin_name", "mother_dob", "GP surname"])
def test_heading_of_somebody_else(heading: str) -> None:
    assert all(hint.other for hint in hints(heading))


@pytest.mark.parametrize("heading", ["", "x", "col7", "7", "enumcap"])
def test_heading_that_says_nothing(heading: str) -> None:
    assert hints(heading) == ()


def test_words_of_a_heading() -> None:
    assert words_of("PersonForename") == "person forename"
    assert words_of("LSOA11CD") == "lsoa 11 cd"
    assert words_of("RegAddress.AddressLine1") == "reg address address line 1"


def test_column_names_are_plain_and_different() -> None:
    taken: set[str] = set()
    names = [column_name(h, taken) for h in ("Person ID", "person-id", "1st", "£", "SEX")]
    assert names == ["person_id", "person_id_2", "c_1st", "column_4", "sex"]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Prénom", "prenom"), ("Größe (m²)", "grosse_m2"), ("Straße Nº 1", "strasse_no_1"),
        ("CYFEIRIAD TŶ", "cyfeiriad_ty"), ("Ærø Łódź", "aero_lodz"), ("% (select)", "select"), ("2021", "c_2021"),
        ("Дата рождения", "column_3"), ("年龄", "column_3"), ("Λ (m²)", "column_3"),
        ("#", "column_3"), ("-", "column_3"),
    ],
)  # fmt: skip
def test_a_heading_is_named_so_that_a_reader_understands_it_or_by_its_position(heading: str, name: str) -> None:
    assert column_name(heading, {"ref", "sex"}) == name


def test_a_heading_that_looks_like_a_position_is_told_from_it() -> None:
    taken: set[str] = set()
    assert [column_name(h, taken) for h in ("column 2", "%")] == ["column_2", "column_2_2"]
