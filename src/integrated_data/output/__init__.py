"""Output control: what an analyst may take out, checked by the people behind each cell.

The analyst's side of the wall: it reads views through the gateway that is handed in, and the
control store; never an entity id, never the identified zone.
"""
