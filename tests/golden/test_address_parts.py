"""British addresses: free lines in, parts out (flat | building | number | street | locality | town | postcode)."""

import pyarrow as pa

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.address_parse import parsed_sql
from integrated_data.vocabulary import addresses

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
- | - | 20 | CLOS LLWYN ONN | - | LLANDEINIOL | -

PO BOX 12, LONDON
- | PO BOX 12 | 12 | - | - | LONDON | -

London
- | - | - | - | - | LONDON | -

2 Roman Court, Hurricane Way, Wickford
- | - | 2 | ROMAN COURT HURRICANE WAY | - | WICKFORD | -

Suite 7, Unit 4, Foo Business Park, Mill Road, Ely
4/7 | FOO BUSINESS PARK | - | MILL ROAD | - | ELY | -

LS1 4AB, Leeds, High Street 12
- | LEEDS | 12 | HIGH STREET | - | - | LS1 4AB

12 to 14 King St, York YO1 1AA, United Kingdom
- | - | 12-14 | KING STREET | - | YORK | YO1 1AA

12 High St LS1 1AA, Leeds LS1 2BB
- | - | 12 | HIGH STREET | - | LEEDS | -

221 Rue de Rivoli, 75001 Paris, France
- | - | 221 | RUE DE RIVOLI | 75001 PARIS | FRANCE | -

\U0001f600 12 High Street \U0001f600, Leeds
- | - | 12 | HIGH STREET | - | LEEDS | -
"""

#: Ordinary forms of public addresses in Wales, in either language or both.
WELSH = """
Fflat 2, 15 Stryd y Castell, Caernarfon, Gwynedd LL55 1SE
2 | - | 15 | CASTLE STREET | - | CAERNARFON | LL55 1SE

Tŷ Gwyn, Ffordd Caerdydd, Y Barri CF63 2BE
- | TY GWYN | - | CARDIFF ROAD | - | BARRY | CF63 2BE

Uned 4, Ffordd y Parc, Llanelwy LL17 0JE
4 | - | - | PARK ROAD | - | SAINT ASAPH | LL17 0JE

Llawr Cyntaf, 22 Heol Eglwys Fair, Caerdydd CF10 1PL
FLOOR FIRST | - | 22 | SAINT MARY STREET | - | CARDIFF | CF10 1PL

22 St Mary Street, Cardiff CF10 1PL
- | - | 22 | SAINT MARY STREET | - | CARDIFF | CF10 1PL

7 Lôn y Felin, Pen-y-bont ar Ogwr CF31 1AA
- | - | 7 | MILL LANE | - | BRIDGEND | CF31 1AA

Rhif 10, Stryd y Frenhines, Caerdydd / Cardiff CF10 2AF
- | - | 10 | QUEEN STREET | - | CARDIFF | CF10 2AF

31 Ffordd y Brenin, Abertawe/Swansea SA1 5LF
- | - | 31 | KING ROAD | - | SWANSEA | SA1 5LF

Ysgol Gyfun Gŵyr, Stryd Talbot, Tre-gŵyr, Abertawe SA4 3DB
- | YSGOL GYFUN GWYR | - | STRYD TALBOT | TRE GWYR | SWANSEA | SA4 3DB

Fferm y Bryn, Llanfair Caereinion, Y Trallwng, Powys
- | FFERM Y BRYN | - | - | LLANFAIR CAEREINION | WELSHPOOL | -

3 Clos y Wern, Caerffili CF83 1AB
- | - | 3 | CLOS Y WERN | - | CAERPHILLY | CF83 1AB

12 Rhodfa'r Gogledd, Aberystwyth SY23 2JH
- | - | 12 | NORTH AVENUE | - | ABERYSTWYTH | SY23 2JH

18 Heol y Bont, Y Bont-faen, Bro Morgannwg CF71 7AA
- | - | 18 | BRIDGE ROAD | - | COWBRIDGE | CF71 7AA

Fflat 3A, Llys Caradog, 5 Stryd Newydd, Bangor
3A | LLYS CARADOG | 5 | NEW STREET | - | BANGOR | -

9 Maes y Coed, Rhydaman, Sir Gaerfyrddin SA18 2AB
- | - | 9 | MAES Y COED | - | AMMANFORD | SA18 2AB

1 Heol yr Eglwys Newydd, Caerdydd
- | - | 1 | WHITCHURCH ROAD | - | CARDIFF | -

Yr Hen Ysgol, Llandysul, Ceredigion SA44 4QJ
- | YR HEN YSGOL | - | - | - | LLANDYSUL | SA44 4QJ

14 Y Stryd Fawr, Yr Wyddgrug, Sir y Fflint CH7 1AZ
- | - | 14 | HIGH STREET | - | MOLD | CH7 1AZ

Blwch Post 12, Wrecsam LL11 1AA
- | PO BOX 12 | 12 | - | - | WREXHAM | LL11 1AA

6 Ffordd Casnewydd, Cwmbrân NP44 1PL
- | - | 6 | NEWPORT ROAD | - | CWMBRAN | NP44 1PL

2 Heol Merthyr Tudful, Aberdâr
- | - | 2 | MERTHYR TYDFIL ROAD | - | ABERDARE | -

25 Stryd y Farchnad, Dinbych-y-pysgod, Sir Benfro SA70 7EU
- | - | 25 | MARKET STREET | - | TENBY | SA70 7EU

Swyddfa 5, Canolfan Fusnes, Glyn Ebwy NP23 6AA
5 | - | - | - | CANOLFAN FUSNES | EBBW VALE | NP23 6AA

Plas Newydd, Llanfairpwll, Ynys Môn LL61 6DQ
- | PLAS NEWYDD | - | - | - | LLANFAIRPWLL | LL61 6DQ

40 Heol y Gadeirlan, Caerdydd
- | - | 40 | CATHEDRAL ROAD | - | CARDIFF | -

40 Cathedral Road, Cardiff
- | - | 40 | CATHEDRAL ROAD | - | CARDIFF | -
"""
CASES = [tuple(case.splitlines()) for case in (GOLDEN + WELSH).strip().split("\n\n")]


def test_addresses_have_parts(engine: DuckDB) -> None:
    lines = [written for written, _ in CASES]
    engine.load("given", Held(pa.table({"row": range(len(lines)), "lines": lines})))
    parts = "flat, building, number, street, locality, town, postcode"
    found = engine.rows(f"SELECT {parts} FROM ({parsed_sql('given', keys='row', lines='lines')}) ORDER BY row")
    said = [" | ".join(value or "-" for value in row.values()) for row in found.to_pylist()]
    assert list(zip(lines, said, strict=True)) == CASES


def test_what_is_longer_than_any_address_is_cut(engine: DuckDB) -> None:
    engine.load("given", Held(pa.table({"row": [1], "lines": ["12 High Street, Otley, " + "far away " * 1_000]})))
    found = engine.rows(parsed_sql("given", keys="row", lines="lines")).to_pylist()[0]
    assert (found["number"], found["street"]) == ("12", "HIGH STREET")
    assert len(found["written"]) <= addresses.LONGEST


def test_an_address_of_nothing_has_no_parts(engine: DuckDB) -> None:
    engine.load("given", Held(pa.table({"row": [1, 2], "lines": pa.array([None, " , ,"], pa.string())})))
    assert engine.rows(parsed_sql("given", keys="row", lines="lines")).num_rows == 0
