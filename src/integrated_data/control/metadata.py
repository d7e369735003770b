"""What every table of the control store belongs to."""

from sqlalchemy import MetaData

METADATA = MetaData()
