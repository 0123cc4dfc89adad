"""Which task numbers there can be: tasks are kept in arrays by their numbers, and one wrong number would make them huge."""

import math

from soak.schemas.language.extent import MAX_ARRIVALS
from soak.schemas.stream.events import COPY, KEY_SHIFT
from soak.simulation.plan import Plan

MOST_TASKS = (2 * MAX_ARRIVALS) << KEY_SHIFT
_MARGIN = 1 << 20


def task_name(number: int) -> str:
    """A task number as it stands in the stream."""
    return f"{number >> KEY_SHIFT}{'.2' if number & COPY else ''}"


def most_tasks(plan: Plan) -> int:
    """A number above every task number that the plan can have: arrivals are Poisson at most, and this is ten sigma."""
    expected, batch = plan.rate.expected(plan.scenario.duration_s), plan.scenario.workload.batch
    together = 1.0 if batch is None else 2 * batch.mean
    return math.ceil(expected + 10 * math.sqrt(expected * together) + 100) << KEY_SHIFT


def is_by_chance(plan: Plan) -> bool:
    """Whether `most_tasks` holds.

    How far users come who wait for their tasks is known afterwards only, and the rate of a trace says about how many rows come.
    """
    return plan.users is None and plan.scenario.workload.trace is None


def task_limit(plan: Plan) -> int:
    """What task numbers of a stream are below: far above those of the plan, since other systems count in their own ways."""
    return min(10 * most_tasks(plan) + _MARGIN, MOST_TASKS) if is_by_chance(plan) else MOST_TASKS
