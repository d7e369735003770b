"""How the files of a feed are called: a pattern, and what a name says by it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integrated_data.model.errors import ContractRefusal
from integrated_data.model.feed import Every

#: Parts of a date that a name may hold, and how they are written.
_PARTS = {"Y": r"\d{4}", "m": r"\d{2}", "d": r"\d{2}", "H": r"\d{2}", "j": r"\d{3}"}
#: What stands before the ending of a name whose file completes a delivery: mended rows alone.
_COMPLETES = re.compile(r"\.completes-([0-9a-f]{16})(?=(\.[^/.]*){0,2}$)")
_HOLE = re.compile(r"\{(period|number|any)(?::([^{}]*))?\}")


@dataclass(frozen=True)
class Name:
    """What a file's name says: the first moment of its period, its number, the name without what varies freely, and the
    delivery that it completes, if any."""

    period: str
    number: int | None
    shown: str
    completes: str = ""


@dataclass(frozen=True)
class Pattern:
    """How the files of a feed are called. `form`: strptime's pattern of the period, or empty."""

    text: str
    every: Every
    expression: re.Pattern[str]
    form: str

    def read(self, name: str) -> Name | None:
        """What a name says; None for one that is none of the feed's, or names a day that does not exist."""
        completes = _COMPLETES.search(name)
        if completes is not None:
            told = self.read(_COMPLETES.sub("", name))
            return replace(told, completes=completes[1]) if told is not None else None
        found = self.expression.fullmatch(name)
        if found is None:
            return None
        groups = found.groupdict()
        number = int(groups["number"]) if groups.get("number") else None
        if not self.form:
            return Name("", number, self._shown(groups))
        try:
            moment = datetime.strptime(groups["period"], self.form)
        except ValueError:
            return None
        return Name(start_of(moment, self.every), number, self._shown(groups))

    def _shown(self, groups: dict[str, str]) -> str:
        return _HOLE.sub(lambda hole: groups.get(hole[1], "…"), self.text)[:256]


def start_of(moment: datetime, every: Every) -> str:
    """The period that a moment lies in, by its first: a day as 2024-03-01, an hour as 2024-03-01T07."""
    match every:
        case Every.HOUR:
            return moment.strftime("%Y-%m-%dT%H")
        case Every.WEEK:
            return (moment - timedelta(days=moment.weekday())).strftime("%Y-%m-%d")
        case Every.MONTH:
            return moment.strftime("%Y-%m-01")
        case _:
            return moment.strftime("%Y-%m-%d")


def pattern(text: str, every: Every) -> Pattern:
    """The pattern that a feed's definition gives; refuses one that cannot tell its periods apart."""
    form, parts, last = "", [], 0
    if not text or text.startswith("/") or ".." in text.split("/") or set("{}") & set(_HOLE.sub("", text)):
        raise _wrong("It must be a name, with what varies in braces")
    seen: set[str] = set()
    for hole in _HOLE.finditer(text):
        parts.append(re.escape(text[last : hole.start()]))
        last, kind = hole.end(), hole[1]
        if kind in seen:
            raise _wrong(f"{{{kind}}} stands in it twice")
        seen.add(kind)
        if kind == "period":
            form = hole[2] or "%Y-%m-%d"
            parts.append(f"(?P<period>{_digits(form)})")
        else:
            parts.append(r"(?P<number>\d{1,18})" if kind == "number" else r"[^/]*")
    expression = re.compile("".join([*parts, re.escape(text[last:])]))
    needs = {Every.HOUR: "YmdH", Every.DAY: "Ymd", Every.WEEK: "Ymd", Every.MONTH: "Ym", Every.ANY: ""}[every]
    said = form.replace("%j", "%m%d")
    if not all(f"%{part}" in said for part in needs):
        raise _wrong(f"Its period must be written so that each {every.value} can be told from the others")
    return Pattern(text, every, expression, form)


def _digits(form: str) -> str:
    """A regular expression of what strptime's pattern takes, of digits alone where it has directives."""
    out, at = [], 0
    while at < len(form):
        if form[at] == "%":
            if form[at + 1 : at + 2] not in _PARTS:
                raise _wrong(f"A period is written with {', '.join('%' + p for p in _PARTS)}")
            out.append(_PARTS[form[at + 1]])
            at += 2
        else:
            out.append(re.escape(form[at]))
            at += 1
    return "".join(out)


def _wrong(why: str) -> ContractRefusal:
    return ContractRefusal(
        "Field files of the feed is no pattern of names",
        why=why,
        next_step="Write it as od_{period:%Y%m%d}.csv, with {number} or {any} where that varies",
    )
