"""Users of a closed workload, of what k6 and Taurus say of theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

from soak.runner.importing.load import joined_stages
from soak.runner.importing.values import duration_text

Think = Mapping[str, str]

LEAST_THINK_S = 0.1
"""Users who never think would submit without end where tasks end at once."""
TASKS_DOUBT = (
    "a run goes on until its duration is over, also after the last task; "
    "should it be too short for all {tasks:,} tasks, the verdict is INCONCLUSIVE"
)


def constant(seconds: float) -> Think:
    """A think time that is always the same."""
    return {"distribution": "constant", "value": duration_text(seconds)}


AT_ONCE = constant(LEAST_THINK_S)


def users_of(count: int, think: Think, *, total_s: float, ramp_s: float = 0.0) -> dict[str, Any]:
    """Users who come over a time and stay: `duration` (unless `total_s` is 0: then it is not said) and `workload`."""
    users: dict[str, Any] = {"count": count, "think": dict(think)}
    if ramp_s and ramp_s >= total_s > 0:
        users = {"think": dict(think), "stages": [{"to": count, "for": duration_text(ramp_s)}]}
    elif ramp_s:
        users["ramp"] = duration_text(ramp_s)
    return {**({"duration": duration_text(total_s)} if total_s else {}), "workload": {"users": users}}


def users_in_stages(stages: Sequence[tuple[int, float]], start: int, think: Think) -> dict[str, Any]:
    """Users whose number ramps through stages, each a number and the seconds until it is reached (0: at once)."""
    while stages and not stages[0][1]:
        start, stages = stages[0][0], stages[1:]
    total_s, written, now = sum(for_s for _, for_s in stages), list[dict[str, Any]](), start
    if start and all(count == start for count, _ in stages):
        return users_of(start, think, total_s=total_s)
    for count, for_s in stages:
        if not for_s:
            written.append({"count": count, "for": "0s"})
        else:
            written.append({**({"to": count} if count != now else {}), "for": duration_text(for_s)})
        now = count
    first = {"count": start} if start else {}
    users = {**first, "think": dict(think), "stages": joined_stages(written)}
    return {"duration": duration_text(total_s), "workload": {"users": users}}


def with_tasks(part: dict[str, Any], tasks: int) -> dict[str, Any]:
    """A load that ends after a number of tasks."""
    return {**part, "workload": {"tasks": tasks, **part["workload"]}}
