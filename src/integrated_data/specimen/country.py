"""The whole fictional country, built once from a seed; departments then write what they know of it."""

from collections.abc import Callable
from dataclasses import dataclass

from integrated_data.specimen import addresses, areas, businesses, health, households, jobs, people
from integrated_data.specimen.addresses import Addresses, Postcodes
from integrated_data.specimen.areas import Areas
from integrated_data.specimen.businesses import Businesses
from integrated_data.specimen.health import Health
from integrated_data.specimen.jobs import Work
from integrated_data.specimen.people import People
from integrated_data.specimen.rates import RATES, Rates


@dataclass(frozen=True, slots=True)
class Country:
    """Everything that is true. Nothing of it may be handed to a stage of the service."""

    seed: int
    rates: Rates
    areas: Areas
    addresses: Addresses
    postcodes: Postcodes
    people: People
    businesses: Businesses
    health: Health
    work: Work


def build(*, count: int, seed: int, progress: Callable[[str], None] | None = None, rates: Rates = RATES) -> Country:
    """Build a country of `count` residents; the same seed and count give the same country."""
    tell = progress or (lambda _: None)
    tell("areas and addresses")
    land = areas.build(seed, count, rates=rates)
    firms = max(120, round(count / rates.people_per_business))
    homes = households.communal_homes(count)
    places, postcodes = addresses.build(seed, land, rates=rates, businesses=firms, communal=homes)
    tell("people")
    members = households.build(seed, land, addresses=places, rates=rates, people=count)
    persons = people.build(seed, members, areas=land, addresses=places, rates=rates, people=count)
    tell("businesses, health and jobs")
    trade = businesses.build(seed, land, addresses=places, rates=rates, count=firms)
    conditions = health.build(seed, persons)
    work = jobs.build(seed, persons, health=conditions, businesses=trade, rates=rates)
    return Country(seed, rates, land, places, postcodes, persons, trade, conditions, work)
