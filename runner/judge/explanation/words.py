"""Explanations in words: what is shown in the terminal and in reports."""

from collections.abc import Iterable, Sequence

from soak.schemas.evidence.explanation import (
    BurstWindow,
    BusyLevel,
    Case,
    Cases,
    Circumstances,
    FaultWindow,
    Spread,
    Stretch,
)
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import Op
from soak.schemas.language.room import TaskWords
from soak.schemas.language.slis import Aggregate
from soak.schemas.units import LONG_S, show_count, show_duration

_MOST_NAMES = 3


def sentences(*parts: str, named: bool = True) -> str:
    """Parts as sentences, those that are empty left out. named: the first begins with a name, which keeps its first letter."""
    kept = [part for part in parts if part]
    first = 0 if named else -1
    return " ".join(f"{part if place == first else part[0].upper() + part[1:]}." for place, part in enumerate(kept))


def moment(t_s: float) -> str:
    """A time of the run, to the second: `4m3s`."""
    minutes, seconds = divmod(round(t_s), 60)
    if not 1 <= minutes < LONG_S / 60:
        return show_duration(float(round(t_s))) if t_s >= 1 else show_duration(t_s)
    return f"{minutes}m{seconds}s" if seconds else f"{minutes}m"


def span(start_s: float, end_s: float) -> str:
    """A part of the run."""
    return f"from {moment(start_s)} to {moment(end_s)}"


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = list(names) if len(names) <= _MOST_NAMES + 1 else [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def circumstances(around: Circumstances, *, scheduled: bool) -> str:
    """What went on then: phases, bursts and faults, then the load. scheduled: whether the scenario has bursts or such faults."""
    during = [*_phases(around.phases), *_windows(around)]
    if not during and scheduled:
        during = ["outside bursts and scheduled faults" if around.burst_count else "outside scheduled faults"]
    return ", ".join([*during, *([f"with {load(around.load)}"] if around.load else [])])


def _phases(phases: Sequence[str]) -> Iterable[str]:
    if phases:
        yield f"in {'phase' if len(phases) == 1 else 'phases'} {listed(phases)}"


def _windows(around: Circumstances) -> Iterable[str]:
    """The bursts and faults that overlap it, and those before it."""
    for word, bursts, faults in (
        (
            "during",
            [each for each in around.bursts if each.end_s > around.start_s],
            [each for each in around.faults if each.end_s > around.start_s],
        ),
        (
            "after",
            [each for each in around.bursts if each.end_s <= around.start_s],
            [each for each in around.faults if each.end_s <= around.start_s],
        ),
    ):
        parts = [*_bursts(bursts, around.burst_count), *_faults(faults)]
        if parts:
            yield f"{word} {' and '.join(parts)}"


def _bursts(bursts: Sequence[BurstWindow], count: int) -> Iterable[str]:
    if len(bursts) == 1:
        yield f"burst {bursts[0].number} of {count} ({_short(bursts[0].start_s, bursts[0].end_s)})"
    elif bursts:
        yield f"bursts {bursts[0].number} to {bursts[-1].number} of {count}"


def _faults(faults: Sequence[FaultWindow]) -> Iterable[str]:
    if faults:
        named = [f"{each.fault} ({_short(each.start_s, each.end_s)})" for each in faults]
        yield f"{'fault' if len(faults) == 1 else 'faults'} {listed(named)}"


def _short(start_s: float, end_s: float) -> str:
    return f"{moment(start_s)} to {moment(end_s)}"


def load(levels: Sequence[BusyLevel]) -> str:
    """How loaded the system was."""
    return " and ".join(_level(each) for each in levels)


def _level(each: BusyLevel) -> str:
    mean, most = _figure(each.mean), show_count(each.most)
    if each.limit is None:
        return f"{most} {each.what}" if mean == most else f"up to {most} {each.what} ({mean} on average)"
    of = f"{show_count(each.limit)} {each.what}"
    return f"{mean} of {of}" if mean == most else f"{mean} of {of} on average (up to {most})"


def _figure(value: float) -> str:
    return show_count(float(f"{value:.2g}") if value < 100 else float(round(value)))


def causes(cases: Sequence[Cases]) -> str:
    """How often each cause was there."""
    return f"by cause: {', '.join(f'{each.cause} ({each.count:,})' for each in cases)}"


def fell_into(cases: Sequence[Cases]) -> str:
    """Into which phases, bursts and windows of faults cases fell; empty for none."""
    count = sum(each.count for each in cases)
    into: dict[str, int] = {}
    for each in cases:
        _add(into, {f"in phase {name}": number for name, number in each.phases.items()})
        _add(into, {"in bursts": each.bursts} if each.bursts else {})
        _add(into, {f"during fault {name}": number for name, number in each.faults.items()})
    return ", ".join(
        f"{'all' if number == count else f'{number:,} of {count:,}'} {what}" for what, number in into.items()
    )


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def name(comparison: Comparison) -> str:
    """The indicator of a comparison, with its labels."""
    labels = ", ".join(f"{key}={value}" for key, value in comparison.selector)
    return f"{comparison.observed}{{{labels}}}" if labels else comparison.observed


def side(op: Op, where: int) -> str:
    """On which side of its target an indicator lay."""
    if op in {Op.LT, Op.GT}:
        return "not below" if where > 0 else "not above"
    return "above" if where > 0 else "below"


def beside(comparison: Comparison, value: float, target: float) -> str:
    """A value beside its target."""
    return comparison.sli.unit.show_beside(value, target)


def observed(comparison: Comparison, stretch: Stretch, target: float, units: str = "tasks") -> str:
    """The value of a stretch, and of how many observations it is. units: what tasks are called."""
    sli, value = comparison.sli, stretch.value or 0.0
    if sli.aggregate in {Aggregate.COUNT, Aggregate.MAX, Aggregate.GAUGE}:
        return beside(comparison, value, target)
    what = units if sli.once_a_task else "observations"
    if sli.aggregate is Aggregate.QUANTILE:
        # Known to within two per cent.
        return f"about {sli.unit.show(float(f'{value:.2g}'))} ({stretch.samples:,} {what})"
    return f"{beside(comparison, value, target)} ({stretch.samples:,} {what})"


def first_cases(cases: Sequence[Cases], called: TaskWords | None = None) -> Sequence[str]:
    """The very first case, the causes, and into what cases fell, each a sentence; none without cases."""
    if not cases:
        return ()
    first = min((each.first[0] for each in cases), key=lambda each: each.t_s)
    return f"first: {case(first, called)}", causes(cases), fell_into(cases)


def case(each: Case, called: TaskWords | None = None) -> str:
    """One case in a few words. called: what tasks are called, if each has one attempt, of which no worker is told."""
    if called:
        said = f" ({each.detail})" if each.detail else ""
        return f"{called.unit} {each.task} at {moment(each.t_s)}{said}"
    what = f"task {each.task} " if each.task else ""
    on = f" on {each.worker}" if each.worker else ""
    return f"{what}at {moment(each.t_s)}{on}"


def spread(each: Spread) -> str:
    """In how many stretches an objective was broken, beside bursts or scheduled faults where there are any."""
    of = f"stretches of {show_duration(each.length_s)}"
    if each.broken == each.stretches:
        return f"broken in {'both' if each.stretches == 2 else f'all {each.stretches}'} {of}"
    for what, count, broken in (
        ("a burst", each.with_burst, each.broken_with_burst),
        ("a scheduled fault", each.with_fault, each.broken_with_fault),
    ):
        if 0 < count < each.stretches:
            others, others_broken = each.stretches - count, each.broken - broken
            return f"broken in {broken} of {count} {of} with {what} and in {others_broken} of the {others} others"
    return f"broken in {each.broken} of {each.stretches} {of}"
