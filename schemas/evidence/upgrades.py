"""Evidence of earlier versions: which versions of each file can be read, and what brings them up to today's.

A new version is for what breaks a reader: a field that goes, is renamed, is required anew or means another thing. A field that is
added and may be missing is not a new version: it gets a default in its struct and a line in `ADDED`. Versions begin at 1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from soak.schemas.evidence import changes, manifest, reviews, trace, verdict
from soak.schemas.stream.events import worker_name
from soak.schemas.stream.identity import STREAM_VERSION

Document = dict[str, Any]
"""A JSON file of the evidence, decoded and not yet typed."""

Step = Callable[[Document], Document]
"""From a version to the next. Raises TooOldError, which says what is missing, where no default would be true."""


class TooOldError(Exception):
    """A document of an earlier version that cannot be brought up; says why."""


class Format(Struct, frozen=True):
    """The version that is written, and a step from each earlier one that can be read."""

    version: int
    steps: Mapping[int, Step]

    def upgraded(self, document: Document) -> Document:
        """A document of today's version. Raises TooOldError for one that cannot be brought up."""
        found = document["schema_version"]
        for version in range(found, self.version):
            document = self.steps[version](document)
        return {**document, "schema_version": self.version}


def _same(document: Document) -> Document:
    return document


# verdict.json, alerts.json and checkpoints.json.


def _counted(document: Document) -> Document:
    """From verdict 1 to 2, which said the same: some of it was not yet counted in early files of version 1."""
    _refuse_without(document, ("deferred", "load", "resumes", "slowest", "growths"))
    return document


def _with_notes(document: Document) -> Document:
    """From verdict 2 to 3: what came with the system of calls, which had no notes and no gain before."""
    objectives = [{**objective, "note": ""} for objective in document["objectives"]]
    return {**document, "objectives": objectives, "gain": None}


def _without_resumes(document: Document) -> Document:
    """From verdict 3 to 4: `gap_s` of a resumed run held the pause as well, and cannot be told from it."""
    if document["resumes"]:
        raise TooOldError("the run was resumed, and this version does not tell its pause from its gap")
    return document


def _with_errors(document: Document) -> Document:
    """From checkpoints 1 to 2, which said the same: early files of version 1 did not count errors."""
    for row in document["checkpoints"]:
        _refuse_without(row, ("errors",))
    return document


# run_manifest.json.


def _with_speed(document: Document) -> Document:
    """From manifest 1 to 2: runs had a simulated clock only, then a speed, too; then messages were sent."""
    return {"notifications": None, **_with_simulated_speed(document)}


def _with_export(document: Document) -> Document:
    """From manifest 2 to 3: nothing was exported before."""
    return {"timeseries_export": None, **document}


def _with_simulated_speed(document: Document) -> Document:
    if document["clock"] != "simulated":
        _refuse_without(document, ("speed",))
    return {"speed": 1.0, **document}


def _refuse_without(document: Document, fields: Sequence[str]) -> None:
    if missing := [name for name in fields if name not in document]:
        raise TooOldError(f"what this release needs was not recorded yet: {', '.join(missing)}")


FORMATS: Mapping[type, Format] = {
    verdict.Verdict: Format(verdict.SCHEMA_VERSION, {1: _counted, 2: _with_notes, 3: _without_resumes}),
    verdict.Alerts: Format(verdict.SCHEMA_VERSION, {1: _same, 2: _same, 3: _same}),
    verdict.Checkpoints: Format(verdict.SCHEMA_VERSION, {1: _with_errors, 2: _same, 3: _same}),
    manifest.Manifest: Format(manifest.SCHEMA_VERSION, {1: _with_speed, 2: _with_export}),
    changes.Baseline: Format(changes.BASELINE_VERSION, {}),
    trace.TraceRecord: Format(trace.SCHEMA_VERSION, {}),
    reviews.Reviews: Format(reviews.SCHEMA_VERSION, {}),
}
"""Every file of the evidence that is read back."""

STREAM = Format(STREAM_VERSION, {1: _with_simulated_speed})
"""The header of the event stream; for its events see `EarlierEvents`."""

ADDED: Mapping[type, frozenset[str]] = {
    manifest.Manifest: frozenset(
        {
            "environment",
            "included",
            "processes",
            "shutdown_order",
            "resource_usage",
            "system_export",
            "source_metrics",
            "alerts",
        }
    ),
    verdict.Verdict: frozenset(
        {
            "typed_reasons",
            "caveats",
            "attribution",
            "tails",
            "change_points",
            "decided",
            "explanation",
            "not_judged",
            "marks",
        }
    ),
    verdict.ObjectiveResult: frozenset({"effective_samples", "thin", "family", "excluded"}),
    verdict.GrowthResult: frozenset({"effective_samples", "detail"}),
    changes.RelativeResult: frozenset({"sli"}),
    changes.Baseline: frozenset({"system", "part_s"}),
    changes.SliChange: frozenset({"effective"}),
    trace.TraceRecord: frozenset({"service_by_kind"}),
}
"""Fields that were added without a new version: evidence of before does not have them."""


# The event stream.


class Line(Protocol):
    """What is changed of an event; `worker` is -1 where it names none."""

    type: str
    worker: int
    fault: str
    name: str | None


class EarlierEvents:
    """Brings the events of a stream of version 1 up to version 2, block by block, in order.

    `process.exited` and `process.started` name the process: a worker by its number, any other by the fault that
    took it down. `run.resumed` says for how long nothing was observed, and follows a `run.paused`.
    """

    def __init__(self) -> None:
        self._gone: list[str] = []
        self._paused = False

    def __call__(self, lines: Sequence[Line]) -> int | None:
        """Change these events; returns the place of the first one that cannot be brought up."""
        for place, line in enumerate(lines):
            if line.type == "run.paused":
                self._paused = True
            elif line.type == "run.resumed":
                if not self._paused:
                    return place
                self._paused = False
            elif line.type in {"process.exited", "process.started"} and line.name is None:
                line.name = self._process(line)
                if not line.name:
                    return place
        return None

    def _process(self, line: Line) -> str:
        """The name of a process; empty where several are gone and it does not say which is back."""
        if line.worker >= 0:
            return worker_name(line.worker)
        if line.type == "process.exited":
            self._gone.append(line.fault or _UNNAMED)
            return self._gone[-1]
        if len(set(self._gone)) > 1:
            return ""
        return self._gone.pop() if self._gone else _UNNAMED


_UNNAMED = "process"
