"""False alarms in words: how often conditions hold by chance in a system at its objectives, and what to change."""

from collections.abc import Iterator, Sequence

from soak.schemas.evidence.false_alarms import LIMIT, FalseAlarm, Remedy
from soak.schemas.units import show_duration, show_ratio

HEADLINE = (
    "false alarms: how often each condition holds in a run whose failures are independent and exactly at the objective"
)


def chance_words(chance: float) -> str:
    """A probability that is rounded neither up to certainty nor down to nothing."""
    if not 0.001 <= chance <= 0.999:
        return "> 99.9%" if chance > 0.5 else "< 0.1%"
    return f"{100 * chance:.1f}%" if chance > 0.9 else f"{100 * chance:.2g}%"


def condition_words(alarm: FalseAlarm) -> str:
    """The condition as the scenario has it."""
    return ", ".join([alarm.when, *_parts(alarm.window_s, alarm.min_samples, alarm.for_s)])


def remedy_words(alarm: FalseAlarm) -> str:
    """What to write instead; empty where nothing is needed, or nothing can be said."""
    if alarm.chance is None or alarm.chance <= LIMIT:
        return ""
    if not alarm.remedies:
        return f"no window and min_samples within the run make it {show_ratio(LIMIT)}"
    changes = " or ".join(_change(each) for each in alarm.remedies)
    return f"at most {show_ratio(LIMIT)} with {changes}"


def said(alarm: FalseAlarm) -> str:
    """How often, or why nothing can be said."""
    return f"no statement: {alarm.reason}" if alarm.chance is None else f"{chance_words(alarm.chance)} of runs"


def false_alarm_lines(alarms: Sequence[FalseAlarm]) -> Iterator[str]:
    """For a terminal; nothing without any."""
    if alarms:
        yield f"  {HEADLINE}"
    for each in alarms:
        severity = f", {each.severity}" if each.severity else ""
        yield f"    {each.name}{severity} ({condition_words(each)}): {said(each)} at {each.objective}"
        if words := remedy_words(each):
            yield f"      {words}"


def _change(remedy: Remedy) -> str:
    return " and ".join(_parts(remedy.window_s, remedy.min_samples or 0, 0.0))


def _parts(window_s: float | None, min_samples: int, for_s: float) -> Iterator[str]:
    if window_s is not None:
        yield f"window: {show_duration(window_s)}"
    if min_samples:
        yield f"min_samples: {min_samples}"
    if for_s:
        yield f"for: {show_duration(for_s)}"
