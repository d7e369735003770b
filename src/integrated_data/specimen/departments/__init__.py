"""The departments: each writes what it knows of the country, in its own layout, with its own errors."""

from collections.abc import Callable

from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet
from integrated_data.specimen.departments import (
    benefits,
    census,
    geography,
    gp_diagnoses,
    health_register,
    hospital_episodes,
    indexes,
    labour_force_survey,
    pay,
    registers,
)

#: Departments in the order in which they deliver; each function returns the sheets of its delivery.
DEPARTMENTS: dict[str, Callable[[Country], tuple[Sheet, ...]]] = {
    "postcode_directory": geography.deliver,
    "address_register": registers.deliver_addresses,
    "business_register": registers.deliver_businesses,
    "classifications": indexes.deliver,
    "health_register": health_register.deliver,
    "census": census.deliver,
    "gp_diagnoses": gp_diagnoses.deliver,
    "hospital_episodes": hospital_episodes.deliver,
    "pay": pay.deliver,
    "benefits": benefits.deliver,
    "labour_force_survey": labour_force_survey.deliver,
}
