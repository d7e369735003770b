"""The truth about the country, for tests and benchmarks alone: people, businesses, addresses and areas."""

import numpy as np
import pyarrow as pa

from integrated_data.specimen.businesses import industries
from integrated_data.specimen.chance import Bools
from integrated_data.specimen.country import Country
from integrated_data.specimen.departments.census import counted
from integrated_data.specimen.departments.health_register import registered
from integrated_data.specimen.health import conditions
from integrated_data.specimen.households import CHILD
from integrated_data.specimen.names import TRADITIONS
from integrated_data.specimen.people import ETHNIC_GROUPS
from integrated_data.specimen.text import column, date_column


def people(country: Country) -> pa.Table:
    """Return one row a person: names, groups by which quality is reported, and what the demo asks."""
    persons, work = country.people, country.work
    members = persons.members
    return pa.table({
        "person_id": np.arange(len(persons)),
        "forename": persons.names.forename, "middle_names": persons.names.middle,
        "surname": persons.names.surname, "birth_surname": persons.names.birth_surname,
        "sex": members.sex, "birth_date": date_column(persons.birth_day),
        "tradition": column(TRADITIONS).take(members.tradition),
        "ethnic_group": column(list(ETHNIC_GROUPS)).take(persons.ethnic_group),
        "household_id": members.household, "role": members.role, "address_id": members.address,
        "previous_address_id": pa.array(persons.previous_address, mask=persons.previous_address < 0),
        "moved_date": date_column(persons.moved_day),
        "status": column(["resident", "dead", "emigrated"]).take(persons.status),
        "left_date": date_column(persons.left_day),
        "born_abroad": persons.born_abroad, "arrived_date": date_column(persons.arrived_day),
        "name_changed_date": date_column(persons.names.changed_day),
        "mover": persons.mover, "young_man": persons.young_man, "twin": twins(country),
        "namesake": persons.names.namesake,
        "nhs_number": persons.nhs_number, "national_insurance": persons.national_insurance,
        "region_code": country.areas.codes_of("region", persons.region),
        "district_code": country.areas.codes_of("district", persons.district),
        "lsoa_code": country.areas.codes_of("lsoa", persons.lsoa),
        "deprivation_decile": persons.decile,
        "on_health_register": registered(country), "in_census": counted(country),
        "economic_activity": work.activity, "inactive_reason": work.reason,
        "self_employed": work.self_employed,
        **{f"has_{one.code.lower()}": country.health.has[:, place] for place, one in enumerate(conditions())},
    })  # fmt: skip


def twins(country: Country) -> Bools:
    """Return who shares birth day and household with a brother or sister."""
    members = country.people.members
    order = np.lexsort((members.birth_day, members.household))
    same = (np.diff(members.household[order]) == 0) & (np.diff(members.birth_day[order]) == 0)
    found = np.zeros(len(order), dtype=bool)
    found[order[1:][same]] = True
    found[order[:-1][same]] = True
    return np.asarray(found & (members.role == CHILD))


def businesses(country: Country) -> pa.Table:
    """Return one row a business."""
    firms = country.businesses
    return pa.table({
        "business_id": np.arange(len(firms)), "name": firms.name, "trading_name": firms.trading_name,
        "company_number": firms.company_number,
        "sic_code": column([one.code for one in industries()]).take(firms.industry),
        "address_id": firms.address, "live": firms.live, "employees": country.work.employees,
    })  # fmt: skip


def addresses(country: Country) -> pa.Table:
    """Return one row an address."""
    places = country.addresses
    return pa.table({
        "address_id": np.arange(len(places.uprn)), "uprn": places.uprn, "address": places.one_line,
        "postcode": places.postcode_text, "oa_code": country.areas.codes_of("oa", places.oa),
        "kind": column(["house", "flat", "named house", "communal", "premises"]).take(places.kind),
    })  # fmt: skip


def areas(country: Country) -> pa.Table:
    """Return one row an output area with the areas it lies in, 2011 and 2021, residents and deprivation."""
    land, persons = country.areas, country.people
    oa = np.arange(len(land.oas.codes))
    place = land.ancestors(oa)
    residents = np.bincount(country.addresses.oa[persons.members.address[persons.resident]], minlength=len(oa))
    return pa.table({
        **{f"{kind}_code": land.codes_of(kind, place[kind]) for kind in ("oa", "lsoa", "msoa", "district",
        "region")},
        "lsoa_2011_code": column(land.lsoa_2011_of_oa),
        "district_2011_code": column(land.district_2011_of_msoa).take(place["msoa"]),
        "deprivation_decile": land.decile[place["lsoa"]], "residents": residents,
    })  # fmt: skip
