"""What the shape of a scenario cannot say: names that exist, windows inside the run, targets in the right unit.

Every check works on what is there and passes over what has the wrong shape, so that all problems of a file
are found at once.
"""

import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from schemas import units
from schemas.build import build_distribution, build_sli, recurrence
from schemas.comparison import CONFIDENT, Context, condition, objectives
from schemas.document import Document
from schemas.errors import Problem, Where
from schemas.events import SPECS, Value
from schemas.expression import UnclearError
from schemas.model import BY_TIME
from schemas.shape import did_you_mean
from schemas.slis import CATALOGUE, Sli
from schemas.units import show_duration

T = TypeVar("T")


class _View:
    """Data with its defaults filled in, read without fear: what is missing or has the wrong shape is None."""

    def __init__(self, document: Document, data: Any, directory: Path) -> None:
        self.document = document
        self.data = data
        self.directory = directory

    def get(self, *where: str | int) -> Any:
        data = self.data
        for step in where:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def parse(self, parse: Callable[[Any], T], *where: str | int) -> T | None:
        try:
            return parse(self.get(*where))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def duration(self, *where: str | int) -> float | None:
        return self.parse(units.duration, *where)

    def entries(self, *where: str | int) -> list[tuple[Where, dict[str, Any]]]:
        items = self.get(*where)
        return (
            [((*where, index), item) for index, item in enumerate(items) if isinstance(item, dict)]
            if isinstance(items, list)
            else []
        )

    def names(self, *where: str | int) -> tuple[str, ...]:
        return tuple(name for _, item in self.entries(*where) if isinstance(name := item.get("name"), str))

    def problem(self, where: Where, what: str, remedy: str) -> Problem:
        return self.document.problem(where, what, remedy)


def semantic_problems(document: Document, data: Any, directory: Path) -> list[Problem]:
    """Everything that is wrong with `data` (the document's, defaults filled in) beyond its shape."""
    view = _View(document, data, directory)
    return [problem for check in _CHECKS for problem in check(view)]


def _unique_names(view: _View) -> Iterator[Problem]:
    for section in (("faults",), ("alerts",), ("abort",), ("phases",), ("workload", "tenants")):
        seen: set[str] = set()
        for where, item in view.entries(*section):
            name = item.get("name")
            if isinstance(name, str) and name in seen:
                yield view.problem((*where, "name"), f"the name {name!r} stands twice", "give each its own name")
            elif isinstance(name, str):
                seen.add(name)


def _inside_the_run(view: _View) -> Iterator[Problem]:
    duration_s = view.duration("duration")
    if duration_s is None:
        return
    warmup_s = view.duration("warmup")
    if warmup_s is not None and warmup_s >= duration_s:
        yield view.problem(("warmup",), f"is as long as the run ({show_duration(duration_s)})", "write a shorter one")
    for where, item in (*view.entries("faults"), *view.entries("phases")):
        when = view.parse(recurrence, *where)
        if when is None:
            continue
        key = "at" if "at" in item else "every"
        if when.at_s >= duration_s:
            what = f"first starts at {show_duration(when.at_s)}, but the run ends at {show_duration(duration_s)}"
            yield view.problem((*where, key), what, "start it inside the run")
        elif not when.every_s and when.at_s + when.for_s > duration_s:
            what = f"ends at {show_duration(when.at_s + when.for_s)}, but the run ends at {show_duration(duration_s)}"
            yield view.problem((*where, "for"), what, "end it inside the run")


def _recurrences(view: _View) -> Iterator[Problem]:
    burst = ("workload", "arrivals", "burst")
    for where in (burst, *(where for where, _ in view.entries("faults"))):
        every_s, for_s = view.duration(*where, "every"), view.duration(*where, "for")
        if every_s is not None and for_s is not None and for_s >= every_s:
            what = f"{show_duration(for_s)} does not fit into every {show_duration(every_s)}"
            yield view.problem((*where, "for"), what, "write a shorter one")
    for where, item in view.entries("faults"):
        if item.get("type") in set(BY_TIME) and "at" not in item and "every" not in item:
            yield view.problem(where, f"{item['type']} has no time", "add at: 1h, or every: 6h")
        if "for" in item and "at" not in item and "every" not in item and item.get("type") not in set(BY_TIME):
            yield view.problem(
                (*where, "for"), "lasts for a time but starts at none", "add at: 1h, or every: 6h, or remove for"
            )


def _distributions(view: _View) -> Iterator[Problem]:
    places = [("workload", "task", "duration"), *((*where, "delay") for where, _ in view.entries("faults"))]
    for where in places:
        low_high = view.duration(*where, "low"), view.duration(*where, "high")
        median_p95 = view.duration(*where, "median"), view.duration(*where, "p95")
        for (low, high), key in ((low_high, "high"), (median_p95, "p95")):
            if low is not None and high is not None and high <= low:
                yield view.problem((*where, key), f"is not above {show_duration(low)}", "write a longer duration")
        if view.get(*where, "distribution") == "empirical" and view.get(*where, "unit") in units.SECONDS:
            try:
                build_distribution(view.get(*where), view.directory)
            except (ValueError, TypeError, KeyError) as error:
                yield view.problem(
                    (*where, "file"), str(error), "name a text file beside the scenario with one number a line"
                )


def _tenant_shares(view: _View) -> Iterator[Problem]:
    shares = [view.parse(units.ratio, *where, "share") for where, _ in view.entries("workload", "tenants")]
    known = [share for share in shares if share is not None]
    if known and len(known) == len(shares) and abs(sum(known) - 1) > 1e-9:
        yield view.problem(
            ("workload", "tenants"), f"the shares add up to {units.show_ratio(sum(known))}", "make them add up to 100%"
        )


def _timezone(view: _View) -> Iterator[Problem]:
    name = view.get("timezone")
    if not isinstance(name, str):
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield view.problem(("timezone",), f"unknown time zone {name!r}", "write an IANA name such as Asia/Seoul or UTC")


def _guardrail(view: _View) -> Iterator[Problem]:
    soft, hard = view.get("queue", "guardrail", "soft_tokens"), view.get("queue", "guardrail", "hard_tokens")
    if isinstance(soft, int) and isinstance(hard, int) and soft > hard:
        yield view.problem(
            ("queue", "guardrail", "soft_tokens"),
            f"is above hard_tokens ({hard})",
            "write a soft budget below the hard one",
        )


def _own_slis(view: _View) -> Iterator[Problem]:
    built_in = CATALOGUE.get(str(view.get("system")), {})
    definitions = view.get("slis")
    for name, definition in definitions.items() if isinstance(definitions, dict) else ():
        where: Where = ("slis", name)
        kinds = (
            [kind for kind in ("ratio", "count", "quantile", "gauge") if kind in definition]
            if isinstance(definition, dict)
            else []
        )
        if name in built_in:
            yield view.document.problem(where, f"{name} is a built-in SLI", "choose another name", at_key=True)
        if isinstance(definition, dict) and len(kinds) != 1:
            yield view.document.problem(
                where, f"has {len(kinds)} of ratio, count, quantile, gauge", "write exactly one", at_key=True
            )
        elif kinds:
            yield from _own_sli(view, where, definition, kinds[0])


def _own_sli(view: _View, where: Where, definition: dict[str, Any], kind: str) -> Iterator[Problem]:
    try:
        sli = build_sli(str(where[-1]), definition, view.data)
    except UnclearError as error:
        yield view.problem((*where, kind), error.what, error.remedy)
        return
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    if kind in {"quantile", "gauge"}:
        valued = {spec.type for spec in SPECS.values() if spec.value in {Value.SECONDS, Value.NUMBER}}
        for each in sli.filters[0]:
            if each.type not in valued:
                yield view.problem(
                    (*where, kind), f"{each.type} carries no value", f"name one of: {', '.join(sorted(valued))}"
                )


def _slis(view: _View) -> dict[str, Sli]:
    slis = dict(CATALOGUE.get(str(view.get("system")), {}))
    definitions = view.get("slis")
    for name, definition in definitions.items() if isinstance(definitions, dict) else ():
        try:
            slis[name] = build_sli(name, definition, view.data)
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
    return slis


def _expressions(view: _View) -> Iterator[Problem]:
    context = Context(_slis(view), {"tenant": view.names("workload", "tenants"), "phase": view.names("phases")})
    if not context.slis:
        return
    slos = view.get("slos")
    for index, item in enumerate(slos if isinstance(slos, list) else ()):
        where: Where = ("slos", index, "objective") if isinstance(item, dict) else ("slos", index)
        yield from _objective(view, where, context)
    for section in ("alerts", "abort"):
        for where, item in view.entries(section):
            text = item.get("when")
            if isinstance(text, str) and text:
                try:
                    condition(text, context, window="window" in item)
                except UnclearError as error:
                    yield view.problem((*where, "when"), error.what, error.remedy)


def _objective(view: _View, where: Where, context: Context) -> Iterator[Problem]:
    text = view.get(*where)
    if not isinstance(text, str) or not text:
        return
    try:
        comparisons = list(objectives(text, context))
    except UnclearError as error:
        yield view.problem(where, error.what, error.remedy)
        return
    if (
        where[-1] == "objective"
        and view.get(*where[:-1], "confidence") is not None
        and comparisons[0].sli.aggregate not in CONFIDENT
    ):
        remedy = "remove confidence; ratios and quantiles have intervals"
        yield view.problem((*where[:-1], "confidence"), f"{comparisons[0].sli.name} has no confidence interval", remedy)


def _expectations(view: _View) -> Iterator[Problem]:
    by_time = [
        item["name"]
        for _, item in view.entries("faults")
        if ("at" in item or "every" in item) and isinstance(item.get("name"), str)
    ]
    for where, _ in view.entries("alerts"):
        of = view.get(*where, "expect", "of")
        if isinstance(of, str) and of not in by_time:
            remedy = did_you_mean(of, by_time) if by_time else "declare a fault with at: and for:"
            yield view.problem((*where, "expect", "of"), f"no fault by time is called {of!r}", remedy)


_CHECKS: tuple[Callable[[_View], Iterator[Problem]], ...] = (
    _unique_names,
    _inside_the_run,
    _recurrences,
    _distributions,
    _tenant_shares,
    _timezone,
    _guardrail,
    _own_slis,
    _expressions,
    _expectations,
)
