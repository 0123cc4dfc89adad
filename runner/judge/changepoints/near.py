"""What else happened when an indicator changed: scheduled faults, phases, releases, restarts and resumptions."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from soak.runner.judge.changepoints.marks import Marks
from soak.schemas.evidence.changepoints import Nearby
from soak.schemas.evidence.verdict import Resume
from soak.schemas.language.model import Scenario

_MOST = 5
"""Of what happened near a change, the most that are named."""


class Happening(Struct, frozen=True):
    """What happened at several times: stretches of scenario time, in order; `lost`: there were more of them.

    gradual: something may change all the time that it lasts, not only where it begins and where it ends.
    """

    what: str
    spans: Sequence[tuple[float, float]]
    lost: bool = False
    gradual: bool = False


def happenings(scenario: Scenario, marks: Marks, resumes: Sequence[Resume], until_s: float) -> Iterator[Happening]:
    """All that is known to have happened, and could have changed something."""
    for fault in scenario.faults:
        spans = [(window.start_s, window.end_s) for window in fault.windows if window.start_s < until_s]
        if spans:
            yield Happening(f"fault {fault.name}", spans)
    yield from _planned_rate(scenario, until_s)
    for phase in scenario.phases:
        start_s, end_s = phase.window.start_s, phase.window.end_s
        yield Happening(f"phase {phase.name} begins", [(start_s, start_s)] if 0 < start_s < until_s else [])
        yield Happening(f"phase {phase.name} ends", [(end_s, end_s)] if end_s < until_s else [])
    if resumes:
        yield Happening("the run was resumed", [(each.at_s, each.at_s + each.gap_s) for each in resumes])
    for what, times_s, lost in marks.all():
        yield Happening(what, [(t_s, t_s) for t_s in times_s], lost)


def _planned_rate(scenario: Scenario, until_s: float) -> Iterator[Happening]:
    """Where the arrival rate of a shape steps, where it changes steadily, and when some arrive at set times."""
    pieces = scenario.workload.shape.pieces if scenario.workload.shape else ()
    steps = [(after.start_s,) * 2 for before, after in pairwise(pieces) if before.to_per_s != after.from_per_s]
    ramps = [(each.start_s, each.end_s) for each in pieces if each.from_per_s != each.to_per_s]
    if steps:
        yield Happening("the planned arrival rate steps", [span for span in steps if span[0] < until_s])
    if ramps:
        changes = [span for span in ramps if span[0] < until_s]
        yield Happening("the planned arrival rate changes", changes, gradual=True)
    for each in scenario.workload.scheduled:
        times = [(t_s, t_s) for t_s in each.times_s if t_s < until_s]
        yield Happening(f"{each.count:,} {each.name} arrive", times)


def near(
    low_s: float, high_s: float, known: Sequence[Happening], span: tuple[float, float], reach_s: float
) -> tuple[list[Nearby], list[str]]:
    """What begins or ends between `low_s` and `high_s`, and what happens near any time of the run (`span`), by its name.

    What comes within `reach_s` of more than half of the run, or more often than is remembered, is near any time.
    """
    found, throughout = [], []
    for each in known:
        covered_s = _length(each.spans, span) if each.gradual else _covered(each.spans, reach_s, span)
        if each.lost or covered_s > (span[1] - span[0]) / 2:
            throughout.append(each.what)
            continue
        touching = [pair for pair in each.spans if _touches(pair, low_s, high_s, within=each.gradual)]
        if touching:
            found.append(Nearby(each.what, touching[0][0], touching[-1][1]))
    middle_s = (low_s + high_s) / 2
    found.sort(key=lambda item: (min(abs(item.start_s - middle_s), abs(item.end_s - middle_s)), item.what))
    return found[:_MOST], throughout


def _touches(pair: tuple[float, float], low_s: float, high_s: float, *, within: bool) -> bool:
    """Whether it begins or ends between the two (or, `within`, goes on at any time between them)."""
    start_s, end_s = pair
    if within:
        return start_s < high_s and low_s < end_s
    return low_s <= start_s <= high_s or low_s <= end_s <= high_s


def _length(spans: Sequence[tuple[float, float]], span: tuple[float, float]) -> float:
    """How much of `span` disjoint stretches take."""
    return sum(max(0.0, min(end_s, span[1]) - max(start_s, span[0])) for start_s, end_s in spans)


def _covered(spans: Sequence[tuple[float, float]], reach_s: float, span: tuple[float, float]) -> float:
    """How much of `span` lies within `reach_s` of a beginning or an end."""
    total_s, until_s = 0.0, span[0]
    for edge_s in sorted(edge_s for pair in spans for edge_s in pair):
        low_s, high_s = max(edge_s - reach_s, until_s), min(edge_s + reach_s, span[1])
        if high_s > low_s:
            total_s, until_s = total_s + high_s - low_s, high_s
    return total_s
