"""The Integrated Data Service: index once, link often.

Departments hand in files; every record is matched once to five reference indexes; analysts on
approved projects join anything by one key; what leaves passes disclosure control.
"""

__version__ = "0.1.0"
