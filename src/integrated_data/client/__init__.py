"""The analyst's Python client: over the network (`connect`, see `client/remote.py`), or on the service's machine.

    with Client("/srv/ids", project="P-2026-work", person="ada") as client:
        client.query("SELECT region, count(DISTINCT person_key) AS people FROM census GROUP BY region")
        client.sensitivity("SELECT region, count(DISTINCT person_key) AS people FROM census GROUP BY region")

Every question goes through the gate and a worker, like one of `ids query`. In production the person is the
one whose token is in IDS_TOKEN; in a trial whoever is named is believed.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from integrated_data.access.asked import Question
from integrated_data.access.sensitivity import Runs, Sensitivity, sensitivity
from integrated_data.client.remote import Answer, Connection, Running, connect
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.people import Action
from integrated_data.model.twins import TWINS
from integrated_data.site.acting import who_acts
from integrated_data.site.analysis import open_analysis
from integrated_data.site.places import Places
from integrated_data.site.settings import from_environment

__all__ = ["Answer", "Client", "Connection", "Estimate", "Estimator", "Running", "Runs", "Sensitivity", "connect"]


class Client:
    """One person's access to one project of an installation. A context manager: leaving it closes it."""

    def __init__(self, home: Path | str, *, project: str, person: str) -> None:
        places, settings = Places(Path(home)), from_environment()
        places.check()
        acting = who_acts(places, settings, named=None if settings.production else person)
        acting.check_own(person)
        acting.check(Action.LOOK if project == TWINS else Action.QUERY)
        acting.check_project(None if project == TWINS else project)
        self._project, self._person = project, person
        self._opened = ExitStack()
        self._site = self._opened.enter_context(open_analysis(places, settings))

    def query(self, sql: str, *, as_at: str = "") -> pa.Table:
        """The rows a question asks for; raises the refusal. `as_at`: the tables as at a day, or a release's number."""
        return self._site.gateway.query(replace(self._question(sql), as_at=as_at))

    def estimate(self, estimate: Estimate, *, data: str) -> pa.Table:
        """The table of a model fitted over the rows of a question; raises the refusal."""
        return self._site.gateway.query(replace(self._question(data), fit=Fit(estimate)))

    def sensitivity(self, sql: str, *, runs: Runs | None = None) -> Sensitivity:
        """The same with an interval for each figure, from other sets of links; raises the refusal."""
        found = sensitivity(self._site.gateway, self._question(sql), runs=runs)
        if found.answer.refusal is not None:
            raise found.answer.refusal
        return found

    def close(self) -> None:
        """Close the installation."""
        self._opened.close()

    def _question(self, sql: str) -> Question:
        return Question(self._person, self._project, sql)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
