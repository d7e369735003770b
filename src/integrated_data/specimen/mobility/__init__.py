"""A mobile-phone operator's daily counts of journeys between areas: a year of files, and what goes wrong with some."""

from integrated_data.specimen.mobility.year import MobilityYear, Planted, write_year

__all__ = ["MobilityYear", "Planted", "write_year"]
