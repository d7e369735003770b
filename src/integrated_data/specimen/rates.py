"""Every rate of the fictional country, in one frozen place, each with its source.

Read in comments: a named publication means that the figure is of the size published there (rounded, from
memory, not copied); "guess" means that nobody publishes it and we chose a plausible value. The shapes of
distributions (ages within a kind of household, sizes of businesses, odds of work by age) stay beside the code
that draws them. The rates were fixed before any matcher was tuned. Change one only with figures before and
after.

All rates are shares between 0 and 1 unless a unit is named. Multipliers apply to the chance of an error
for a person of a group; the product over groups is capped by `Rates.difficulty_cap`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recording:
    """How often one department writes a fact other than it is, for a person of no special difficulty.

    The defaults are a careful self-completed form; each department overrides what differs. That names
    disagree between two British administrative sources for 5-10 % of true pairs, dates of birth for
    0.5-1.5 % and postcodes for 8-15 % is common to the linkage literature (ONS Census 2021 linkage
    reports, Harron and others on hospital records); how it divides by kind of error is a guess.
    """

    #: a letter wrong, lost, doubled or moved (keyboard), misread (scanned form) or written by ear
    surname_typo: float = 0.006
    forename_typo: float = 0.007
    #: another customary spelling (Clark, Clarke; Mohammed, Muhammad); applies to names that have one
    surname_variant: float = 0.006
    forename_variant: float = 0.010
    #: the everyday form instead of the formal one, where a name has one
    nickname: float = 0.032
    initial_only: float = 0.004
    #: known by the middle name
    middle_as_forename: float = 0.012
    #: forename in the surname's box and the other way round
    swapped: float = 0.0015
    #: a surname changed within ten years that is still (or again) written as before
    stale_surname: float = 0.15
    #: one half of a double surname, or the particle of `da Silva`, lost
    part_dropped: float = 0.05
    #: accents kept at all (most systems fold them away)
    accents_kept: float = 0.05
    dob_day_month_swapped: float = 0.0012
    dob_digit: float = 0.0030
    dob_year: float = 0.0012
    #: 1 January written where the day is not known
    dob_january: float = 0.0005
    dob_missing: float = 0.0045
    sex_wrong: float = 0.0015
    sex_missing: float = 0.003
    #: of those who moved within the last year (and half of that the year before, and so on), the old address
    stale_address: float = 0.05
    postcode_typo: float = 0.006
    postcode_missing: float = 0.003
    address_abbreviated: float = 0.30
    #: the same person a second time within the delivery
    duplicate: float = 0.005


#: Patients re-register late: the list keeps old addresses. That about a tenth of addresses on patient
#: registers are out of date is a common finding of local audits; the split by year is a guess.
HEALTH_REGISTER = Recording(
    surname_typo=0.004, forename_typo=0.004, surname_variant=0.005, forename_variant=0.006, nickname=0.010,
    initial_only=0.001, middle_as_forename=0.005, swapped=0.0015, stale_surname=0.42, part_dropped=0.04,
    dob_day_month_swapped=0.0006, dob_digit=0.0012, dob_year=0.0006, dob_january=0.0004, dob_missing=0.0003,
    sex_missing=0.001, stale_address=0.45, postcode_typo=0.002, postcode_missing=0.002, duplicate=0.003,
)  # fmt: skip
#: Census 2021: nine in ten answered online, one in ten on scanned paper. Overcount about 0.6 % (ONS).
CENSUS = Recording(duplicate=0.006)
#: Typed by receptionists, copied from the patient register: guess.
GP_DIAGNOSES = Recording(stale_address=0.38, dob_missing=0.002, postcode_missing=0.01, duplicate=0.0)
#: Hospital episodes: date of birth and postcode are nearly complete in the published data-quality notes.
HOSPITAL_EPISODES = Recording(stale_address=0.25, dob_missing=0.003, postcode_missing=0.012, duplicate=0.0)
#: Employers type what the starter form says; initials and late addresses are common. Guess.
PAY = Recording(
    surname_typo=0.008, forename_typo=0.009, nickname=0.035, initial_only=0.06, stale_surname=0.35,
    dob_digit=0.004, dob_missing=0.004, stale_address=0.45, postcode_typo=0.008, postcode_missing=0.015,
    duplicate=0.002,
)  # fmt: skip
#: Claimants are interviewed and show documents; addresses matter for payment. Guess.
BENEFITS = Recording(surname_typo=0.004, nickname=0.010, stale_address=0.10, dob_missing=0.001, duplicate=0.003)
#: Asked face to face or by telephone: names by ear, nicknames often. Guess.
LABOUR_FORCE_SURVEY = Recording(
    surname_typo=0.012, forename_typo=0.010, nickname=0.05, initial_only=0.01, dob_missing=0.012,
    stale_address=0.0, duplicate=0.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """All rates of the specimen. See the module's docstring for how to read the sources."""

    # --- the country -------------------------------------------------------------------------------------
    #: Census 2021, England and Wales: 2.36 usual residents a household
    people_per_household: float = 2.36
    #: dwellings empty on the day: English housing statistics, about 3 % unfurnished and second homes
    vacant_dwellings: float = 0.035
    #: one enterprise for 12 people: about 5.5 million private businesses, 67 million people (BPE 2021)
    people_per_business: float = 12.0
    #: businesses with premises of their own rather than somebody's home: guess
    business_premises: float = 0.45
    #: nominal sizes of census geography: OA about 310 people, LSOA about 1,600, MSOA about 7,900 (ONS)
    people_per_oa: float = 300.0
    people_per_lsoa: float = 1_500.0
    people_per_msoa: float = 7_500.0
    #: LSOAs that were split or merged between 2011 and 2021: about 6 % (ONS)
    lsoa_changed: float = 0.06

    # --- families and names ------------------------------------------------------------------------------
    #: share of a household's reference person by naming tradition; sized after Census 2021 ethnic group,
    #: country of birth and main language; the division of the British part is a guess
    tradition_share: Mapping[str, float] = field(default_factory=lambda: {
        "british": 0.663, "scottish": 0.065, "irish": 0.045, "welsh": 0.040, "muslim_south_asian": 0.052,
        "sikh": 0.010, "hindu": 0.028, "east_european": 0.035, "chinese": 0.011, "nigerian": 0.013,
        "ghanaian": 0.006, "somali": 0.007, "arabic": 0.013, "iberian": 0.012,
    })  # fmt: skip
    #: the listed British surnames hold this share, the rest is a long tail; Smith is then about 1.1 % of all
    #: people (published surname counts: Smith 1.1-1.2 %, the first hundred about a fifth)
    surname_head: float = 0.62
    #: forenames drawn from the long tail rather than the decade's list, by generation: more now than then
    forename_tail_old: float = 0.06
    forename_tail_new: float = 0.22
    #: twin maternities 1.5 % (ONS births): of second and later children, those born with the one before
    twin_sibling: float = 0.034
    #: couples of two traditions: 1 in 10 (Census 2011, inter-ethnic couples about 9 %)
    mixed_couple: float = 0.10
    #: couples who are married or in a civil partnership: Census 2021, about 7 in 10 of those living together
    married_couple: float = 0.70
    #: couples of one sex: Labour Force Survey, about 1-2 %
    same_sex_couple: float = 0.016
    #: bride takes the groom's surname: surveys say 80-90 %; lower where tradition keeps it (guess)
    takes_surname: Mapping[str, float] = field(default_factory=lambda: {
        "british": 0.85, "scottish": 0.85, "irish": 0.80, "welsh": 0.85, "muslim_south_asian": 0.30,
        "sikh": 0.55,
        "hindu": 0.75, "east_european": 0.85, "chinese": 0.15, "nigerian": 0.75, "ghanaian": 0.60,
        "somali": 0.03, "arabic": 0.10, "iberian": 0.20,
    })  # fmt: skip
    #: brides who join both names; children given both: guess, rising
    double_barrelled: float = 0.03
    #: single women over 35 who keep a former husband's surname: guess from divorce and widowhood shares
    former_married_name: float = 0.38
    #: forename from the British lists although the surname is of another tradition; guess
    british_forename: Mapping[str, float] = field(default_factory=lambda: {
        "scottish": 0.55, "irish": 0.50, "welsh": 0.45, "east_european": 0.10, "chinese": 0.25,
        "nigerian": 0.20,
        "ghanaian": 0.20, "hindu": 0.04, "iberian": 0.08, "sikh": 0.04, "arabic": 0.02,
    })  # fmt: skip
    #: children of one household who share its surname; where names are not family names it is a draw: guess
    child_shares_surname: Mapping[str, float] = field(default_factory=lambda: {
        "muslim_south_asian": 0.75, "somali": 0.45, "arabic": 0.90,
    })  # fmt: skip
    #: Sikhs named Singh or Kaur alone, and South Asian Muslim women with a woman's surname: guesses
    singh_or_kaur: float = 0.35
    womans_surname: float = 0.45
    #: Portuguese and Spanish names of two surnames, and names with a particle (`da Silva`): guesses
    two_surnames: float = 0.70
    particle: float = 0.15
    #: people with one middle name, and with two (British lists; elsewhere a third as many): guess
    middle_name: float = 0.70
    two_middle_names: float = 0.12
    #: children with the mother's surname, of a couple and of a lone mother: ONS birth registrations, rounded
    mothers_surname_couple: float = 0.08
    mothers_surname_lone: float = 0.55
    #: adults (16 and over) born abroad, by tradition; children a fifth of it. Sized after Census 2021
    born_abroad: Mapping[str, float] = field(default_factory=lambda: {
        "british": 0.04, "scottish": 0.02, "irish": 0.35, "welsh": 0.01, "muslim_south_asian": 0.55,
        "sikh": 0.50,
        "hindu": 0.65, "east_european": 0.92, "chinese": 0.70, "nigerian": 0.65, "ghanaian": 0.65,
        "somali": 0.65, "arabic": 0.75, "iberian": 0.85,
    })  # fmt: skip
    #: of those born abroad, arrived within two years: Census 2021, about 1 in 11
    recent_immigrant: float = 0.09
    #: ethnic group (NHS letter code) by tradition, sized after Census 2021
    ethnic_group: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: {
        "british": {"A": 0.925, "C": 0.01, "D": 0.014, "E": 0.003, "F": 0.008, "G": 0.007, "M": 0.022,
        "P": 0.006, "S": 0.005},
        "scottish": {"A": 0.975, "G": 0.01, "D": 0.008, "C": 0.007},
        "irish": {"A": 0.58, "B": 0.40, "G": 0.02},
        "welsh": {"A": 0.985, "G": 0.015},
        "muslim_south_asian": {"J": 0.60, "K": 0.27, "H": 0.07, "L": 0.04, "F": 0.02},
        "sikh": {"H": 0.93, "L": 0.05, "F": 0.02}, "hindu": {"H": 0.85, "L": 0.12, "F": 0.03},
        "east_european": {"C": 0.98, "G": 0.02}, "chinese": {"R": 0.93, "F": 0.03, "L": 0.04},
        "nigerian": {"N": 0.93, "P": 0.03, "E": 0.04}, "ghanaian": {"N": 0.93, "P": 0.03, "E": 0.04},
        "somali": {"N": 0.95, "P": 0.03, "S": 0.02}, "arabic": {"S": 0.75, "C": 0.15, "L": 0.06, "G": 0.04},
        "iberian": {"C": 0.86, "S": 0.09, "G": 0.05},
    })  # fmt: skip
    #: people of these traditions born abroad whose birth day is not known and was set to 1 January: guess
    unknown_birthday: Mapping[str, float] = field(default_factory=lambda: {
        "somali": 0.12, "arabic": 0.05, "muslim_south_asian": 0.04, "nigerian": 0.01,
    })  # fmt: skip
    #: eldest sons named as their fathers: guess
    named_after_father: float = 0.02

    # --- moving ------------------------------------------------------------------------------------------
    #: address changed within a year: Census 2021, 10-11 %; young adults three times as often as others
    moved_in_year: float = 0.085
    moved_young_factor: float = 2.4
    #: moves that stay within the district: about two in three (internal migration statistics)
    moved_within_district: float = 0.65
    #: people on registers who are not residents, as a share of residents: died within three years, or left
    departed: float = 0.055
    #: of these, the dead (deaths are about 1 % a year)
    departed_dead: float = 0.5

    # --- difficulty of being recorded well ---------------------------------------------------------------
    #: published linkage reports find missed links 1.5-4 times as frequent for names outside the majority's
    #: tradition; the figures by tradition are guesses
    tradition_error: Mapping[str, float] = field(default_factory=lambda: {
        "british": 1.0, "scottish": 1.05, "irish": 1.1, "welsh": 1.1, "muslim_south_asian": 2.0, "sikh": 1.7,
        "hindu": 1.5, "east_european": 1.9, "chinese": 2.3, "nigerian": 1.9, "ghanaian": 1.8, "somali": 2.7,
        "arabic": 2.3, "iberian": 2.0,
    })  # fmt: skip
    young_man_error: float = 1.4  # men 20-39; guess
    mover_error: float = 1.5  # moved within two years; guess
    deprived_error: float = 1.2  # three most deprived tenths; guess
    difficulty_cap: float = 4.0

    # --- coverage ----------------------------------------------------------------------------------------
    #: Census 2021 person response was 97 %; lowest for men 25-29 and some minorities (ONS coverage reports)
    census_missed: float = 0.018
    census_missed_young_man: float = 2.4
    census_missed_mover: float = 1.5
    census_missed_deprived: float = 1.5
    #: whole households missed together, the rest person by person: guess
    census_missed_together: float = 0.5
    #: residents who are not on the patient register: recent immigrants, private and armed forces; guess
    register_missed: float = 0.006
    register_missed_young_man: float = 2.0
    register_missed_recent_immigrant: float = 12.0
    #: dead or departed who are still on the register: list inflation 4-5 % (NHS list sizes against estimates)
    register_keeps_dead: float = 0.45
    register_keeps_emigrant: float = 0.97
    register_deceased_flag: float = 0.88  # of the dead kept; guess
    register_embarkation_known: float = 0.40  # of the emigrants kept, whose removal is noted, months late; guess
    register_removed_wrongly: float = 0.003  # residents whom a list check took for moved away; guess
    contact_years: float = 0.9  # mean time since somebody was last seen by a practice; guess
    contact_years_young_man: float = 2.5  # times as long; guess
    gp_nhs_number_present: float = 0.975  # guess
    hospital_nhs_number_present: float = 0.965  # HES data quality: about 95-99 % by kind of care
    nhs_number_mistyped: float = 0.003  # guess
    national_insurance_mistyped: float = 0.004  # guess
    previous_surname_known: float = 0.40  # of those whose name changed, on the patient register; guess
    #: survey households that answer: the Labour Force Survey of 2021 had about 50 %, wave by wave falling
    survey_response: float = 0.52
    survey_sample: float = 0.055  # responding people as a share of the population; ours
    benefits_nino_missing: float = 0.004  # guess
    pay_nino_missing: float = 0.012  # temporary numbers and blanks; guess

    # --- health and work ---------------------------------------------------------------------------------
    #: diagnosed conditions that the practice coded: guess
    condition_coded: float = 0.93
    #: in work at 16-64 with no condition, before age, sex and place: Labour Force Survey 2021, about 80 %
    in_work_healthy: float = 0.84
    second_job: float = 0.035  # Labour Force Survey: about 1.1 million of 32 million
    self_employed: float = 0.13  # of those in work; Labour Force Survey 2021
    #: hospital episodes a person and year: 16-20 million finished consultant episodes, 56 million people
    episodes_per_person: float = 0.30

    # --- businesses and coding ---------------------------------------------------------------------------
    trading_style: float = 0.16  # businesses that trade under another name; guess
    register_sic_wrong: float = 0.03  # self-classified codes; guess after published re-coding studies
    register_dead: float = 0.05  # enterprises on the register that have ceased: guess
    #: small companies that are part of a larger one's enterprise (an enterprise of several legal units): guess
    enterprise_of_several: float = 0.05
    #: larger companies that belong to an enterprise group: guess
    enterprise_group: float = 0.08
    #: of these legal units, those that leave their enterprise in a quarter: guess
    enterprise_changed: float = 0.06
    #: how forms are filled in: postcodes without a blank, names in capitals; guesses
    census_postcode_tight: float = 0.08
    census_capitals: float = 0.20
    gp_note: float = 1 / 12  # entries with a free-text note; guess
    hospital_comorbidity_coded: float = 0.75  # chronic conditions coded beside the main diagnosis; guess
    hospital_ethnic_group_missing: float = 0.08  # published data-quality notes: 5-10 % not stated
    #: survey answers: a diagnosed condition reported as a problem, and a problem without a diagnosis
    survey_problem_reported: float = 0.83  # guess
    survey_problem_undiagnosed: float = 0.12  # guess
    survey_pay_answered: float = 0.80  # guess
    survey_occupation_uncoded: float = 0.03  # guess
    title_missing: float = 0.35  # pay rows without a job title; guess
    employer_typo: float = 0.02  # employer names with a slip; guess
    title_typo: float = 0.03  # guess
    title_outside_index: float = 0.12  # phrased as no index has it; guess

    # --- how each department writes ----------------------------------------------------------------------
    #: sources beside each value above
    health_register: Recording = HEALTH_REGISTER
    census: Recording = CENSUS
    gp_diagnoses: Recording = GP_DIAGNOSES
    hospital_episodes: Recording = HOSPITAL_EPISODES
    pay: Recording = PAY
    benefits: Recording = BENEFITS
    labour_force_survey: Recording = LABOUR_FORCE_SURVEY


RATES = Rates()
