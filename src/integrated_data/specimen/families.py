"""What people are called: surnames by birth and marriage, forenames within families, middle names."""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen import names
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, stream
from integrated_data.specimen.households import (
    CHILD,
    COUPLE,
    EXTENDED,
    FAMILY,
    FEMALE,
    GRANDPARENT,
    GROWN,
    HEAD,
    MALE,
    PARTNER,
    Members,
)  # fmt: skip
from integrated_data.specimen.names import ALONE, BLANK, DA, DOS, HYPHEN, IBERIAN, MUSLIM, SIKH, TRADITIONS
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import CENSUS_DAY, NO_DAY, YEAR, Text, choose, column, join, take, year_of


@dataclass(frozen=True, slots=True)
class Names:
    """One entry a person. `middle` may be missing; `changed_day` is the marriage that changed the name."""

    forename: Text
    middle: Text
    surname: Text
    birth_surname: Text
    changed_day: Ints
    namesake: Bools


def build(seed: int, members: Members, *, rates: Rates) -> Names:
    """Name everybody."""
    rng = stream(seed, "families")
    birth = _birth_surnames(rng, members, rates=rates)
    now, changed = _married_surnames(rng, members, birth=birth, rates=rates)
    woman = members.sex == FEMALE
    forename, namesake = _forenames(rng, members, rates=rates)
    middle = _middle_names(rng, members, surname=now, rates=rates)
    words = names.book().forenames
    return Names(
        words.take(forename),
        middle,
        names.surname_text(now, woman),
        names.surname_text(birth, woman),
        changed,
        namesake,
    )


def _per_tradition(mapping: dict[str, float], default: float) -> Floats:
    return np.array([mapping.get(name, default) for name in TRADITIONS])


def _of_household(members: Members, values: Ints, *, role: int, default: Ints) -> Ints:
    """Return, for each household, the value of its member in a role (head, partner), else the default."""
    found = default.copy()
    mine = members.role == role
    found[members.household[mine]] = values[mine]
    return found


def _own_surnames(rng: np.random.Generator, members: Members, *, rates: Rates) -> Ints:
    """Draw a surname for everybody as if nobody were related, two surnames and particles included."""
    rows = len(members.household)
    tradition = members.tradition
    first, second = names.draw_surnames(rng, tradition), names.draw_surnames(rng, tradition)
    woman = members.sex == FEMALE
    womans = (tradition == MUSLIM) & woman & happens(rng, rates.womans_surname, rows=rows)
    first[womans] = names.book().women_pool.draw(rng, int(womans.sum()))
    joined = np.zeros(rows, dtype=np.int64)
    iberian = tradition == IBERIAN
    joined[iberian & happens(rng, rates.two_surnames, rows=rows)] = BLANK
    joined[iberian & (joined == ALONE) & happens(rng, rates.particle / (1 - rates.two_surnames), rows=rows)] = DA
    joined[(joined == DA) & (rng.random(rows) < 0.5)] = DOS
    hyphen = (
        (tradition == names.BRITISH) & (members.birth_day > 9_000) & happens(rng, rates.double_barrelled, rows=rows)
    )
    joined[hyphen & (first != second)] = HYPHEN
    return names.surname_code(first, np.where(joined == ALONE, 0, second), joined=joined)


def _birth_surnames(rng: np.random.Generator, members: Members, *, rates: Rates) -> Ints:
    """Give children the father's, the mother's or both surnames; sons' families their grandfather's."""
    rows = len(members.household)
    houses = int(members.household[-1]) + 1
    own = _own_surnames(rng, members, rates=rates)
    family = _of_household(members, own, role=HEAD, default=np.zeros(houses, dtype=np.int64))
    mother = _of_household(members, own, role=PARTNER, default=family)
    couple = np.isin(members.kind, (COUPLE, FAMILY, GROWN, EXTENDED))
    absent = names.draw_surnames(
        rng, _of_household(members, members.tradition, role=HEAD, default=np.zeros(houses, np.int64))
    )
    lone_mother = happens(rng, rates.mothers_surname_lone, rows=houses)
    from_mother = happens(rng, rates.mothers_surname_couple, rows=houses)
    both = happens(rng, rates.double_barrelled, rows=houses) & (family != mother)
    by_lone = np.where(lone_mother, family, names.surname_code(absent, 0 * absent, joined=0 * absent))
    f_first, m_first = names.surname_parts(family)[0], names.surname_parts(mother)[0]
    by_couple = np.where(
        from_mother,
        mother,
        np.where(both, names.surname_code(f_first, m_first, joined=both * HYPHEN), family),
    )
    spanish = _of_household(members, members.tradition, role=HEAD, default=np.zeros(houses, np.int64)) == IBERIAN
    by_couple = np.where(spanish & (names.surname_parts(family)[2] == BLANK),
                         names.surname_code(f_first, m_first, joined=np.full(houses, BLANK)),
                         by_couple)  # fmt: skip
    inherited = np.where(couple, by_couple[members.household], by_lone[members.household])
    shares = _per_tradition(dict(rates.child_shares_surname), 1.0)[members.tradition]
    child = (members.role == CHILD) & happens(rng, shares, rows=rows)
    grandfather = (members.role == GRANDPARENT) & (members.sex == MALE)
    found = np.where(child, inherited, np.where(grandfather, family[members.household], own))
    return _sikh(rng, members, code=found, rates=rates)


def _sikh(rng: np.random.Generator, members: Members, *, code: Ints, rates: Rates) -> Ints:
    """Write Singh or Kaur in place of a family name for some Sikhs."""
    book = names.book()
    plain = np.where(members.sex == FEMALE, book.kaur, book.singh)
    first = names.surname_parts(code)[0]
    some = (members.tradition == SIKH) & (
        happens(rng, rates.singh_or_kaur, rows=len(code)) | np.isin(first, (book.singh, book.kaur))
    )
    return np.where(some, names.surname_code(plain, 0 * plain, joined=0 * plain), code)


def _married_surnames(rng: np.random.Generator, members: Members, *, birth: Ints, rates: Rates) -> tuple[Ints, Ints]:
    """Return today's surnames and the day each was changed (or `NO_DAY`)."""
    rows = len(birth)
    houses = int(members.household[-1]) + 1
    years = (CENSUS_DAY - members.birth_day) / YEAR
    married = happens(rng, rates.married_couple, rows=houses)[members.household]
    takes = happens(rng, _per_tradition(dict(rates.takes_surname), 0.8)[members.tradition], rows=rows)
    husband = _of_household(members, birth, role=HEAD, default=np.zeros(houses, dtype=np.int64))[members.household]
    wife = (members.role == PARTNER) & (members.sex == FEMALE) & married & takes & (years > 18)
    grandmother = (members.role == GRANDPARENT) & (members.sex == FEMALE) & takes
    alone = (members.sex == FEMALE) & (members.role != PARTNER) & (members.role != CHILD) & ~grandmother & (years > 35)
    former = alone & takes & happens(rng, rates.former_married_name, rows=rows)
    stranger = names.draw_surnames(rng, members.tradition)
    stranger = names.surname_code(stranger, 0 * stranger, joined=0 * stranger)
    now = np.where(wife | grandmother, husband, np.where(former, stranger, birth))
    double = wife & happens(rng, rates.double_barrelled, rows=rows)
    joined = names.surname_code(
        names.surname_parts(birth)[0], names.surname_parts(husband)[0], joined=np.full(rows, HYPHEN)
    )
    now = _sikh_wife(members, np.where(double, joined, now), birth=birth)
    changed = now != birth
    wed = members.birth_day + np.rint(np.clip(rng.normal(30.5, 6.5, rows), 18.2, 70) * YEAR).astype(np.int64)
    latest = np.minimum(years - 18, 8.0).clip(0.1)
    recent = CENSUS_DAY - np.rint(latest * rng.random(rows) * YEAR).astype(np.int64)
    wed = np.where(former | grandmother, np.minimum(wed, CENSUS_DAY - 3_650), np.where(wed > CENSUS_DAY, recent, wed))
    return now, np.where(changed, wed, NO_DAY).astype(np.int64)


def _sikh_wife(members: Members, now: Ints, *, birth: Ints) -> Ints:
    """Keep Kaur where a woman has it, and let no woman become Singh."""
    book = names.book()
    kept = (members.tradition == SIKH) & np.isin(names.surname_parts(now)[0], (book.singh, book.kaur))
    return np.where(kept, birth, now)


def _forenames(rng: np.random.Generator, members: Members, *, rates: Rates) -> tuple[Ints, Bools]:
    """Draw forenames, different within brothers and sisters; a few eldest sons are named as their fathers."""
    rows = len(members.household)
    year = year_of(members.birth_day)
    found = names.draw_forenames(rng, members.tradition, sex=members.sex, year=year, rates=rates)
    for _ in range(4):
        order = np.lexsort((found, members.household))
        same = (np.diff(members.household[order]) == 0) & (np.diff(found[order]) == 0)
        again = order[1:][same]
        again = again[members.role[again] == CHILD]
        found[again] = names.draw_forenames(
            rng, members.tradition[again], sex=members.sex[again], year=year[again], rates=rates
        )
    couple = np.isin(members.kind, (FAMILY, GROWN, EXTENDED))
    eldest = (members.role == CHILD) & (np.diff(members.role, append=HEAD) != 0)
    namesake = couple & eldest & (members.sex == MALE) & happens(rng, rates.named_after_father, rows=rows)
    houses = int(members.household[-1]) + 1
    father = _of_household(members, found, role=HEAD, default=np.zeros(houses, dtype=np.int64))
    return np.where(namesake, father[members.household], found), namesake


def _middle_names(rng: np.random.Generator, members: Members, *, surname: Ints, rates: Rates) -> Text:
    """Give British people one or two middle names, Sikhs Singh or Kaur, others seldom one."""
    rows = len(members.household)
    year = year_of(members.birth_day) - 25
    book = names.book()
    first = book.forenames.take(names.draw_forenames(rng, members.tradition, sex=members.sex, year=year, rates=rates))
    second = book.forenames.take(names.draw_forenames(rng, members.tradition, sex=members.sex, year=year, rates=rates))
    home = members.tradition < 4
    one = happens(rng, np.where(home, rates.middle_name, rates.middle_name / 3), rows=rows)
    two = happens(rng, np.where(home, rates.two_middle_names, 0.0), rows=rows)
    middle = choose(two, join([first, second], " "), otherwise=choose(one, first, otherwise=None))
    plain = take(column(["Singh", "Kaur"]), np.where(members.sex == FEMALE, 1, 0))
    is_plain = np.isin(names.surname_parts(surname)[0], (book.singh, book.kaur))
    return choose(members.tradition == SIKH, choose(is_plain, None, otherwise=plain), otherwise=middle)
