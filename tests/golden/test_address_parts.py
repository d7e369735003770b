"""British addresses: free lines in, parts out (flat | building | number | street | locality | town | postcode)."""

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.address_parse import parsed_sql

GOLDEN = """
Flat 2, 14 St. John's Rd, Leeds LS1 4AB
2 | - | 14 | SAINT JOHNS ROAD | - | LEEDS | LS1 4AB

FLAT 2 14 SAINT JOHNS ROAD LEEDS
2 | - | 14 | SAINT JOHNS ROAD | - | LEEDS | -

UNIT 7A RADFORD CRESCENT BILLERICAY
7A | - | - | RADFORD CRESCENT | - | BILLERICAY | -

Unit 7a, Radford Cres., Billericay, Essex
7A | - | - | RADFORD CRESCENT | - | BILLERICAY | -

HILLBROOK HOUSE DODDINGHURST ROAD BRENTWOOD
- | HILLBROOK HOUSE | - | DODDINGHURST ROAD | - | BRENTWOOD | -

3 Rose Court, 12-14 High Street, Llanelli, Dyfed SA15 3LP
3 | ROSE COURT | 12-14 | HIGH STREET | - | LLANELLI | SA15 3LP

12 A High St;Otley
- | - | 12A | HIGH STREET | - | OTLEY | -

400/404 LINTHORPE ROAD, MIDDLESBROUGH
- | - | 400-404 | LINTHORPE ROAD | - | MIDDLESBROUGH | -

First Floor, 39 High Street, Billericay
FLOOR FIRST | - | 39 | HIGH STREET | - | BILLERICAY | -

Rear of 17 Radford Way, Billericay
- | REAR OF | 17 | RADFORD WAY | - | BILLERICAY | -

Oak House, 16, Fern Road, Sherness Bank, Oakstoke, FN1 0FL
- | OAK HOUSE | 16 | FERN ROAD | SHERNESS BANK | OAKSTOKE | FN1 0FL

43, Dickens Court, Dalfield
- | - | 43 | DICKENS COURT | - | DALFIELD | -

43 Dickens Ct, Dalfield
- | - | 43 | DICKENS COURT | - | DALFIELD | -

Park View, St Peter's Ln, Loxhaven
- | PARK VIEW | - | SAINT PETERS LANE | - | LOXHAVEN | -

5 Station Road North, Penarth
- | - | 5 | STATION ROAD NORTH | - | PENARTH | -

The Old Rectory, Ashby, LE65 1AB
- | THE OLD RECTORY | - | - | - | ASHBY | LE65 1AB

7 Trinity Mews, N. Ormesby, Middlesbrough
- | - | 7 | TRINITY MEWS | NORTH ORMESBY | MIDDLESBROUGH | -

Fflat 3, 12 Heol yr Orsaf, Caerdydd
3 | - | 12 | STATION ROAD | - | CARDIFF | -

8 Stryd Fawr, Y Fenni
- | - | 8 | HIGH STREET | - | ABERGAVENNY | -

14 Heol Newydd, Llangoed
- | - | 14 | NEW ROAD | - | LLANGOED | -

20 Clos Llwyn Onn, Llandeiniol, Ynys Môn
- | - | 20 | CLOS LLWYN ONN | LLANDEINIOL | ANGLESEY | -

PO BOX 12, LONDON
- | PO BOX 12 | - | - | - | LONDON | -

London
- | LONDON | - | - | - | - | -
"""
CASES = [tuple(case.splitlines()) for case in GOLDEN.strip().split("\n\n")]


@pytest.mark.parametrize(("written", "expected"), CASES, ids=[written for written, _ in CASES])
def test_addresses_have_parts(engine: DuckDB, written: str, expected: str) -> None:
    engine.load("given", Held(pa.table({"row": [1], "lines": [written]})))
    parts = "flat, building, number, street, locality, town, postcode"
    found = engine.rows(f"SELECT {parts} FROM ({parsed_sql('given', keys='row', lines='lines')})")
    values = found.rename_columns([f"c{i}" for i in range(7)]).to_pylist()[0].values()
    assert " | ".join(value or "-" for value in values) == expected


def test_an_address_of_nothing_has_no_parts(engine: DuckDB) -> None:
    engine.load("given", Held(pa.table({"row": [1, 2], "lines": pa.array([None, " , ,"], pa.string())})))
    assert engine.rows(parsed_sql("given", keys="row", lines="lines")).num_rows == 0
