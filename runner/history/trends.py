"""Every objective over the runs of a scenario and target, with its changes and what else differs between the runs around them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from soak.runner.history.changes import Found, search
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import (
    FAMILY_ERROR,
    LEAST_RUNS,
    Key,
    ObjectiveRow,
    RunChange,
    RunRow,
    RunSeries,
    Trend,
    keyed,
)
from soak.schemas.language.expression import AT_LEAST, AT_MOST


class _Point(Struct, frozen=True):
    """An objective of a run that has a value of it."""

    run: RunRow
    objective: ObjectiveRow
    value: float


def series_of(rows: Sequence[RunRow]) -> list[RunSeries]:
    """The series of the runs with a verdict; that of the newest run first. rows: newest first."""
    alike: defaultdict[tuple[str, ...], list[RunRow]] = defaultdict(list)
    for row in rows:
        if row.state.judged:
            alike[row.series].append(row)
    return [_series(runs[::-1]) for runs in alike.values()]


def _series(runs: Sequence[RunRow]) -> RunSeries:
    """runs: oldest first."""
    points = _points(runs)
    searched = sum(1 for each in points.values() if len(each) >= LEAST_RUNS and _varies(each))
    trends = [_trend(key, each, FAMILY_ERROR / max(1, searched)) for key, each in points.items()]
    newest = runs[-1]
    return RunSeries(newest.scenario, newest.tier, newest.settings, newest.target, [run.path for run in runs], trends)


def _varies(points: Sequence[_Point]) -> bool:
    return any(before.value != after.value for before, after in pairwise(points))


def _points(runs: Sequence[RunRow]) -> Mapping[Key, list[_Point]]:
    """The values of each objective; those of the newest run first, in its order."""
    found: defaultdict[Key, list[_Point]] = defaultdict(list)
    for key, _ in keyed(runs[-1].objectives):
        found[key] = []
    for run in runs:
        for key, each in keyed(run.objectives):
            if each.value is not None:
                found[key].append(_Point(run, each, each.value))
    return {key: points for key, points in found.items() if points}


def _trend(key: Key, points: Sequence[_Point], level: float) -> Trend:
    newest = points[-1].objective
    found = search([each.value for each in points], level)
    return Trend(
        objective=newest.objective,
        sli=newest.sli,
        labels=newest.labels,
        op=newest.op,
        unit=newest.unit,
        window_s=newest.window_s,
        number=key[-1],
        runs=[each.run.path for each in points],
        values=[each.value for each in points],
        targets=[each.objective.target for each in points],
        intervals=[each.objective.interval for each in points],
        statuses=[each.objective.status for each in points],
        detail=found.detail,
        changes=[_change(each, points) for each in found.found],
    )


def _change(found: Found, points: Sequence[_Point]) -> RunChange:
    step = found.kind is ChangeKind.STEP
    before, after = points[found.at - 1 if step else found.low].run, points[found.at if step else found.high].run
    return RunChange(
        kind=found.kind,
        before=before.path,
        after=after.path,
        interval=(points[found.low].run.path, points[found.high].run.path),
        old=found.old,
        new=found.new,
        p=found.p,
        better=_better(points[-1].objective.op, found),
        differences=list(differences(before, after)),
    )


def _better(op: str, found: Found) -> bool | None:
    """Whether it moved to the good side; None for objectives that have no such side."""
    if op in AT_MOST:
        return found.new < found.old
    return found.new > found.old if op in AT_LEAST else None


def differences(before: RunRow, after: RunRow) -> Iterator[str]:
    """What differs between two runs by their evidence, the commit first: `commit 1a2b3c4d, then 5e6f7a8b`.

    The stored scenario holds the seed, so that it is compared only for runs with the same seed.
    """
    known = {name: (_facts(before)[name], value) for name, value in _facts(after).items()}
    names = list(dict.fromkeys([*before.environment, *after.environment]))
    known |= {name: (before.environment.get(name, ""), after.environment.get(name, "")) for name in names}
    for name, (old, new) in known.items():
        if old != new:
            yield f"{name} {old or 'unknown'}, then {new or 'unknown'}"
    if before.seed == after.seed and before.scenario_sha256 != after.scenario_sha256:
        yield "the scenario was edited"


def _facts(run: RunRow) -> dict[str, str]:
    dirty = " with uncommitted changes" if run.dirty else ""
    return {"commit": f"{run.commit[:12]}{dirty}" if run.commit else "", "clock": run.clock}
