"""Single records against an index held open, on the loading side; nothing is written or changed."""

from integrated_data.control import indexes
from integrated_data.index.reference.address import ALIKE, INDEX
from integrated_data.index.reference.finder import Finder, open_finder
from integrated_data.index.reference.typeahead import Typeahead, open_typeahead
from integrated_data.journey.linking import version_folder
from integrated_data.site.loading import LoadingSite


def open_addresses(site: LoadingSite) -> tuple[Finder, Typeahead]:
    """The newest version of the Address Index, for addresses given whole and for those being typed.

    Both hold it in memory until they are dropped, and go on with that version when there is a newer one.
    Refuses when the index holds nothing yet.
    """
    with site.store.read() as connection:
        version = indexes.get(connection, INDEX.name)
    folder = version_folder(site.places.indexes, INDEX.name, version=version.version)
    return open_finder(site.engine, ALIKE, folder=folder), open_typeahead(site.engine, folder=folder)
