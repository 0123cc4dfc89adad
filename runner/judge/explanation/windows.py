"""Why an objective in windows of the run is broken: since when, how often and for how long, and which window was worst."""

from collections.abc import Callable

from soak.runner.judge.explanation import words
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.explanation import Broken, Circumstances, Explanation, Stretch
from soak.schemas.evidence.windows import WindowsResult
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import tick
from soak.schemas.units import show_duration

Around = Callable[[Judge, Stretch | Window], Circumstances]


def explained(judge: Judge, comparison: Comparison, found: WindowsResult, around_of: Around) -> Explanation:
    """The explanation of one that is broken; `around_of`: what went on in a part of the run."""
    worst = found.worst
    stretch = Stretch(worst.start_s, worst.end_s, worst.value, worst.samples) if worst else None
    around = around_of(judge, stretch) if stretch else None
    parts = []
    if found.first_s is not None:
        more = (
            f", and {found.spells - 1} more times"
            if found.spells > 2
            else ", and once more"
            if found.spells > 1
            else ""
        )
        lasted = f", for {show_duration(round(found.broken_s))} in all" if found.broken_s >= 1 else ""
        parts.append(
            f"{words.name(comparison)} was first broken in the window up to {words.moment(found.first_s)}{more}{lasted}"
        )
    if stretch and around:
        then = words.circumstances(around, scheduled=judge.records.calendar.scheduled)
        what = words.observed(comparison, stretch, found.limit)
        parts.append(", ".join(filter(None, [f"worst {words.span(stretch.start_s, stretch.end_s)}: {what}", then])))
    text = words.sentences(*parts)
    return Explanation(Broken.OBJECTIVE, comparison.text, text, _since(judge, found), None, stretch, None, around, [])


def _since(judge: Judge, found: WindowsResult) -> float | None:
    """From when on every window to the end was broken; None where one later was not."""
    if found.first_s is None or found.spells != 1:
        return None
    end_s = judge.scenario.warmup_s + found.length_s + found.looked_s
    return found.first_s if tick(found.first_s + found.broken_s) >= tick(end_s) else None
