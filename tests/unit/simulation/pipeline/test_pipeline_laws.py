"""Laws of every simulated pipeline: records are conserved, guarantees hold, and a seed decides everything."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import Run, loaded

from soak.schemas.stream.block import Block, merge
from soak.simulation import run as simulation
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

GUARANTEES = ("exactly_once", "at_least_once", "at_most_once")
PROCESSES = ("a", "b", "c", "d")
STRUCK = ("process_kill", "term_during_batch", "process_hang", "port_taken")


@dataclass(frozen=True)
class Drawn:
    """A pipeline: a chain, or with a branch behind the first process."""

    text: str
    paths: dict[str, tuple[str, ...]]
    """The processes that the records of each sink go through."""


@st.composite
def pipelines(draw: st.DrawFn, guarantees: tuple[str, ...] = GUARANTEES) -> Drawn:
    count = draw(st.integers(1, 4))
    names = PROCESSES[:count]
    behind = {name: names[draw(st.integers(0, place - 1))] for place, name in enumerate(names) if place}
    processes, sinks, paths = [], [], dict[str, tuple[str, ...]]()
    for name in names:
        above = behind.get(name)
        service = draw(st.sampled_from(["constant, value: 1ms", "exponential, mean: 20ms", "constant, value: 60ms"]))
        overflow = draw(st.sampled_from(["block", "drop_newest", "drop_oldest"])) if above is None else "block"
        processes.append(
            f"    - {{name: {name}, reads: {f's{above}' if above else 'source'}, writes: s{name}, overflow: {overflow}, "
            f"buffer: {draw(st.sampled_from([3, 40, 1000]))}, guarantee: {draw(st.sampled_from(guarantees))}, "
            f"checkpoint: 3s, start: {{distribution: exponential, mean: 2s}}, service: {{distribution: {service}}}}}"
        )
        # What is read again after a kill must not be dropped in part, so the reader has no batches in its memory.
        most = 1 if above is None else 25
        for place in range(draw(st.integers(0 if name != names[-1] else 1, 2))):
            sinks.append(
                f"    - {{name: {name}{place}, of: s{name}, batch: {{rows: {draw(st.integers(1, most))}, every: 900ms}}}}"
            )
            paths[f"{name}{place}"] = (*paths_above(behind, name), name)
    faults = [fault(draw, place, names, list(paths)) for place in range(draw(st.integers(0, 6)))]
    resume = draw(st.booleans())
    lines = [
        "duration: 1m",
        f"workload: {{arrivals: {{rate: 12/s, process: {draw(st.sampled_from(['constant', 'poisson']))}}}}}",
        "pipeline:",
        f"  source: {{resume: {str(resume).lower()}}}",
        "  processes:",
        *processes,
        "  sinks:",
        *sinks,
        f"  supervisor: {{restart: {{max_restarts: {draw(st.sampled_from([1, 20]))}}}, health: {{every: 5s}}}}",
        f"  stream_timeout: {draw(st.sampled_from([5, 30]))}s",
        *(["faults:", *faults] if faults else []),
    ]
    return Drawn("\n".join(lines), paths)


def paths_above(behind: dict[str, str], name: str) -> tuple[str, ...]:
    above = behind.get(name)
    return (*paths_above(behind, above), above) if above else ()


def fault(draw: st.DrawFn, place: int, names: tuple[str, ...], sinks: list[str]) -> str:
    type_ = draw(st.sampled_from([*STRUCK, "source_silence", "source_disconnect", "source_burst", "sink_lock"]))
    struck = f", process: {draw(st.sampled_from(names))}" if type_ in STRUCK else ""
    struck = f", sink: {draw(st.sampled_from(sinks))}" if type_ == "sink_lock" else struck
    lasts = type_ not in {"process_kill", "term_during_batch"}
    at_s, for_s = draw(st.integers(100, 5000)), draw(st.integers(10, 900))
    more = ", times: 4" if type_ == "source_burst" else ""
    during = ", during: startup" if type_ == "process_kill" and draw(st.booleans()) else ""
    return (
        f"  - {{name: f{place}, type: {type_}{struck}{more}{during}, at: {at_s * 10}ms"
        f"{f', for: {for_s * 10}ms' if lasts else ''}}}"
    )


def accounted(run: Run, sink: str, path: tuple[str, ...]) -> tuple[int, int]:
    """Records of which it is known what became of them, and those that still wait for a process before the sink."""
    known = (
        run.total("records.stored", sink)
        + run.total("records.lost", sink)
        + run.total("records.dropped", path[0])
        + run.total("records.missed", path[0])
    )
    return known, round(sum(run.left(process) for process in path))


@settings(max_examples=50, deadline=None)
@given(drawn=pipelines())
def test_every_record_is_in_exactly_one_place(drawn: Drawn) -> None:
    run = Run(drawn.text)
    sent = run.total("records.sent")
    for sink, path in drawn.paths.items():
        known, left = accounted(run, sink, path)
        # A process that never came back waits to read again what one of its sinks has already.
        assert known <= sent <= known + left, sink
        if not run.of("process.abandoned"):
            assert left == 0, sink


@settings(max_examples=50, deadline=None)
@given(drawn=pipelines(guarantees=("exactly_once",)))
def test_nothing_is_lost_or_duplicated_with_exactly_once_whatever_happens(drawn: Drawn) -> None:
    text = drawn.text.replace("resume: false", "resume: true")
    run = Run(text)
    assert run.of("records.lost", "records.duplicated", "orders.duplicated", "records.missed") == []


@settings(max_examples=30, deadline=None)
@given(drawn=pipelines())
def test_processes_probes_and_faults_add_up(drawn: Drawn) -> None:
    run = Run(drawn.text)
    for process in {each for path in drawn.paths.values() for each in path}:
        ends, starts = len(run.of("process.exited", who=process)), len(run.of("process.started", who=process))
        assert 0 <= starts - ends <= 1
        assert starts - 1 == run.of("reported.restarts", who=process)[0].value
        healthy = run.times("process.healthy", who=process)
        assert len(run.of("process.output", who=process)) <= len(healthy) <= starts
        shutdown = run.times("shutdown.started")[0]
        due = [5.0 * count for count in range(1, int(shutdown / 5) + 2) if 5.0 * count < shutdown]
        assert run.times("probe.green", "probe.failed", who=process)[: len(due)] == due
    for cause in {event.fault for event in run.of("fault.injected")}:
        assert len(run.of("fault.seen", fault=cause)) <= 1
        assert len(run.of("fault.cleared", fault=cause)) <= 1


SEEDED = """
duration: 3m
workload: {arrivals: {rate: 40/s}, kinds: [{name: btc, share: 70%}, {name: eth, share: 30%}]}
pipeline:
  processes:
    - {name: a, reads: source, writes: sa, buffer: 20, overflow: drop_oldest, service: {distribution: exponential, mean: 20ms}}
    - {name: b, reads: sa, writes: sb, guarantee: at_least_once, start: {distribution: exponential, mean: 2s}}
  sinks: [{name: one, of: sb}, {name: two, of: sb, batch: {rows: 50, every: 1s}}]
faults:
  - {name: kill, type: process_kill, process: b, at: 50s, every: 40s}
  - {name: hang, type: process_hang, process: a, at: 100s, for: 4s}
  - {name: blind, type: telemetry_loss, at: 37s, for: 9s}
telemetry: {sample_interval: 7s}
"""


def block(text: str = SEEDED, seed: int | None = None) -> Block:
    return merge(list(simulate(Plan(loaded(text).scenario, seed))))


def same(one: Block, other: Block) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in {"t", "value"})
        for name in ("t", "kind", "task", "attempt", "worker", "cause", "label", "value")
    )


def test_a_seed_decides_everything() -> None:
    assert same(block(), block())
    assert not same(block(), block(seed=2))


@pytest.mark.parametrize("events", [1, 100, 20_000, 10_000_000])
def test_events_do_not_depend_on_how_long_blocks_are(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = block()
    monkeypatch.setattr(simulation, "EVENTS_PER_BLOCK", events)
    blocks = list(simulate(Plan(loaded(SEEDED).scenario)))
    assert same(merge(blocks), whole)
    before = 0.0
    for each in blocks:
        assert not len(each) or before <= each.t[0] <= each.t[-1] <= each.until_s
        before = each.until_s


def test_a_fault_elsewhere_changes_no_service_times() -> None:
    """Draws are addressed by record: what is not struck takes as long as before."""
    kill = "  - {name: late, type: process_kill, process: b, at: 170s}\n"
    one, other = block(), block(SEEDED.replace("telemetry:", kill + "telemetry:"))
    until = one.t < 169.0
    common = other.t < 169.0
    assert np.array_equal(one.value[until], other.value[common], equal_nan=True)
