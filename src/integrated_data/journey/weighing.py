"""Weights of linked records, made with the links and published beside them (see `index.quality.weights`)."""

from pathlib import Path

from integrated_data.index.quality import design, groups
from integrated_data.index.quality.weights import weigh
from integrated_data.journey.workshop import Facts, Workshop
from integrated_data.model.contract import Contract
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name

FRAME, GROUPS, WEIGHTS = "weighing_frame", "weighing_groups", "weighing_weights"


def weights_place(folder: Path, index: str) -> Path:
    """Where the weights of a delivery's links are, where it has some."""
    return folder / f"weights-{index}.parquet"


def weigh_links(workshop: Workshop, contract: Contract, *, index: str, links: str, folder: Path, good: str) -> Facts:
    """Save the weights of a link table, sealed; returns what they are like.

    For indexes of which analysts see the key alone: where attributes are published (areas, codes), it is
    they that are analysed. Groups are those by which quality is shown, and the postcode's area.
    """
    if workshop.seats.of(index).definition.publishes:
        return {}
    engine = workshop.engine
    columns = dict(groups.group_columns(contract, at=workshop.store.now().date()))
    postcodes = contract.meaning(Meaning.POSTCODE)
    if postcodes and "region" not in columns:
        written = f"upper({name(postcodes[0].name)}::VARCHAR)"
        columns["area"] = f"nullif(regexp_extract({written}, '^ *([A-Z]{{1,2}})', 1), '')"
    linked = f"SELECT l.record_id AS record, {design.linked_sql()} AS linked FROM {name(links)} l"
    try:
        if columns:
            engine.create(GROUPS, groups.few_sql(good, columns, record=ROW))
            linked = f"SELECT f.*, g.* EXCLUDE (record) FROM ({linked}) f JOIN {GROUPS} g ON g.record = f.record"
        engine.create(FRAME, linked)
        told = weigh(engine, frame=FRAME, by=tuple(columns), out=WEIGHTS)
        engine.save(f"SELECT * FROM {WEIGHTS}", weights_place(folder, index))
    finally:
        engine.drop(FRAME, GROUPS, WEIGHTS)
    return {"weights": {"groups": list(columns), **told}}
