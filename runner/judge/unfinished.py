"""What is outstanding of the observations of an indicator."""

from msgspec.structs import replace

from soak.runner.judge.judge import Judge
from soak.schemas.language.conditions import Comparison


def open_observations(judge: Judge, comparison: Comparison) -> tuple[int, str]:
    """How many observations of an SLI are outstanding, and of what."""
    sli = comparison.sli
    if sli.source:
        sli = replace(sli, series=sli.source)
    lifecycle, labels = judge.lifecycle, judge.labels.selected(comparison.selector)
    own = lifecycle.tracker.still_open(sli, lifecycle, labels)
    if own or not sli.censored:
        return own or (0, "tasks")
    unfinished = lifecycle.unfinished(labels)
    return unfinished.transient if sli.series == "recovery" else unfinished.tasks + unfinished.deferred, "tasks"
