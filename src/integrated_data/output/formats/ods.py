"""An accessible OpenDocument spreadsheet (ODF 1.3, ISO/IEC 26300) of a publication, written part by part."""

import re
from xml.sax.saxutils import escape, quoteattr

from integrated_data.output.formats.archive import legible, pack
from integrated_data.output.formats.pages import Page, pages
from integrated_data.output.formats.publication import Publication

TYPE = "application/vnd.oasis.opendocument.spreadsheet"

_SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'office:version="1.3"'
)

_STYLES = """<office:styles><style:default-style style:family="table-cell">
<style:paragraph-properties fo:text-align="start"/>
<style:text-properties fo:font-family="Arial" fo:font-size="12pt" fo:language="en" fo:country="GB"/>
</style:default-style></office:styles>"""

_AUTOMATIC = """<office:automatic-styles>
<style:style style:name="wide" style:family="table-column">
<style:table-column-properties style:column-width="16cm"/></style:style>
<style:style style:name="column" style:family="table-column">
<style:table-column-properties style:column-width="5cm"/></style:style>
<style:style style:name="title" style:family="table-cell">
<style:text-properties fo:font-weight="bold" fo:font-size="14pt"/></style:style>
<style:style style:name="heading" style:family="table-cell">
<style:table-cell-properties fo:wrap-option="wrap"/><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="wrapped" style:family="table-cell">
<style:table-cell-properties fo:wrap-option="wrap"/></style:style>
</office:automatic-styles>"""

_MANIFEST = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">
<manifest:file-entry manifest:full-path="/" manifest:version="1.3" manifest:media-type="{TYPE}"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
<manifest:file-entry manifest:full-path="styles.xml" manifest:media-type="text/xml"/>
<manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/>
</manifest:manifest>
"""

_RUNS = re.compile(r"( {2,}|^ | $|\t|\n)")


def write(publication: Publication) -> bytes:
    """The spreadsheet; the same publication gives the same bytes."""
    made = pages(publication)
    ranges = "".join(_range(page) for page in made if page.grid is not None)
    body = (
        f"<office:body><office:spreadsheet>{''.join(map(_table, made))}"
        f"<table:database-ranges>{ranges}</table:database-ranges></office:spreadsheet></office:body>"
    )
    about = (
        f"<office:meta><dc:title>{_text(publication.title)}</dc:title><dc:language>en-GB</dc:language>"
        "<meta:generator>Integrated Data Service</meta:generator></office:meta>"
    )
    parts = [
        ("mimetype", TYPE.encode()),
        ("content.xml", _document("content", _AUTOMATIC + body)),
        ("styles.xml", _document("styles", _STYLES)),
        ("meta.xml", _document("meta", about)),
        ("META-INF/manifest.xml", _MANIFEST.encode()),
    ]
    return pack(parts, first_stored=True)


def _document(kind: str, inside: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<office:document-{kind} {_SPACES}>{inside}</office:document-{kind}>".encode()


def _table(page: Page) -> str:
    columns = len(page.grid.headings) if page.grid is not None else 1
    style = "column" if page.grid is not None else "wide"
    lines = "".join(
        f"<table:table-row>{_cell(line, style='title' if number == 0 else 'wrapped' if page.grid is None else '')}"
        "</table:table-row>"
        for number, line in enumerate(page.lines)
    )
    return (
        f"<table:table table:name={quoteattr(page.name)}>"
        f'<table:table-column table:style-name="{style}" table:number-columns-repeated="{columns}"/>'
        f"{lines}{_grid(page)}</table:table>"
    )


def _grid(page: Page) -> str:
    if page.grid is None:
        return ""
    heads = "".join(_cell(h, style="heading") for h in page.grid.headings)
    rows = []
    for row in page.grid.rows:
        first = _linked(str(row[0])) if page.links else _cell(row[0], style="wrapped")
        rows.append("<table:table-row>" + first + "".join(_cell(v, style="wrapped") for v in row[1:]))
    body = "".join(row + "</table:table-row>" for row in rows)
    return f"<table:table-header-rows><table:table-row>{heads}</table:table-row></table:table-header-rows>{body}"


def _cell(value: str | int | float, *, style: str) -> str:
    styled = f' table:style-name="{style}"' if style else ""
    if isinstance(value, str):
        return (
            f'<table:table-cell{styled} office:value-type="string"><text:p>{_text(value)}</text:p></table:table-cell>'
        )
    return (
        f'<table:table-cell{styled} office:value-type="float" office:value="{value!r}">'
        f"<text:p>{value!r}</text:p></table:table-cell>"
    )


def _linked(name: str) -> str:
    """A cell that leads to a worksheet."""
    inside = f'<text:a xlink:type="simple" xlink:href={quoteattr("#" + name)}>{_text(name)}</text:a>'
    return f'<table:table-cell office:value-type="string"><text:p>{inside}</text:p></table:table-cell>'


def _text(text: str) -> str:
    """A text whose spaces are kept: OpenDocument reads several as one."""
    return "".join(_run(part) for part in _RUNS.split(legible(text).replace("\r", "\n")))


def _run(part: str) -> str:
    if part == "\t":
        return "<text:tab/>"
    if part == "\n":
        return "<text:line-break/>"
    if part and not part.strip(" "):
        return f'<text:s text:c="{len(part)}"/>'
    return escape(part)


def _range(page: Page) -> str:
    """The table as one that software can find by its name."""
    assert page.grid is not None
    last = f"{_letters(len(page.grid.headings))}{page.heading_row + len(page.grid.rows)}"
    place = f"{page.name}.A{page.heading_row}:{page.name}.{last}"
    return (
        f"<table:database-range table:name={quoteattr(page.table)} "
        f'table:target-range-address={quoteattr(place)} table:contains-header="true"/>'
    )


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
