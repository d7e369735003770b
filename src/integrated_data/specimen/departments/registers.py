"""Business register (with local units) and address register: sources of the Business and Address Indexes."""

import numpy as np
import pyarrow as pa

from integrated_data.specimen import identifiers
from integrated_data.specimen.addresses import PREMISES
from integrated_data.specimen.businesses import LEGAL_STATUS, PUBLIC_COMPANY, industries
from integrated_data.specimen.chance import Ints, happens, pick, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.recording import folded_or_none
from integrated_data.specimen.text import Text, choose, column, dates, join

#: Quarters of which the structure of enterprises is delivered, in order.
QUARTERS = ("2020 Q2", "2020 Q3", "2020 Q4", "2021 Q1")
#: Enterprises of a group, on average: guess.
_GROUP_SIZE = 3

#: Employees of a local unit: guess; a business of more than twice as many has several.
_UNIT_STAFF = 40


def deliver_businesses(country: Country) -> tuple[Sheet, ...]:
    """Return `business_register.csv`, `local_units.csv` and `enterprise_structure.csv`."""
    rng = stream(country.seed, "business_register")
    firms, places, rates = country.businesses, country.addresses, country.rates
    order = rng.permutation(len(firms))
    rows = len(order)
    codes = column([one.code for one in industries()])
    wrong = happens(rng, rates.register_sic_wrong, rows=rows)
    sic = codes.take(np.where(wrong, rng.integers(0, len(codes), rows), firms.industry[order]))
    staff = np.rint(country.work.employees[order] * rng.lognormal(0, 0.05, rows)).astype(np.int64)
    address = firms.address[order]
    ids = identifiers.record_ids(rng, rows, prefix="E")
    table = pa.table({
        "enterprise_ref": ids,
        "company_number": firms.company_number.take(order),
        "business_name": folded_or_none(firms.name.take(order)),
        "trading_name": firms.trading_name.take(order),
        "legal_status": column(LEGAL_STATUS).take(firms.legal_status[order]),
        "status": choose(firms.live[order], "Active", otherwise="Ceased"),
        "incorporation_date": dates(firms.started_day[order], "%d/%m/%Y"),
        "sic_code": sic,
        "address_line_1": first_line(country, address),
        "address_line_2": folded_or_none(places.locality.take(address)),
        "town": folded_or_none(places.town.take(address)),
        "postcode": places.postcode_text.take(address),
        "employees": pa.array(staff),
    })  # fmt: skip
    truth = truth_of(ids, business_id=order, address_id=address, sic_code=codes.take(firms.industry[order]))
    units = _local_units(rng, country, order=order, ids=ids)
    return (
        Sheet("business_register.csv", "comma", table, "enterprise_ref", truth, "business_register"),
        units,
        _structure(country, order=order, ids=ids),
    )


def first_line(country: Country, address: Ints) -> Text:
    """Return flat, building, number and street in one line."""
    places = country.addresses
    street = join([places.number.take(address), places.street.take(address)], " ")
    return folded_or_none(join([places.flat.take(address), places.building.take(address), street], ", "))


def _local_units(rng: np.random.Generator, country: Country, *, order: Ints, ids: Text) -> Sheet:
    """Give larger businesses several places of work, named after the business and its town."""
    firms, places = country.businesses, country.addresses
    staff = country.work.employees[order]
    units = np.where(staff > 2 * _UNIT_STAFF, np.minimum(staff // _UNIT_STAFF, 60), 0)
    parent = rng.permutation(np.repeat(np.arange(len(order)), units))
    premises = np.flatnonzero(places.kind == PREMISES)
    address = premises[pick(rng, np.ones(len(premises)), rows=len(parent))]
    refs = identifiers.record_ids(rng, len(parent), prefix="U")
    table = pa.table({
        "local_unit_ref": refs,
        "enterprise_ref": ids.take(parent),
        "unit_name": folded_or_none(join([firms.name.take(order[parent]), places.town.take(address)], " - ")),
        "address_line_1": first_line(country, address),
        "town": folded_or_none(places.town.take(address)),
        "postcode": places.postcode_text.take(address),
        "employees": pa.array(np.maximum(1, rng.poisson(_UNIT_STAFF, len(parent))).astype(np.int64)),
    })  # fmt: skip
    truth = truth_of(refs, business_id=order[parent], address_id=address)
    return Sheet("local_units.csv", "comma", table, "local_unit_ref", truth, "local_units")


def _structure(country: Country, *, order: Ints, ids: Text) -> Sheet:
    """Say of every legal unit, quarter by quarter, which enterprise and which enterprise group it belongs to."""
    rng = stream(country.seed, "enterprise_structure")
    firms, rates = country.businesses, country.rates
    rows = len(firms)
    reference = ids.take(np.argsort(order))
    company = firms.legal_status <= PUBLIC_COMPANY
    heads = np.flatnonzero(company & (firms.size > np.median(firms.size)))
    can_follow = np.flatnonzero(company & (firms.size <= np.median(firms.size)))
    grouped = heads[happens(rng, rates.enterprise_group, rows=len(heads))]
    group = np.full(rows, -1, dtype=np.int64)
    group[grouped] = rng.permutation(np.arange(len(grouped)) // _GROUP_SIZE)
    groups = identifiers.record_ids(rng, max(1, len(grouped)), prefix="G")
    leader = np.arange(rows)
    wanted = round(rates.enterprise_of_several * len(can_follow))
    sheets, truths = [], []
    for quarter in QUARTERS:
        following = can_follow[leader[can_follow] != can_follow]
        leaving = following[happens(rng, rates.enterprise_changed, rows=len(following))]
        leader[leaving] = leaving
        alone = can_follow[leader[can_follow] == can_follow]
        joining = rng.permutation(alone)[: wanted - (len(can_follow) - len(alone))]
        leader[joining] = heads[rng.integers(0, len(heads), len(joining))]
        shown = rng.permutation(rows)
        above = group[leader[shown]]
        sheets.append(pa.table({
            "company_number": firms.company_number.take(shown),
            "business_name": folded_or_none(firms.name.take(shown)),
            "postcode": country.addresses.postcode_text.take(firms.address[shown]),
            "statistical_unit": reference.take(leader[shown]),
            "enterprise_group": groups.take(pa.array(above, mask=above < 0)),
            "quarter": column([quarter] * rows),
        }))  # fmt: skip
        truths.append(pa.table({"business_id": shown, "enterprise_business_id": leader[shown]}))
    table, truth = pa.concat_tables(sheets), pa.concat_tables(truths)
    refs = identifiers.record_ids(rng, len(table), prefix="L")
    known = truth_of(refs, **{c: truth[c] for c in truth.column_names})
    table = table.add_column(0, "structure_row_id", refs)
    return Sheet("enterprise_structure.csv", "comma", table, "structure_row_id", known, "enterprise_structure")


def deliver_addresses(country: Country) -> tuple[Sheet, ...]:
    """Return `address_register.csv.gz`: every address with its coordinates and output area."""
    rng = stream(country.seed, "address_register")
    places, areas = country.addresses, country.areas
    order = rng.permutation(len(places.uprn))
    uprn = pa.array(places.uprn[order])
    table = pa.table({
        "uprn": uprn,
        "flat": places.flat.take(order),
        "building_name": places.building.take(order),
        "building_number": places.number.take(order),
        "street": places.street.take(order),
        "locality": places.locality.take(order),
        "town": places.town.take(order),
        "postcode": places.postcode_text.take(order),
        "latitude": pa.array(places.latitude[order]),
        "longitude": pa.array(places.longitude[order]),
        "oa21": areas.codes_of("oa", places.oa[order]),
        "lsoa21": areas.codes_of("lsoa", areas.oas.parent[places.oa[order]]),
        "classification": choose(places.kind[order] == PREMISES, "C", otherwise="R"),
    })  # fmt: skip
    truth = truth_of(uprn.cast(pa.string()), address_id=order)
    return (Sheet("address_register.csv.gz", "comma", table, "uprn", truth, "address_register", "gz"),)
