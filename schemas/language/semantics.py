"""Checks beyond the schema: names that exist, windows inside the run, targets in the right unit.

Every check skips data of the wrong shape, so that all problems of a file are found at once.
"""

import zoneinfo
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from soak.schemas import units
from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.files import Folders
from soak.schemas.language.arrival_checks import ARRIVAL_CHECKS, NAMED_ARRIVALS
from soak.schemas.language.build import read_values, recurrence
from soak.schemas.language.document import Document
from soak.schemas.language.extent import EXTENT_CHECKS
from soak.schemas.language.indicators import INDICATOR_CHECKS
from soak.schemas.language.kind_checks import KIND_CHECKS
from soak.schemas.language.systems import SYSTEM_CHECKS
from soak.schemas.language.users_checks import USERS_CHECKS
from soak.schemas.language.view import View, exchange_places
from soak.schemas.units import show_duration

MAX_SPREAD = 1_000
"""Maximum of p95 / median: the mean of a wider lognormal would never be observed in a run."""


MOST_BETWEEN_EXPORTS_S = 60.0
"""With less frequent exports, alerts on the time series would be too late."""


def semantic_problems(document: Document, data: Any, folders: Folders, *, shapely: bool) -> list[Problem]:
    """All problems of `data` (the document's, defaults filled in) beyond its shape, which is right if it is `shapely`."""
    view = View(document, data, folders)
    return [problem for check in _checks(view) for problem in _found(check, view, shapely)]


def _checks(view: View) -> Iterator[Callable[[View], Iterator[Problem]]]:
    """All checks, in the order in which problems are told. Those of requests and of checks are loaded where there are any."""
    yield from _CHECKS
    if isinstance(view.get("http"), dict) or exchange_places(view):
        from soak.schemas.language.http_checks import HTTP_CHECKS

        yield from HTTP_CHECKS
    yield from INDICATOR_CHECKS
    if view.entries("checks") or view.entries("teardown"):
        from soak.schemas.language.check_checks import CHECK_CHECKS

        yield from CHECK_CHECKS


def _found(check: Callable[[View], Iterator[Problem]], view: View, shapely: bool) -> Iterator[Problem]:
    """What a check finds; where the shape is wrong and told, up to where it stumbles over that."""
    try:
        yield from check(view)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        if shapely:
            raise


def _unique_names(view: View) -> Iterator[Problem]:
    named = (("faults",), ("alerts",), ("abort",), ("phases",), ("workload", "tenants"), ("workload", "kinds"))
    for section in (*named, *NAMED_ARRIVALS):
        seen: set[str] = set()
        for where, item in view.entries(*section):
            name = item.get("name")
            if isinstance(name, str) and name in seen:
                yield view.problem((*where, "name"), f"the name {quoted(name)} is duplicated", "rename one of them")
            elif isinstance(name, str):
                seen.add(name)


def _inside_the_run(view: View) -> Iterator[Problem]:
    duration_s = view.duration("duration")
    if duration_s is None:
        return
    warmup_s = view.duration("warmup")
    if warmup_s is not None and warmup_s >= duration_s > 0:
        yield view.problem(("warmup",), f"is as long as the run ({show_duration(duration_s)})", "write a shorter one")
    for where, item in (*view.entries("faults"), *view.entries("phases")):
        when = view.parse(recurrence, *where)
        key = "at" if "at" in item else "every"
        if when is None:
            # Of a fault that is over at once.
            at_s = view.duration(*where, key)
            if "for" not in item and at_s is not None and at_s >= duration_s:
                what = f"first starts at {show_duration(at_s)}, but the run ends at {show_duration(duration_s)}"
                yield view.problem((*where, key), what, "start it inside the run")
            continue
        if when.at_s >= duration_s:
            what = f"first starts at {show_duration(when.at_s)}, but the run ends at {show_duration(duration_s)}"
            yield view.problem((*where, key), what, "start it inside the run")
        elif not when.every_s and when.at_s + when.for_s > duration_s:
            what = f"ends at {show_duration(when.at_s + when.for_s)}, but the run ends at {show_duration(duration_s)}"
            yield view.problem((*where, "for"), what, "end it inside the run")


def _exports(view: View) -> Iterator[Problem]:
    for where, item in view.entries("export"):
        try:
            urlsplit(str(item.get("url", ""))).port  # noqa: B018
        except ValueError:
            yield view.problem((*where, "url"), "is not a URL", "write a URL such as http://127.0.0.1:9091")
        if "token" in item and "username" in item:
            what = "has a token beside a user name, and sends only one of them"
            yield view.problem((*where, "token"), what, "remove one of them")
        every_s = view.duration(*where, "every")
        if every_s is not None and every_s > MOST_BETWEEN_EXPORTS_S:
            what = f"{view.get(*where, 'every')} is more than {show_duration(MOST_BETWEEN_EXPORTS_S)}"
            yield view.problem((*where, "every"), what, "export once a minute, or more often")


def _recurrences(view: View) -> Iterator[Problem]:
    arrivals = ("workload", "arrivals")
    bursts = ((*arrivals, "burst"), *(where for where, _ in view.entries(*arrivals, "bursts")))
    for where in (*bursts, *(where for where, _ in view.entries("faults"))):
        every_s, for_s = view.duration(*where, "every"), view.duration(*where, "for")
        if every_s is not None and for_s is not None and for_s >= every_s:
            what = f"{view.get(*where, 'for')} does not fit into every {view.get(*where, 'every')}"
            yield view.problem((*where, "for"), what, "write a shorter one")
    for where, item in view.entries("faults"):
        if "at" in item or "every" in item:
            continue
        spec = view.language.faults.get(str(item.get("type"))) if view.language else None
        if spec and spec.by_time:
            yield view.problem((*where, "at"), f"{item['type']} has no start time", "add at: 1h, or every: 6h")
        elif "for" in item:
            what = "has a duration but no start time"
            yield view.problem((*where, "for"), what, "add at: 1h, or every: 6h, or remove for")


def _phases_apart(view: View) -> Iterator[Problem]:
    spans = [
        (start_s, start_s + for_s, where)
        for where, _ in view.entries("phases")
        if (start_s := view.duration(*where, "at")) is not None and (for_s := view.duration(*where, "for")) is not None
    ]
    for before, after in pairwise(sorted(spans)):
        # To the microsecond, as times of the run are: sums of decimal figures are not exact.
        if round(after[0], 6) < round(before[1], 6):
            start = view.get(*after[2], "at")
            what = f"starts at {start}, inside the phase that ends at {show_duration(before[1])}"
            yield view.problem((*after[2], "at"), what, "start it after that end")


def _distributions(view: View) -> Iterator[Problem]:
    places = [("workload", "task", "duration"), *((*where, "delay") for where, _ in view.entries("faults"))]
    places += [("workload", "users", "think"), ("workload", "users", "session", "pause")]
    places += [(*where, "task", "duration") for where, _ in view.entries("workload", "kinds")]
    places += view.language.distributions(view.data) if view.language else ()
    for where in places:
        low_high = view.duration(*where, "low"), view.duration(*where, "high")
        median_p95 = view.duration(*where, "median"), view.duration(*where, "p95")
        for (low, high), key in ((low_high, "high"), (median_p95, "p95")):
            if low is not None and high is not None and high <= low:
                yield view.problem((*where, key), f"is not above {show_duration(low)}", "write a longer duration")
        median_s, p95_s = median_p95
        if median_s and p95_s and p95_s > MAX_SPREAD * median_s:
            what = f"is more than {MAX_SPREAD:,} times the median"
            yield view.problem((*where, "p95"), what, "write a shorter duration, or a longer median")
        yield from _data_file(view, where)


def _data_file(view: View, where: Where) -> Iterator[Problem]:
    name, unit = view.get(*where, "file"), view.get(*where, "unit")
    if not isinstance(name, str) or not name or str(unit) not in units.SECONDS:
        return
    try:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            # The evidence holds a copy under the same name, so that the scenario loads again from there.
            raise ValueError(f"{quoted(name)} is not inside the scenario's folder")
        read_values(name, view.folders, units.SECONDS[str(unit)])
    except ValueError as error:
        remedy = "name a text file in the scenario's folder, with one number per line"
        yield view.problem((*where, "file"), str(error), remedy)


def _timezone(view: View) -> Iterator[Problem]:
    name = view.get("timezone")
    if not isinstance(name, str):
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield view.problem(
            ("timezone",), f"unknown time zone {quoted(name)}", "write an IANA name such as Asia/Seoul or UTC"
        )


_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (
    _unique_names,
    _inside_the_run,
    _recurrences,
    _exports,
    _phases_apart,
    _distributions,
    _timezone,
    *KIND_CHECKS,
    *ARRIVAL_CHECKS,
    *SYSTEM_CHECKS,
    *USERS_CHECKS,
    *EXTENT_CHECKS,
)
