"""Which files an edition is published as."""

import csv
import io

from integrated_data.output.formats import ods, page, sdmx, xlsx
from integrated_data.output.formats.publication import Grid, Publication, harmless


def write(publication: Publication, *, beside: tuple[str, ...]) -> dict[str, bytes]:
    """The files by name. `beside`: files of the same package, which the page names too."""
    files = {"tables.xlsx": xlsx.write(publication), "tables.ods": ods.write(publication)}
    for number, sheet in enumerate(publication.sheets, start=1):
        if sheet.proven:
            files[f"table{'' if number == 1 else f'-{number}'}.sdmx.csv"] = sdmx.write(
                publication, sheet, number=number
            )
    if publication.revisions.rows:
        files["revisions.csv"] = _csv(publication.revisions)
    files["index.html"] = page.write(publication, files=sorted({*beside, *files}))
    return files


def _csv(grid: Grid) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([[harmless(v) for v in row] for row in (grid.headings, *grid.rows)])
    return buffer.getvalue().encode()
