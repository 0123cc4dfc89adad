"""Whether a target file has what a scenario asks for, by name."""

from collections.abc import Iterable, Iterator

from soak.schemas.errors import Problem, ScenarioError, Where, quoted
from soak.schemas.language.shape import nearest
from soak.schemas.target.load import LoadedTarget

_ENTRIES = {"processes": "process", "sinks": "sink", "streams": "stream", "faults": "fault"}
"""Sections of a target file, and what each entry is."""


def refuse_misfit(
    target: LoadedTarget,
    *,
    processes: Iterable[str] = (),
    sinks: Iterable[str] = (),
    streams: Iterable[str] = (),
    faults: Iterable[str] = (),
    metrics: Iterable[str] | None = None,
    more: Iterable[Problem] = (),
) -> None:
    """Raise ScenarioError with every name that a scenario has and a target file lacks; `more`: problems found elsewhere.

    metrics: names of the metrics of a process that mean something; None: any. What the file has beyond is not used.
    """
    file = target.file
    found = [
        *_missing(target, "processes", processes, [each.name for each in file.processes]),
        *_missing(target, "sinks", sinks, file.sinks),
        *_missing(target, "streams", streams, file.streams),
        *_missing(target, "faults", faults, file.faults),
        *(_unknown_metrics(target, list(metrics)) if metrics is not None else ()),
        *more,
    ]
    if found:
        raise ScenarioError(found)


def unused(target: LoadedTarget, places: Iterable[Where], system: str, why: str) -> Iterator[Problem]:
    """Keys of a target file that mean nothing to a system, and why."""
    for where in places:
        if where in target.document.keys:
            yield target.document.problem(where, f"means nothing to system: {system}: {why}", "remove it", at_key=True)


def _missing(target: LoadedTarget, section: str, wanted: Iterable[str], there: Iterable[str]) -> Iterator[Problem]:
    known, kind = list(there), _ENTRIES[section]
    for name in wanted:
        if name not in known:
            near = nearest(name, known)
            remedy = f"did you mean {quoted(near)}?" if near else f"add it under {section}"
            what = f"has no {kind} {quoted(name)}, which the scenario has"
            at_key = (section,) in target.document.keys
            yield target.document.problem((section,) if at_key else (), what, remedy, at_key=at_key)


def _unknown_metrics(target: LoadedTarget, known: list[str]) -> Iterator[Problem]:
    for place, process in enumerate(target.file.processes):
        for name in process.metrics:
            if name not in known:
                near = nearest(name, known)
                remedy = f"did you mean {quoted(near)}?" if near else f"write one of: {', '.join(known)}"
                what = f"nothing is made of a metric {quoted(name)}"
                yield target.document.problem(("processes", place, "metrics", name), what, remedy, at_key=True)
