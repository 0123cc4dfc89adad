"""What of the load a scenario schedules: bursts, and cycles that begin anew."""

from collections.abc import Iterator

from soak.schemas.language.model import Rhythm, Scenario
from soak.schemas.language.windows import Recurrence, Window, common_cycle_s


def bursts_of(scenario: Scenario) -> tuple[Rhythm, ...]:
    """The bursts of arrivals by name, each with its windows up to the end of arrivals."""
    workload = scenario.workload
    if workload.shape is not None:
        return workload.shape.bursts
    if workload.burst is None:
        return ()
    windows = Recurrence(0.0, workload.burst.for_s, workload.burst.every_s).windows(scenario.duration_s)
    return (Rhythm("burst", windows, workload.burst.every_s),)


def cycles_of(scenario: Scenario) -> Iterator[Rhythm]:
    """What comes back all through the run beside bursts: each cycle of a profile, stages or arrivals at set times is a window."""
    workload = scenario.workload
    cycles = [("cycle", 0.0, each) for each in (workload.shape.cycles_s if workload.shape else ())]
    cycles += [(each.name, each.times_s[0], each.period_s) for each in workload.scheduled if each.period_s]
    for name, at_s, period_s in cycles:
        windows = Recurrence(at_s, period_s, period_s).windows(scenario.duration_s)
        yield Rhythm(name, windows, period_s)


def burst_windows(scenario: Scenario) -> tuple[Window, ...]:
    """The windows of all bursts in order, cut at the end of arrivals."""
    end_s = scenario.duration_s
    windows = (window for rhythm in bursts_of(scenario) for window in rhythm.windows)
    return tuple(
        Window(each.start_s, min(each.end_s, end_s)) for each in sorted(windows, key=lambda each: each.start_s)
    )


def is_cyclic(scenario: Scenario) -> bool:
    """Whether the load of a cycle that is over says what the load of the next will be."""
    workload = scenario.workload
    if workload.users is not None:
        return workload.users.is_steady_from(scenario.warmup_s)
    if any(not each.period_s for each in workload.scheduled) or workload.exactly is not None:
        return False
    return workload.shape is None or bool(workload.shape.cycle_s)


def cycle_s(scenario: Scenario) -> float:
    """After which arrivals repeat themselves, in seconds: 0 if their rate is constant, or never does.

    Arrivals at set times that come back are part of it where they do within half of the run.
    """
    workload = scenario.workload
    own_s = workload.burst.every_s if workload.burst else 0.0
    if workload.shape is not None:
        own_s = workload.shape.cycle_s
        if not own_s:
            return 0.0
    periods_s = [each.period_s for each in workload.scheduled if each.period_s]
    together_s = common_cycle_s([*([own_s] if own_s else []), *periods_s], scenario.duration_s) if periods_s else 0.0
    return together_s or own_s
