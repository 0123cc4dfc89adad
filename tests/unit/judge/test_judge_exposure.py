"""How often faults are expected to strike, held against how often they do in simulations of random lists of faults."""

import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from soak.runner.judge import faults
from soak.runner.judge.faults import FaultCounts
from soak.runner.judge.room import room_of
from soak.schemas.evidence.verdict import FaultResult
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import BrokenSystemError
from soak.schemas.stream.block import Block
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

QUEUE = """\
version: 1
name: exposure
system: queue
duration: 2h
drain: 4h
workload: {{arrivals: {{rate: 1/s}}, task: {{duration: {{distribution: exponential, mean: 3s}}}}}}
queue:
  workers: 400
  retry: {{max_attempts: 4, backoff: [1s]}}
  lease: {{duration: 15s, heartbeat: 5s}}
  guardrail: {{mode: {mode}}}
faults:
"""
CALLS = """\
version: 1
name: exposure
system: calls
duration: 1h
drain: 1h
workload: {{arrivals: {{rate: 2/s}}}}
calls:
  dependencies:
    - {{name: api, latency: {{distribution: exponential, mean: 1s}}{more}}}
    - {{name: spare, latency: {{distribution: exponential, mean: 1s}}}}
  policy: [{{timeout: 5s}}, {{retry: {{max_attempts: 3}}}}, {{fallback: {{to: spare}}}}]
faults:
"""
LISTS = 24
Z_999 = 3.29


def results(scenario: Scenario, cut: random.Random | None = None) -> dict[str, FaultResult]:
    """What the judge says of each fault of a simulation; `cut`: with blocks that end anywhere."""
    plan = Plan(scenario)
    counts, until_s = FaultCounts(scenario, plan.vocabulary), 0.0
    for block in simulate(plan):
        for part in pieces(block, until_s, cut) if cut else [block]:
            counts.observe(part)
        until_s = block.until_s
    return {result.name: result for result in counts.results(until_s)}


def pieces(block: Block, from_s: float, cut: random.Random) -> Iterator[Block]:
    for edge_s in sorted(cut.uniform(from_s, block.until_s) for _ in range(5)):
        first, block = block.split(edge_s)
        yield first
    yield block


def queue(tmp_path: Path, faults: Iterable[str], mode: str = "enforce") -> Scenario:
    return written(tmp_path, QUEUE.format(mode=mode), faults)


def written(tmp_path: Path, text: str, faults: Iterable[str]) -> Scenario:
    path = tmp_path / "exposure.yaml"
    path.write_text(text + "".join(f"  - {{name: f{n}, {fault}}}\n" for n, fault in enumerate(faults)))
    return load(path).scenario


def random_faults(draw: random.Random) -> Iterator[str]:
    types = ["transient_error", "permanent_error", "db_lock", "guardrail_exceed", "worker_crash", "worker_hang"]
    for _ in range(draw.randint(2, 6)):
        kind = draw.choice([*types, "duplicate_enqueue", "guardrail_exceed", "transient_error"])
        more = ", hang_for: 20s" if kind == "worker_hang" else ""
        if kind == "duplicate_enqueue":
            more = f", delay: {{distribution: uniform, low: 1s, high: {draw.choice(['1m', '90m'])}}}"
        when = draw.choice(["", "", ", at: 20m, for: 40m", ", every: 20m, for: 7m"])
        yield f"type: {kind}, rate: {draw.choice([5, 20, 40, 60])}%{more}{when}"


def assert_as_expected(found: Iterable[FaultResult]) -> None:
    """All faults together: the sum of their squared deviations is what chance makes it in 99.9 % of cases."""
    squares, count = 0.0, 0
    for result in found:
        # A sum of independent choices has at most the variance of as many rare events.
        deviation = (result.injected - result.expected) / math.sqrt(max(result.expected, 1.0))
        assert abs(deviation) < 5, result
        squares, count = squares + deviation**2, count + 1
    # The chi-squared distribution by Wilson and Hilferty; rates that are not small only make it smaller.
    most = count * (1 - 2 / (9 * count) + 3.09 * math.sqrt(2 / (9 * count))) ** 3
    assert count > 3
    assert squares < most, (squares, most, count)


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_faults_of_a_queue_strike_as_often_as_expected(mode: str, tmp_path: Path) -> None:
    draw = random.Random(f"queue {mode}")
    found = [result for _ in range(LISTS) for result in results(queue(tmp_path, random_faults(draw), mode)).values()]
    assert_as_expected(found)


def test_a_fault_after_another_has_what_that_one_leaves(tmp_path: Path) -> None:
    scenario = queue(tmp_path, ["type: transient_error, rate: 20%", "type: permanent_error, rate: 50%"])
    first, second = results(scenario).values()
    assert second.expected == pytest.approx(first.expected / 0.2 * 0.8 * 0.5)
    assert abs(second.injected - second.expected) < Z_999 * math.sqrt(second.expected)


def test_nothing_depends_on_where_blocks_end(tmp_path: Path) -> None:
    draw = random.Random("cuts")
    for _ in range(6):
        scenario = queue(tmp_path, random_faults(draw))
        assert results(scenario, draw) == results(scenario)


DELAY = "type: delay, delay: {distribution: constant, value: 500ms}"
CALL_FAULTS = {
    "one after the other": (
        "",
        ["type: server_error, rate: 30%", "type: rate_limited, rate: 40%, retry_after: 1s", f"{DELAY}, rate: 50%"],
    ),
    "a delay behind a full queue": (
        ", capacity: {workers: 2, waiting: 1}",
        [f"{DELAY}, rate: 30%", "type: server_error, rate: 20%"],
    ),
    "for a time": (
        "",
        ["type: server_error, rate: 60%, at: 10m, for: 20m", "type: connection_error, rate: 40%, at: 20m, for: 20m"],
    ),
    "a dependency that is gone": (
        "",
        ["type: dependency_crash, every: 8m, for: 5m", "type: server_error, rate: 40%"],
    ),
    "a release that is taken back": (
        ", rollback: {error_rate: 20%, window: 1m, min_calls: 20, takes: 1m}",
        ["type: bad_release, rate: 70%, at: 10m, for: 40m", "type: server_error, rate: 2%"],
    ),
    "of another dependency": (
        "",
        ["type: server_error, rate: 60%", "type: server_error, dependency: spare, rate: 30%"],
    ),
}


@pytest.mark.parametrize("case", CALL_FAULTS, ids=str)
def test_faults_of_calls_strike_as_often_as_expected(case: str, tmp_path: Path) -> None:
    more, faults = CALL_FAULTS[case]
    for result in results(written(tmp_path, CALLS.format(more=more), faults)).values():
        assert result.expected > 5
        assert abs(result.injected - result.expected) <= Z_999 * math.sqrt(result.expected) + 0.5, result


def test_a_fault_by_rate_that_a_system_does_not_follow_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could be expected of it, so that it would never be missed."""
    path = tmp_path / "scenario.yaml"
    by_time, by_rate = (
        "{name: gone, type: dependency_crash, at: 1m, for: 1m}",
        "{name: bad, type: server_error, rate: 2%}",
    )
    monkeypatch.setattr(faults, "room_of", lambda name: replace(room_of(name), exposed=lambda *_: ()))
    path.write_text(f"{CALLS.format(more='')}  - {by_time}\n")
    FaultCounts(load(path).scenario, Vocabulary())
    path.write_text(f"{CALLS.format(more='')}  - {by_time}\n  - {by_rate}\n")
    with pytest.raises(
        BrokenSystemError, match="does not say what the fault server_error, which has a rate, could have struck"
    ):
        FaultCounts(load(path).scenario, Vocabulary())
