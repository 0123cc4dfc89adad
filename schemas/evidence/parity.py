"""How two runs of the same scenario and seed compare, as data: what parity.json holds, and what its plot is drawn from."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from soak.schemas.evidence.verdict import End, Outcome
from soak.schemas.stream.block import Floats

SCHEMA_VERSION = 1


class Agreement(StrEnum):
    """Result of one figure, or of the whole comparison.

    EXPLAINED: it differs by more than is allowed, but by no more than what the measured overhead of the real run's machine adds.
    """

    AGREES = "AGREES"
    EXPLAINED = "EXPLAINED"
    DIFFERS = "DIFFERS"
    NOT_COMPARED = "NOT_COMPARED"


class Topic(StrEnum):
    """Subject of a figure."""

    TASKS = "tasks"
    ATTEMPTS = "attempts"
    LATENCY = "latency"
    SLI = "sli"
    SYSTEM = "system"


class ParityRun(msgspec.Struct, frozen=True):
    """One of the two runs; `directory` is its name without its folder."""

    directory: str
    target: str
    clock: str
    speed: float
    end: End
    verdict: Outcome
    ended_s: float
    events: int


class TaskCounts(msgspec.Struct, frozen=True):
    """Tasks of both runs, by number: seen in either, accepted, and equal in both."""

    seen: int
    base_accepted: int
    run_accepted: int
    accepted_in_both: int
    same_state: int
    same_attempts: int
    latency_in_both: int


class TaskDifference(msgspec.Struct, frozen=True):
    """One task that differs between the runs, with its short history in each."""

    task: str
    base_state: str
    run_state: str
    base_attempts: int
    run_attempts: int
    base_history: str
    run_history: str


class Figure(msgspec.Struct, frozen=True):
    """One compared figure, in base units. `base` and `run` are null where the figure belongs to the pair of runs."""

    name: str
    topic: Topic
    description: str
    unit: str
    base: float | None
    run: float | None
    difference: float | None
    allowed: float | None
    tolerance: str
    status: Agreement
    detail: str


class Parity(msgspec.Struct, frozen=True):
    """The whole comparison."""

    schema_version: int
    status: Agreement
    reasons: list[str]
    scenario: str
    scenario_sha256: str
    seed: int
    base: ParityRun
    run: ParityRun
    overhead_s: float
    tasks: TaskCounts
    figures: list[Figure]
    other_state: list[TaskDifference]
    other_attempts: list[TaskDifference]


class Latencies(Struct, frozen=True):
    """Latencies in seconds: of each run by itself, ascending; and of the tasks that both have, by when they were due."""

    base_s: Floats
    run_s: Floats
    due_s: Floats
    difference_s: Floats
    """Latency of the task in the run minus that in the base."""
