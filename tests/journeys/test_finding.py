"""Single addresses against the Address Index of an installation: loaded by the command, asked from Python."""

from pathlib import Path

import pyarrow.csv
import pytest

from integrated_data.model.errors import Refusal
from integrated_data.model.linkage import Band
from integrated_data.site.finding import open_addresses
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from tests.journeys.installation import ids, made
from tests.unit.test_address_index import LIST, drawn

HEADINGS = ["uprn", "flat", "building_name", "street", "locality", "town", "postcode"]
SETTINGS = Settings(home=None, threads=1, memory="1GB", production=False, actor="system:test")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("finding"))


def test_an_index_that_holds_nothing_says_so(home: Path) -> None:
    with open_loading(Places(home), SETTINGS) as site, pytest.raises(Refusal, match="address"):
        open_addresses(site)


def test_one_address_and_an_address_being_typed(home: Path, tmp_path: Path) -> None:
    """What a register wrote is found in the other language, without its postcode, and from a few letters."""
    listed = drawn(LIST).drop_columns(["record_id"]).rename_columns(HEADINGS)
    pyarrow.csv.write_csv(listed, tmp_path / "list.csv")
    ran = ids(home, "reference", "load", "address", tmp_path / "list.csv", "--source", "list", "--id", "uprn")
    assert ran.code == 0, ran.err
    with open_loading(Places(home), SETTINGS) as site:
        finder, typeahead = open_addresses(site)
        typed = {text: typeahead.suggest(text, limit=1)[0] for text in ("8 stryd fa", "12 high st o", "rectory")}
        welsh = finder.find({"address": "8 High Street, Bala", "postcode": "LL23 7AG"})
        bare = finder.find({"address": "The Old Rectory, Church Lane, Ashby", "postcode": None})
        either = finder.find({"address": "5 Station Road"})
    assert typed["8 stryd fa"].address == "8, STRYD FAWR, Y BALA, LL23 7AG"
    assert (welsh.band, welsh.entity_id) == (Band.ACCEPT, typed["8 stryd fa"].entity_id)
    assert typed["12 high st o"].address == "12, HIGH STREET, OTLEY, LS21 1AA"
    assert (bare.band, bare.entity_id) == (Band.ACCEPT, typed["rectory"].entity_id)
    assert (either.band, either.entity_id, len(either.alternatives)) == (Band.CLERICAL, None, 1)
