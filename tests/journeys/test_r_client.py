"""The R package: DBI and dbplyr over HTTP with TLS, run by R itself against a real server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.serving.run import http_door
from integrated_data.site.certificates import certificate
from integrated_data.site.settings import from_environment
from tests.house.tree import ROOT
from tests.journeys.test_gateway import new_place
from tests.served import House, furnish, house

R = shutil.which("Rscript")
NEEDED = ("DBI", "curl", "jsonlite", "bit64", "dbplyr", "dplyr")

HEAD = """
suppressPackageStartupMessages({library(DBI); library(idsr); library(dplyr, warn.conflicts = FALSE)})
given <- commandArgs(TRUE)
con <- dbConnect(IDS(), given[[1]], project = "P-1", certificate = given[[2]])
say <- function(...) cat(as.character(jsonlite::toJSON(list(...), auto_unbox = TRUE, na = "null", digits = NA)), "\\n")
refusal <- function(expression) tryCatch({expression; "none"}, error = conditionMessage)
"""


def has_packages() -> bool:
    """Whether R has what the package needs."""
    if R is None:
        return False
    needed = ", ".join(f"requireNamespace('{name}', quietly = TRUE)" for name in NEEDED)
    return subprocess.run([R, "-e", f"quit(status = !all({needed}))"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed apart."""
    if not has_packages():
        pytest.skip("R is not here with DBI, curl, jsonlite, bit64, dbplyr and dplyr")
    folder = tmp_path_factory.mktemp("r")
    command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder}", str(ROOT / "clients" / "r")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as it:
        yield it


def ask(made: House, library: Path, script: str) -> list[object]:
    """What a script of R says, a JSON document a line."""
    assert R is not None
    shown = certificate(made.desk.site.places, from_environment({}))
    environment = {"R_LIBS": str(library), "IDS_TOKEN": made.token("ada"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    with http_door(made.desk, ("127.0.0.1", 0), shown=shown) as url:
        done = subprocess.run(
            [R, "-e", HEAD + script, url, str(shown.chain)],
            capture_output=True, text=True, env=environment, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("[", "{"))]


def test_questions_through_dbi(made: House, library: Path) -> None:
    said = ask(made, library, """
say(dbListTables(con), dbListFields(con, "pay"), dbExistsTable(con, "nosuch"))
x <- dbGetQuery(con, "SELECT 9007199254740993 AS big, 1.5 AS half, NULL::INT AS none, DATE '2021-03-21' AS day,
                      'e' || chr(233) AS word, true AS yes, [1, 2] AS many, 'NaN'::DOUBLE AS odd")
say(class(x$big), as.character(x$big), x$half, x$none, format(x$day), x$word, x$yes, x$many, is.nan(x$odd))
res <- dbSendQuery(con, "SELECT range AS n FROM range(120000) ORDER BY n")
first <- dbFetch(res, 10); rest <- dbFetch(res)
say(nrow(first), nrow(rest), as.character(rest$n[[119990]]), dbHasCompleted(res), dbGetRowCount(res))
dbClearResult(res)
empty <- dbGetQuery(con, "SELECT sex FROM census WHERE false")
say(nrow(empty), names(empty))
say(refusal(dbGetQuery(con, "SELECT * FROM read_csv('x')")), refusal(dbExecute(con, "DELETE FROM pay")))
dbDisconnect(con)
say(dbIsValid(con), refusal(dbListTables(con)))
""")  # fmt: skip
    assert said[0] == [
        ["census", "pay"],
        ["person_key", "person_link_probability", "person_link_method", "income"],
        False,
    ]
    assert said[1] == ["integer64", "9007199254740993", 1.5, None, "2021-03-21", "eé", True, "[1,2]", True]
    assert said[2] == [10, 119_990, "119999", True, 120_000]
    assert said[3] == [0, "sex"]
    assert "read_csv is not allowed" in str(said[4])
    assert "Only SELECT" in str(said[4])
    assert said[5][0] is False  # type: ignore[index]


def test_questions_in_dplyr(made: House, library: Path) -> None:
    said = ask(made, library, """
answer <- tbl(con, "census") |> inner_join(tbl(con, "pay"), by = "person_key") |>
  group_by(region) |> summarise(people = n_distinct(person_key), income = mean(income, na.rm = TRUE),
                                spread = sd(income, na.rm = TRUE)) |>
  filter(people > 1) |> arrange(region) |> collect()
say(answer$region, as.integer(answer$people), answer$income)
ranked <- tbl(con, "pay") |> mutate(place = row_number(income), band = if_else(income > 5000, "high", "low")) |>
  filter(place <= 3) |> select(income, band) |> collect()
say(nrow(ranked), sort(as.integer(ranked$income)), unique(ranked$band))
say(ids_search(con, "nothing"))
""")  # fmt: skip
    assert said[0] == [["East", "North", "South", "West"], [25] * 4, [5100, 4900, 5000, 5200]]
    assert said[1] == [3, [100, 200, 300], "low"]
    assert said[2] == [[]]


def test_a_model_is_fitted_by_the_service(made: House, library: Path) -> None:
    said = ask(made, library, """
sql <- "SELECT c.region, p.income FROM census AS c JOIN pay AS p ON c.person_key = p.person_key"
ours <- ids_estimate(con, "linear", income ~ region, data = sql)
rows <- dbGetQuery(con, sql)
theirs <- summary(lm(as.numeric(income) ~ region, rows))$coefficients
say(max(abs(ours$estimate / theirs[, 1] - 1)) < 1e-9, max(abs(ours$std_error / theirs[, 2] - 1)) < 1e-9, ours$term)
say(nchar(ids_query_id(ours)), refusal(ids_estimate(con, "linear", income ~ system("id"), data = sql)))
""")  # fmt: skip
    assert said[0] == [True, True, ["(Intercept)", "region[North]", "region[South]", "region[West]"]]
    assert "formula cannot be read" in str(said[1])


def test_a_result_is_asked_to_leave(made: House, library: Path) -> None:
    said = ask(made, library, """
res <- dbSendQuery(con, "SELECT sex, count(*) AS people FROM census GROUP BY sex")
asked <- ids_request_release(con, ids_query_id(res), title = "People by sex")
say(asked$project, asked$title, nchar(asked$sha256))
own <- file.path(tempdir(), "own.csv")
write.csv(data.frame(term = c("a", "b"), estimate = c(1.5, -2)), own, row.names = FALSE)
brought <- ids_request_release(con, ids_query_id(res), title = "My own model", files = own)
say(brought$lane, "made outside" %in% brought$findings$rule)
say(nrow(ids_sensitivity(con, "SELECT region, count(person_key) AS n FROM census GROUP BY region", draws = 2)$rows))
""")  # fmt: skip
    assert said == [["P-1", "People by sex", 64], ["review", True], [4]]
