"""What is said of a pipeline does not depend on where the blocks of its stream end."""

from functools import cache

import numpy as np
from histories import IDENTITY, judge, make_judge, pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.evidence.metrics import MetricsWriter
from soak.runner.evidence.record import to_json
from soak.runner.judge.decide import decide
from soak.schemas.evidence.verdict import End
from soak.schemas.stream.block import Block, make_block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

LOAD = """
system: pipeline
duration: 12m
drain: 2m
warmup: 20s
seed: 5
workload:
  arrivals: {rate: 4/s}
  kinds: [{name: A, share: 70%}, {name: B, share: 30%}]
phases: [{name: early, at: 0s, for: 5m}]
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw, buffer: 20, overflow: drop_oldest,
       guarantee: at_most_once, service: {distribution: exponential, mean: 50ms}}
    - {name: signal, reads: raw, writes: signals, guarantee: at_least_once, checkpoint: 5s}
    - {name: broker, reads: signals, writes: orders, passes: confirmed, guarantee: at_least_once, checkpoint: 20s}
  sinks: [{name: file, of: signals}, {name: db, of: signals, batch: {rows: 20, every: 3s}}]
  source: {resume: false}
  supervisor:
    health: {every: 5s}
    restart: {backoff: {initial: 1s}, max_restarts: 2, within: 2m, reset_after: 20s}
  alerts: {no_records: {for: 1m}, low_consistency: {above: 80%}, strong_ratio: {below: 2%}}
  stream_timeout: 30s
faults:
  - {name: kill, type: process_kill, process: signal, at: 50s, every: 100s}
  - {name: twice, type: process_kill, process: harvest, during: startup, at: 80s}
  - {name: low, type: consistency_drop, at: 2m, for: 2m, to: 95%}
  - {name: weak, type: strength_drop, at: 4m, for: 2m, to: 0%}
  - {name: quiet, type: source_silence, at: 6m, for: 150s}
  - {name: away, type: source_disconnect, at: 9m, for: 20s}
  - {name: full, type: sink_full, sink: file, at: 10m, for: 20s}
  - {name: burst, type: source_burst, at: 660s, for: 20s, times: 20}
  - {name: out, type: export_outage, at: 570s, for: 70s}
alerts:
  - {name: red, when: health_green < 90%, window: 40s}
  - {name: late, when: "latency_p95{sink=db} > 3s", window: 1m}
slos:
  - health_green >= 99.9%
  - "health_green{process=*} >= 99.9%"
  - probe_gap <= 6s
  - restart_time_max <= 1s
  - backoff_violations == 0
  - "duplicate_records{sink=*} == 0"
  - duplicate_orders == 0
  - gap_records == 0
  - "lost_records{sink=*} == 0"
  - queue_dropped == 0
  - "sink_difference{figure=*} <= 0.5%"
  - "latency_p95{kind=A} <= 1s"
  - {objective: "latency_mean{sink=db, phase=early} <= 1s", confidence: 95%}
  - "missed_alerts{alert=*} == 0"
  - shutdown_order_violations == 0
  - "left_in_queues{process=*} == 0"
  - export_errors == 0
checkpoints: {every: 3m}
telemetry: {sample_interval: 5s}
"""
NAMES = ("harvest", "signal", "broker")
ABORTING = LOAD + 'abort: [{name: down, when: "duplicate_records{sink=file} > 20", window: 5m}]\n'
DEAF = LOAD.replace("faults:\n", "faults:\n  - {name: deaf, type: telemetry_loss, at: 70s, for: 5s}\n")


@cache
def whole(text: str) -> Block:
    """A simulated stream as one block."""
    block = merge(list(simulate(Plan(make_judge(text).scenario))))
    ended = make_block([block.until_s], [Kind.RUN_ENDED], until_s=block.until_s, value=[1.0])
    return merge([block, ended])


def judged(text: str, blocks: list[Block]) -> tuple[bytes, bytes, bytes]:
    """Verdict, checkpoints and metrics.csv."""
    made = make_judge(text)
    faults = [cause.fault for cause in made.vocabulary.causes]
    metrics = MetricsWriter(None, made.scenario, faults)
    for block in blocks:
        for part in made.observe(block):
            metrics.append(part, made.facts)
        if made.aborted_by:
            break
    metrics.finish(made.until_s)
    end = End.ABORTED if made.aborted_by else End.COMPLETED
    return to_json(decide(made, IDENTITY, end)), to_json(made.checkpoints), metrics.text


@cache
def in_one(text: str) -> tuple[bytes, bytes, bytes]:
    """What is said of the stream in one block."""
    return judged(text, [whole(text)])


cuts = st.sets(st.integers(1, 100_000), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(cuts=cuts)
def test_blocks_may_end_anywhere(cuts: set[int]) -> None:
    block = whole(LOAD)
    assert judged(LOAD, pieces(block, [cut % len(block) for cut in cuts])) == in_one(LOAD)


@settings(max_examples=15, deadline=None)
@given(times=st.sets(st.integers(1, 12 * 60), min_size=1, max_size=12))
def test_blocks_may_end_between_events(times: set[int]) -> None:
    rest, blocks = whole(LOAD), []
    for time in sorted(times):
        first, rest = rest.split(float(time))
        blocks.append(first)
    assert judged(LOAD, [*blocks, rest]) == in_one(LOAD)


@settings(max_examples=15, deadline=None)
@given(cuts=cuts)
def test_an_abort_takes_effect_at_the_same_event(cuts: set[int]) -> None:
    block = whole(ABORTING)
    # What happens at the very time of the abort belongs to the run if it comes in the same block.
    places = {int(np.searchsorted(block.t, block.t[cut % len(block)])) for cut in cuts}
    assert judged(ABORTING, pieces(block, sorted(places))) == in_one(ABORTING)


def test_processes_that_end_at_one_instant_may_be_in_several_blocks() -> None:
    started = "".join(f"0 process.started w{number} name={name}\n" for number, name in enumerate(NAMES))
    ended = "".join(f"101 process.exited w{number} name={name}\n" for number, name in enumerate(NAMES))
    for history, violations in (
        (f"{started}100 shutdown.started\n{ended}102 sample.rss 1\n", 0),
        (f"{started}100 shutdown.started\n{ended}", 0),
        (f"{started}100 shutdown.started\n{ended.replace('101', '100.5', 1)}102 sample.rss 1\n", 1),
    ):
        count = len(history.splitlines())
        for cuts in ((), (4,), (5,), (6,), (5, 6), range(1, count)):
            made = judge(history, LOAD, cuts=tuple(cut for cut in cuts if cut < count))
            assert made.sli_value(made.scenario.slis["shutdown_order_violations"]) == violations


@settings(max_examples=15, deadline=None)
@given(cuts=cuts)
def test_what_had_recovered_when_telemetry_was_lost_is_known(cuts: set[int]) -> None:
    block = whole(DEAF)
    assert judged(DEAF, pieces(block, [cut % len(block) for cut in cuts])) == in_one(DEAF)


def test_the_streams_here_are_worth_cutting() -> None:
    made = make_judge(LOAD)
    for _ in made.observe(whole(LOAD)):
        pass
    values = {name: value for name, value in made.slis().items() if value is not None}
    expected = ("restarts", "gap_records", "queue_dropped", "duplicate_records", "duplicate_orders", "export_errors")
    assert [name for name in (*expected, "orders", "sink_difference", "alert_delay_max") if not values.get(name)] == []
    tracker = made.lifecycle.tracker
    assert [section.title for section in tracker.sections()] == [
        "Processes",
        "Sinks",
        "Alerts of the pipeline",
        "Shutdown",
    ]
    assert b"ABORTED" in in_one(ABORTING)[0]
