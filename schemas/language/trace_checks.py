"""Checks of `workload.arrivals.trace`: the whole file is read, so that nothing comes to light in the middle of a run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.view import View
from soak.schemas.units import show_duration

if TYPE_CHECKING:
    from soak.schemas.language.trace import Trace
    from soak.schemas.trace.rows import Found

TRACE: Where = ("workload", "arrivals", "trace")
_SHOWN_LINES = 5
_FORMATS = ("csv", "jsonl", "parquet")


def trace_problems(view: View) -> Iterator[Problem]:
    """What is wrong with a trace, row by row."""
    arrivals = view.get("workload", "arrivals")
    if not isinstance(arrivals, dict) or "trace" not in arrivals:
        return
    for key in sorted(set(arrivals) - {"trace"} - ({"process"} if arrivals.get("process") == "poisson" else set())):
        yield view.problem((*TRACE[:-1], key), "the trace says when work arrives", f"remove {key}", at_key=True)
    yield from _service(view)
    found = trace_in(view)
    if found is None or isinstance(found, Problem):
        yield from [found] if found else []
        return
    yield from _rows(view, found)
    yield from _names(view, found)
    yield from _inside(view, found)


def trace_in(view: View) -> "Trace | Problem | None":
    """The trace, or why there is none; None where its keys have not the right form, which is said elsewhere."""
    data, zone = view.get(*TRACE), view.get("timezone")
    start = view.get("start")
    valid = isinstance(zone, str) and (start is None or isinstance(start, str))
    if not _has_form(data) or not view.duration("duration") or not valid:
        return None
    from zoneinfo import ZoneInfo

    from soak.schemas.language.clock import ClockError, parse_start
    from soak.schemas.language.trace_build import trace_of
    from soak.schemas.trace.rows import TraceError

    try:
        ZoneInfo(zone)
        if start is not None:
            parse_start(start, zone)
    except (ClockError, ValueError, LookupError, OSError, TypeError):
        return None
    try:
        return trace_of(view.data, view.folders)
    except TraceError as error:
        where = (*TRACE, error.key) if error.key in data else TRACE
        return view.problem(where, error.what, error.remedy)


def arrivals_of_trace(view: View, duration_s: float) -> float | None:
    """Arrivals of a trace in a run; None where it cannot be read."""
    from soak.schemas.language.trace_build import shape_of_trace

    trace = trace_in(view)
    if trace is None or isinstance(trace, Problem):
        return None
    return sum((each.end_s - each.start_s) * each.from_per_s for each in shape_of_trace(trace, duration_s).pieces)


def _has_form(data: Any) -> bool:
    """Whether the values of a trace are of the types that reading it takes."""
    if not isinstance(data, dict):
        return False
    texts = ("file", "time", "kind", "tenant", "service")
    numbers = ("speed", "scale")
    return (
        {"file", "time"} <= set(data)
        and all(isinstance(data[key], str) and data[key] for key in texts if key in data)
        and all(type(data[key]) in (int, float) and data[key] > 0 for key in numbers if key in data)
        and data.get("format", "csv") in _FORMATS
        and data.get("unit", "s") in ("s", "ms", "us", "ns")
        and data.get("service_unit", "s") in ("us", "ms", "s", "m", "h")
    )


def _service(view: View) -> Iterator[Problem]:
    if view.get(*TRACE, "service") is None:
        return
    tasks = [("workload", "task"), *((*where, "task") for where, _ in view.entries("workload", "kinds"))]
    for where in tasks:
        if view.get(*where, "duration") is not None:
            remedy = "remove it, or service from the trace"
            yield view.problem((*where, "duration"), "the trace has the service times", remedy, at_key=True)


def _rows(view: View, trace: "Trace") -> Iterator[Problem]:
    name, seen, where = trace.reading.name, trace.seen, (*TRACE, "file")
    if not trace.reading.skip:
        for line, what in seen.bad.first:
            remedy = f"correct it, or write on_error: skip{_more(seen.bad)}"
            yield view.problem(where, f"{name}:{line}: {what}", remedy)
    for line, what in seen.late.first:
        from soak.schemas.trace.survey import WINDOW

        remedy = f"sort the file: a row may come up to {WINDOW:,} rows late{_more(seen.late)}"
        yield view.problem(where, f"{name}:{line}: {what} than a row long before it", remedy)


def _more(found: "Found") -> str:
    rest = found.count - len(found.first)
    return f"; {rest:,} more rows are like these" if rest else ""


def _names(view: View, trace: "Trace") -> Iterator[Problem]:
    """Kinds and tenants of the trace that the scenario does not have."""
    for key, names in (("kind", trace.seen.kinds), ("tenant", trace.seen.tenants)):
        if view.get(*TRACE, key) is None:
            continue
        declared = view.names("workload", f"{key}s")
        missing = [name for name in names if name not in declared]
        for name in missing[:_SHOWN_LINES]:
            what = f"{trace.reading.name} has the {key} {quoted(name)} ({_rows_of(names[name])}), which is not declared"
            more = f"; {len(missing) - _SHOWN_LINES} more are not" if len(missing) > _SHOWN_LINES else ""
            yield view.problem((*TRACE, key), what, f"add it to workload.{key}s, or remove {key}{more}")


def _rows_of(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _inside(view: View, trace: "Trace") -> Iterator[Problem]:
    """That something of it arrives in the run."""
    duration_s, name = view.duration("duration"), trace.reading.name
    first_s = (trace.begin_us - trace.origin_us) / trace.speed / 1e6
    if trace.length_s < 0:
        what = f"{name} ends {show_duration(-trace.length_s * trace.speed)} before the start of the scenario"
        yield view.problem(("start",), what, "write an earlier start, or remove it: the first row is then at 0s")
    elif duration_s is not None and first_s >= duration_s:
        what = f"the first row of {name} comes at {show_duration(first_s)}, and the run ends at {show_duration(duration_s)}"
        where: Where = ("start",) if view.get("start") is not None else ("duration",)
        yield view.problem(
            where, what, "write a later start, or remove it" if where == ("start",) else "lengthen the run"
        )
