"""Two engines, the same events: random scenarios compiled and on SimPy, and kernels with a mistake, each of which is found."""

import os
from pathlib import Path

import pytest

from engines.equal import Stream, compare, differences, streamed
from engines.generated import scenario_of
from engines.kernels import NOTICED, SURVIVES, Known, Mutant, survives
from soak.schemas.language.load import load
from soak.schemas.stream.kinds import Kind
from soak.simulation.compiled.engine import Engine
from soak.simulation.compiled.library import Unavailable
from soak.simulation.queue import compiled

SEEDS = range(110)
EMITTED = {
    kind
    for kind in Kind
    if kind.name.startswith(("TASK_", "EXECUTION_", "LEASE_", "FAULT_", "CENSUS_"))
    or kind in {Kind.PROCESS_EXITED, Kind.PROCESS_STARTED, Kind.SAMPLE_LOST}
    or kind in {Kind.SAMPLE_QUEUE_DEPTH, Kind.SAMPLE_OLDEST_PENDING, Kind.SAMPLE_BUSY_WORKERS}
} - {Kind.TASK_CANCELLED, Kind.TASK_DEGRADED}
"""What the model of a queue can emit."""

MISTAKES = {
    "attempts that end at the same time end in the order of their workers": (
        "((a).end_s == (b).end_s && (a).number < (b).number)",
        "((a).end_s == (b).end_s && (a).worker < (b).worker)",
    ),
    "the work that is handed out next is the oldest": ("= first_due(ready, q->ready.size, 0);", "= ready[0].due;"),
    "a wait that counts from the start of the attempt": (
        "try_again(q, now, now + wait_after(",
        "try_again(q, now, a->start_s + wait_after(",
    ),
    "a window includes its end": (
        "if (w.edges[2 * mid + 1] > t) high = mid; else low",
        "if (w.edges[2 * mid + 1] >= t) high = mid; else low",
    ),
    "a lease that expires as its attempt ends": (
        "return found_s < end_s ? found_s",
        "return found_s <= end_s ? found_s",
    ),
    "a heartbeat too many": (
        "ceil((from_s - start_s) / q->c.heartbeat_s) - 1;",
        "ceil((from_s - start_s) / q->c.heartbeat_s);",
    ),
    "a duplicate of a task that has failed": (
        "state == S_PENDING || state == S_IN_PROGRESS || state == S_DONE",
        "state == S_PENDING || state == S_IN_PROGRESS || state == S_DONE || state == S_FAILED",
    ),
    "the last attempt": ("if (a->attempt >= rules->last_attempt) {", "if (a->attempt > rules->last_attempt) {"),
    "no poll for a worker that comes free": (
        "if (q->ready.size || q->poll_asked_at == FOREVER) plan_poll",
        "if (q->ready.size) plan_poll",
    ),
}
"""By what is wrong, what of the kernel is replaced and by what."""


@pytest.fixture(scope="module")
def kernel() -> str:
    """The text of the kernel; skips the test where nothing can be compiled, unless that is required."""
    try:
        compiled.KERNEL.load()
    except Unavailable as reason:
        (pytest.fail if os.environ.get("SOAK_TEST_SERVERS") == "required" else pytest.skip)(str(reason))
    return compiled.KERNEL.source.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def both(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Known, Stream]]:
    """What SimPy and the engine that is chosen make of some scenarios."""
    folder, found = tmp_path_factory.mktemp("scenarios"), []
    for seed in SEEDS:
        drawn = scenario_of(seed)
        loaded = load(drawn.write(folder / str(seed)))
        one, other = (streamed(loaded, drawn.block, engine) for engine in (Engine.SIMPY, Engine.AUTO))
        found.append((Known(drawn, one), other))
    return found


def test_random_scenarios_give_the_same_events(both: list[tuple[Known, Stream]]) -> None:
    found = {known.drawn.seed: differences(known.stream.files, other.files) for known, other in both}
    assert {seed: list(map(str, each)) for seed, each in found.items() if each} == {}


def test_most_of_them_ran_compiled(both: list[tuple[Known, Stream]]) -> None:
    ran = [other.ran.engine for _, other in both]
    assert ran.count(Engine.COMPILED) > len(SEEDS) / 2
    assert all(other.ran.why for _, other in both if other.ran.engine is Engine.SIMPY)


def test_all_kinds_of_events_of_a_queue_come_up(both: list[tuple[Known, Stream]]) -> None:
    assert frozenset().union(*(known.stream.kinds for known, _ in both)) >= EMITTED


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_verdict_and_evidence_are_the_same(kernel: str, seed: int) -> None:
    assert compare(scenario_of(seed), judged=True, whole=True).differences == []


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_the_kernel_is_found(
    kernel: str, both: list[tuple[Known, Stream]], tmp_path: Path, what: str
) -> None:
    known = [each for each, other in both if other.ran.engine is Engine.COMPILED]
    assert survives(Mutant.of(kernel, *MISTAKES[what]), known, tmp_path) == NOTICED


def test_a_kernel_that_keeps_next_to_nothing_gives_the_same(
    kernel: str, both: list[tuple[Known, Stream]], tmp_path: Path
) -> None:
    """What has been drawn is drawn again when it is needed."""
    known = [each for each, other in both if other.ran.engine is Engine.COMPILED]
    less = kernel.replace("#define LATER_KEPT 128", "#define LATER_KEPT 1").replace("FIRST_KEPT 4", "FIRST_KEPT 1")
    assert kernel.count("#define LATER_KEPT 128") == kernel.count("FIRST_KEPT 4") == 1
    assert survives(Mutant(0, kernel, less), known, tmp_path) == SURVIVES


def test_a_kernel_without_a_mistake_survives(kernel: str, both: list[tuple[Known, Stream]], tmp_path: Path) -> None:
    known = [each for each, other in both if other.ran.engine is Engine.COMPILED][:20]
    assert survives(Mutant.of(kernel, "/* The clock. */", "/* A clock. */"), known, tmp_path) == SURVIVES
