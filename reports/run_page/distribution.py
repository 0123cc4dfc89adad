"""How long tasks took, as a histogram: from the event stream, with the limits of objectives and the quantiles of the verdict."""

from collections.abc import Iterator

import numpy as np

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.look.figures import Drawing
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Bar, Plot, Rule
from soak.reports.run_page.ended import Ended
from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

LEAST_TASKS = 20
BINS = 48
_WIDE = 30.0
"""From this ratio of the longest to the median on, the scale is logarithmic."""
_LEAST_SHARE = 1e-5
"""Of the longest: what is shorter is in the first bar of a logarithmic scale."""


def distribution(run: RunData, ended: Ended) -> Drawing | None:
    """The histogram of what objectives count; None where too few tasks ended, or none took any time."""
    found = ended.since(run.scenario.warmup_s)
    all_s = found.latency_s
    if len(all_s) < LEAST_TASKS or not all_s.max() > 0:
        return None
    longest, log = float(all_s.max()), is_wide(all_s)
    edges = edges_of(all_s, log=log)
    clipped = np.clip(all_s, edges[0], longest)
    done, failed = (np.histogram(clipped[each], edges)[0] for each in (~found.failed, found.failed))
    counts = zip(edges[:-1].tolist(), edges[1:].tolist(), done.tolist(), failed.tolist(), strict=True)
    count = len(all_s)
    bars = [Bar(low, high, ((Role.BLUE, d / count), (Role.BAD, f / count))) for low, high, d, f in counts]
    words = run.task_words
    units, states = (words.units, words.states) if words else ("tasks", {})
    kinds = (("DONE", Role.BLUE), ("FAILED", Role.BAD)) if found.failed.any() else ()
    plot = Plot(
        word="Latency distribution",
        x=Axis("latency" + (", logarithmic" if log else ""), float(edges[0]), longest, Form.SECONDS, log=log),
        y=Axis(f"share of {units}", 0.0, 1.06 * float((done + failed).max()) / count, Form.RATIO),
        bars=bars,
        rules=[each for each in _rules(run) if edges[0] <= each.value <= longest],
        keys=[(states.get(state, state), role) for state, role in kinds],
    )
    scale = "each bar is as many times as long as the one before it" if log else f"a bar is {_width(edges)} wide"
    note = f"{count:,} {units}, from when each was due to its end; {scale}."
    return Drawing("Latency distribution", plot.picture, note)


def is_wide(all_s: Floats) -> bool:
    """Whether latencies differ so much that a linear scale would hide most of them."""
    return float(all_s.max()) > _WIDE * max(float(np.median(all_s)), 1e-9)


def edges_of(all_s: Floats, *, log: bool) -> Floats:
    """The edges of the bars, the last one the longest latency; the first one 0, or the shortest on a logarithmic scale."""
    longest = float(all_s.max())
    if not log:
        return np.linspace(0.0, longest, BINS + 1)
    shortest = max(float(all_s.min()), _LEAST_SHARE * longest)
    edges: Floats = np.geomspace(shortest, longest, BINS + 1)
    edges[-1] = longest
    return edges


def _width(edges: Floats) -> str:
    return show_duration(float(f"{edges[1] - edges[0]:.3g}"))


def _rules(run: RunData) -> Iterator[Rule]:
    """Quantiles as the verdict has them, and the limits of objectives of latency."""
    for name, role in (("p50", Role.INK), ("p95", Role.ORANGE), ("p99", Role.PURPLE)):
        value = run.verdict.slis.get(f"latency_{name}")
        if isinstance(value, float):
            yield Rule(f"{name} {show_duration(float(f'{value:.4g}'))}", value, role)
    for each in run.verdict.objectives:
        if each.is_of_latency and not each.labels and each.limit and each.status is not Status.NOT_APPLICABLE:
            yield Rule(f"limit {each.objective}", each.limit, Role.BAD if each.status is Status.FAIL else Role.OK)
