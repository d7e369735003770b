"""The rights of people whom data are about, on a real installation: found, shown, corrected, taken out, with proof."""

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from integrated_data import journey
from integrated_data.audit.chain import verify as verify_chain
from integrated_data.control import grants, jobs, releases, reviews
from integrated_data.control.store import Store, records, sqlite
from integrated_data.engine import Stored
from integrated_data.model.errors import (
    AbsentRefusal,
    AuditRefusal,
    BusyRefusal,
    InstallationRefusal,
    RoleRefusal,
    UsageRefusal,
)
from integrated_data.model.review import Draw
from integrated_data.model.rights import Right, Scope
from integrated_data.site import clusters, reviewing
from integrated_data.site.loading import open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import signing_key
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.rights import access, asking, doing, proof, rectifying, replaying
from integrated_data.site.rights.correctable import check
from integrated_data.site.settings import Settings
from tests.journeys.installation import COMMAND, environment
from tests.journeys.test_keys_follow import BLANK, write
from tests.marks import MARKED
from tests.marks import found as marked
from tests.rights_house import CROWD, HE, MAIDEN, SAYS, SHE, House, erased, house


@pytest.fixture
def h(opened: House) -> House:
    return opened


def killed_after(home: Path, words: Sequence[str], *, job: str, steps: int) -> None:
    """Run a command, and kill it once so many steps of its job are on record."""
    store = Store(sqlite(home / "control.sqlite"))

    def steps_done() -> int:
        with store.read() as connection:
            return len(jobs.done_steps(connection, job))

    with subprocess.Popen(
        [*COMMAND, *words], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while steps_done() < steps and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None, "the job must still be running"
        process.send_signal(signal.SIGKILL)


def answer(h: House, request: str, *, by: str = "bob") -> dict[str, object]:
    out = h.folder / "answer.json"
    return doing.do(
        h.site, request, right=Right.ACCESS, by=by, work=lambda s, asked: access.access(h.site, s, asked=asked, out=out)
    )


def test_access_gives_everything_to_the_second_officer_and_proves_it_without_a_value(h: House) -> None:
    request = h.ask(Right.ACCESS)
    with pytest.raises(RoleRefusal, match="Another officer"):
        answer(h, request, by="ann")
    told = answer(h, request)
    found = json.loads((h.folder / "answer.json").read_text())
    held = {d["dataset"]: len(d["rows"]) for d in found["deliveries"]}
    assert held == {"register": 1, "tax": 1, "pay": 2}
    assert {r["income"] for d in found["deliveries"] for r in d["rows"] if "income" in r} == {1000, 1001}
    assert {p["family_name"] for p in found["index"][0]["periods"]} == {SHE.family.upper(), HE.family.upper()}
    assert len(found["recipients"]) == 2
    place = Path(str(told["proof"]))
    assert not marked(place.read_bytes())
    assert proof.verify(place, key=signing_key(h.site.places).public_key())["right"] == "access"
    changed = h.folder / "changed.json"
    changed.write_text(place.read_text().replace('"rows": 2', '"rows": 1'))
    with pytest.raises(AuditRefusal, match="statement was changed"):
        proof.verify(changed, key=signing_key(h.site.places).public_key())
    added, twice = json.loads(place.read_text()) | {"note": "x"}, place.read_text().replace("{", '{"key": "x",', 1)
    for name, text, said in (("a", json.dumps(added), "added that nobody signed"), ("b", twice, "no proof")):
        (h.folder / name).write_text(text)
        with pytest.raises(AuditRefusal, match=said):
            proof.verify(h.folder / name, key=signing_key(h.site.places).public_key())
    for file, said in ((h.folder, "is a folder"), (h.folder / "nowhere", "There is no file")):
        with pytest.raises(AuditRefusal, match=said):
            proof.verify(file, key=signing_key(h.site.places).public_key())
    with pytest.raises(AbsentRefusal, match="R-1 is done; ask again"):
        answer(h, request)
    with h.site.store.read() as connection:
        chain = list(records(connection))
    assert verify_chain(chain) is not None
    assert sum(r.action == "subject.seen" for r in chain) == 4
    assert not any(marked(str(r.facts).encode()) for r in chain)
    assert not list(h.site.places.requests.glob("*")), "what she said of herself is destroyed"


def test_nobody_is_shown_whom_the_service_does_not_know(h: House) -> None:
    stranger = {"given_name": "Nobody", "family_name": "Atall", "date_of_birth": "1900-01-01"}
    told = asking.ask(h.site, asking.Wish(Right.ACCESS, stranger, "case 2"), by="ann")
    assert not told["found"]
    with pytest.raises(AbsentRefusal, match="nobody whom the service knows"):
        answer(h, str(told["request"]))


def test_the_search_sees_her_before_she_is_erased(h: House) -> None:
    kinds = {Path(name).name for name in h.found()}
    assert {"0.sealed", "checked.parquet", "attributes.parquet", "forms.parquet", "frequencies.parquet"} <= kinds


def test_an_erased_person_is_nowhere_any_more_and_everybody_else_is_where_they_were(h: House) -> None:
    keyed, others = h.keys("P-keyed"), {1000 + n for n in range(2, 22)}
    landed = {name: h.landed(name) for name in ("register", "tax", "pay")}
    lines = {name: h.lines(place) for name, place in landed.items()}
    with h.site.sealer.write(landed["tax"]) as sealed:  # a line too many: it is not sure any more which is whose
        sealed.write(b"".join([*lines["tax"], b"one more line\n"]))
    request = h.ask(Right.ERASE)
    erased(h, request)
    assert h.found() == set()
    assert h.lines(landed["register"]) == lines["register"][:-1], "her line is left out"
    assert h.lines(landed["pay"]) == [lines["pay"][0], *lines["pay"][3:]]
    assert not landed["tax"].exists(), "destroyed"
    now = h.keys("P-keyed")
    assert set(now) == set(h.keys("P-plain")) == others
    assert now == {income: key for income, key in keyed.items() if income in others}
    told = json.loads((h.site.places.proofs / f"{request}.json").read_text())["statement"]["what"]
    assert [d["rows"] for d in told["deliveries"]] == [1, 1, 2]
    assert {t["dataset"]: (t["rows"], t["rows_left"]) for t in told["tables"]}["pay"] == (2, 20)
    assert told["ledger_numbers_forgotten"] == 1
    assert told["twins_made_anew"] > 0
    with h.site.store.read() as connection:
        release = releases.get(connection, "pay")
    income = next(v["profile"] for v in release.entry["variables"] if v["name"] == "income")
    assert (release.rows, income["low"]) == (20, "1002"), "the catalogue does not tell what she was paid"
    assert "1000" not in str(sorted((h.site.places.lake / "pay").rglob("*.metadata.json")))
    found = asking.ask(h.site, asking.Wish(Right.ACCESS, SAYS, "case 3"), by="ann")
    assert not found["found"]
    file = write(h.folder / "more.csv", [*CROWD, BLANK | {**CROWD[3], "record_id": "again"}])
    journey.deliver(h.site.workshop, "register", files=[file], feed=journey.Feed("demographic", "person_ref"))
    refresh_index(h.site, "demographic")
    assert h.keys("P-keyed") == now, "the index goes on without her"
    again = [row | {"record_id": f"E{i:04d}"} for i, row in enumerate([MAIDEN, *CROWD[:20]])]
    deliver_and_refresh(h.site, "pay", files=[write(h.folder / "again.csv", again, incomes=True)])
    newcomer = h.keys("P-keyed")[1000]
    assert newcomer not in keyed.values(), "delivered again, she is somebody new"


def test_a_correction_stands_goes_back_to_suppliers_and_goes_with_her(h: House) -> None:
    right = {"family_name": MARKED[2].family, "postcode": "ZZ9 9ZZ"}
    address = h.best()["address"]
    wish = asking.Wish(Right.RECTIFY, SAYS, "case 4", corrected=right)
    request = str(asking.ask(h.site, wish, by="ann")["request"])
    notices = h.folder / "notices"
    doing.do(
        h.site, request, right=Right.RECTIFY, by="bob",
        work=lambda s, asked: rectifying.rectify(h.site, s, asked=asked, notices=notices),
    )  # fmt: skip
    told = {p.name: json.loads(p.read_text())["records"] for p in notices.glob("*.json")}
    assert set(told) == {f"{request}-{dataset}.json" for dataset in ("register", "tax", "pay")}
    assert told[f"{request}-register.json"][0] == {
        "record": "her1", "known_by": "person_ref", "column": "surname", "says": SHE.family.upper(),
        "right": MARKED[2].family,
    }  # fmt: skip
    best = h.best()
    assert (best["family_name"], best["postcode"]) == (MARKED[2].family.upper(), "ZZ9 9ZZ")
    assert best["address"] == address, "what is chosen together comes along"
    assert h.keys("P-keyed")[1000] == h.keys("P-keyed")[1001]
    assert not marked((h.site.places.proofs / f"{request}.json").read_bytes())
    shutil.rmtree(notices)
    erased(h, h.ask(Right.ERASE))
    assert h.found() == set()


def test_a_correction_of_what_tells_nobody_apart_is_the_suppliers() -> None:
    with pytest.raises(UsageRefusal, match="These can be corrected here"):
        check({"income": 5})
    with pytest.raises(UsageRefusal, match="no day"):
        check({"date_of_birth": "31/02/1971"})
    with pytest.raises(UsageRefusal, match="is empty"):
        check({"family_name": None})
    with pytest.raises(UsageRefusal, match="day that does not exist"):
        asking.read_values("date_of_birth: 2026-02-30")


@pytest.mark.parametrize(
    ("right", "more", "said"),
    [
        (Right.ERASE, {"scope": Scope("pay")}, "about everything"),
        (Right.ACCESS, {"scope": Scope(purpose="research")}, "about everything"),
        (Right.ERASE, {"corrected": {"postcode": "ZZ9 9ZZ"}}, "to rectify alone"),
        (Right.OBJECT, {"scope": Scope("nope")}, "no such dataset.*pay"),
        (Right.OBJECT, {"scope": Scope(purpose="fun")}, "no such purpose.*research, statistics, operational"),
        (Right.RECTIFY, {"corrected": {"income": 5}}, "These can be corrected here"),
        (Right.RECTIFY, {"corrected": {"date_of_birth": "1971-02-31"}}, "no day"),
    ],
)
def test_what_a_request_cannot_be_about_is_refused_when_it_is_asked(
    house_of_rights: Path, right: Right, more: dict[str, Any], said: str
) -> None:
    with house(house_of_rights) as h:
        with pytest.raises(UsageRefusal, match=said):
            asking.ask(h.site, asking.Wish(right, SAYS, "case 5", **more), by="ann")
        assert not asking.requests(h.site.store)


def test_clerical_samples_show_nobody_who_was_erased(h: House) -> None:
    drawn = clusters.sample(h.site, "demographic", draw=Draw(size=20))
    linked = reviewing.sample(h.site, reviewing.SampleOrder("pay", draw=Draw(size=40)))
    erased(h, h.ask(Right.ERASE))
    with h.site.store.read() as connection:
        states = {
            known: Counter(case["state"] for case in reviews.cases(connection, known))
            for known in (drawn["set"], linked["set"])
        }
    assert states[drawn["set"]]["undecided"] == 1, "the cluster of her two records"
    assert states[linked["set"]]["undecided"] == 2, "her two rows of pay"
    assert reviewing.next_case(h.site, "ann", reason="quality", known=linked["set"]) is not None
    place = next(h.site.places.identified.glob("reviews/clusters-*/cases.parquet"))
    h.site.engine.load("seen", Stored((place,)))
    assert "her1" not in str(h.site.engine.rows("SELECT records FROM seen").to_pylist())


def test_a_killed_erasure_goes_on_and_nobody_reads_her_meanwhile(whole: Path) -> None:
    before = whole
    with house(before) as h:
        request = h.ask(Right.ERASE)
    killed_after(before / "home", ("right", "erase", request, "--as", "bob"), job="right/1", steps=5)
    with house(before) as h:
        with h.site.store.read() as connection:
            assert not grants.active(connection, dataset="pay")
        with pytest.raises(InstallationRefusal, match=r"R-1 was cut short.*ids right erase R-1"):
            replaying.check_replayed(h.site)
        erased(h, request)
        assert h.found() == set()
        assert len(h.keys("P-keyed")) == len(h.keys("P-plain")) == 20
        told = json.loads((h.site.places.proofs / f"{request}.json").read_text())["statement"]["what"]
        assert [d["rows"] for d in told["deliveries"]] == [1, 1, 2]


def test_what_must_have_the_loading_side_alone_waits_for_no_load(h: House) -> None:
    settings = Settings(h.site.places.home, 1, "1GB", production=False, actor="tester")
    with pytest.raises(BusyRefusal, match="Loads are running"), open_loading(h.site.places, settings, alone=True):
        pass
