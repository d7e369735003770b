"""The HTTP door: an application over one desk. Described by itself at /openapi.json."""

from fastapi import FastAPI

from integrated_data import __version__
from integrated_data.serving import asking, coming_in, federating, finding, problems
from integrated_data.serving.desk import Desk
from integrated_data.serving.handles import Handles
from integrated_data.serving.shield import Shield
from integrated_data.site.federation.letters import Once

ABOUT = """
Questions to governed tables, in SQL. Sign in with a personal token, a session or the identity provider's
token (`Authorization: Bearer`), name the
project in `x-ids-project`, choose the format with `Accept`: Arrow, JSON, CSV or Parquet. SQL travels in
the body only; nothing about a person stands in an address.
"""


def make_app(desk: Desk) -> FastAPI:
    """The application; `desk` is closed by whoever made it."""
    app = FastAPI(
        title="Integrated Data Service", version=__version__, description=ABOUT, docs_url=None, redoc_url=None
    )
    app.state.desk, app.state.handles = desk, Handles(desk.holding.seconds)
    app.state.tickets, app.state.once = coming_in.Tickets(), Once()
    app.include_router(coming_in.router)
    app.include_router(asking.router)
    app.include_router(finding.router)
    app.include_router(federating.router)
    app.add_api_route("/health", health, methods=["GET"], tags=["service"])
    app.add_middleware(Shield)
    problems.handle(app)
    return app


def health() -> dict[str, str]:
    """Whether the service answers."""
    return {"status": "ok"}
