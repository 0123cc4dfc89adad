"""Runs that end once their verdict is known: in order, with a census, and as `soak verify` recomputes them."""

import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples"))

from histories import IDENTITY, loaded, scenario, verdict

from soak.reports.decided import section, summary
from soak.runner.cli import run_command
from soak.runner.ends import end_after
from soak.runner.engine import execute, identify
from soak.runner.evidence.manifest import reproduce
from soak.runner.evidence.stream import StreamReader
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import End, Outcome, Status, Verdict
from soak.schemas.stream.block import make_block
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

TEXT = """
name: early
duration: 4h
drain: 10m
workload: {arrivals: {rate: 20/min}, task: {duration: {distribution: exponential, mean: 8s}}}
queue: {workers: 6, poll_interval: 1s, watchdog_interval: 10s, lease: {duration: 2m, heartbeat: 30s}}
faults: [{name: twice, type: duplicate_enqueue, rate: 5%}]
telemetry: {max_gap: 1h, max_lag: 1h}
slos: ["success_rate >= 90%", "latency_p95 <= 60s"]
"""
OPEN = TEXT.replace('"success_rate', '"duplicate_executions == 0", "success_rate')
BROKEN = TEXT.replace("<= 60s", "<= 9s")


def simulated(text: str, stop: str | None) -> Verdict:
    """The verdict on a simulation."""
    made, target = scenario(text), Simulation()
    return execute(Plan(made), target, identify(made, "", made.seed, target, abort=True, stop=stop))[0]


def test_a_run_ends_when_its_verdict_is_known_with_its_work_done_and_counted() -> None:
    whole, early = simulated(TEXT, None), simulated(TEXT, "all")
    assert (whole.end, whole.verdict) == (End.COMPLETED, Outcome.PASS)
    assert (early.end, early.verdict) == (End.DECIDED, Outcome.PASS)
    assert whole.decided and early.decided
    assert (early.decided.stopped, whole.decided.stopped) == (True, False)
    # The very time at which the whole run knew it, and then the drain.
    assert early.decided.at_s == whole.decided.at_s
    assert early.decided.at_s <= early.ended_s < early.decided.at_s + 600
    assert (early.unfinished, early.load.planned) == (0, early.load.offered)
    assert early.load.planned and early.load.planned < (whole.load.planned or 0) / 2
    assert {law.status for law in early.laws} == {Status.PASS}


def test_what_only_the_end_decides_keeps_a_run_going_unless_it_is_left_open() -> None:
    assert simulated(OPEN, "all").end is End.COMPLETED
    early = simulated(OPEN, "decidable")
    assert (early.end, early.verdict) == (End.DECIDED, Outcome.PASS)
    assert early.decided and early.decided.at_s is None and early.decided.decidable_at_s
    assert "but for what only the end decides" in summary(early)


def test_a_run_that_surely_fails_ends_there() -> None:
    early = simulated(BROKEN, "all")
    assert (early.end, early.verdict) == (End.DECIDED, Outcome.FAIL)
    assert early.decided and early.decided.status == "FAIL"
    found = section(early)
    assert found and found.sentence.startswith("Ended early, of 4h of arrivals: decided at ")


def test_an_undecided_run_goes_on_to_its_end() -> None:
    text = TEXT.replace("latency_p95 <= 60s", "latency_p50 <= 6.4s")
    early = simulated(text, "all")
    assert early.end is End.COMPLETED
    assert early.load == simulated(text, None).load
    assert summary(early) == ""
    assert section(early) is None
    assert early.decided
    assert [each.waits for each in early.decided.objectives if each.objective == "latency_p50 <= 6.4s"] == [
        "the bounds include the target"
    ]


def test_its_evidence_is_that_of_any_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "early.yaml", tmp_path / "run"
    path.write_text(f"version: 1\nsystem: queue\n{TEXT}", encoding="utf-8")
    assert run_command(["run", str(path), "--out", str(out), "--stop-when-decided"]) == 0
    assert "ended early, of 4h of arrivals: decided at" in capsys.readouterr().out
    assert run_command(["verify", str(out)]) == 0
    assert run_command(["report", str(out)]) == 0
    lines = (out / "soak_early.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(lines[0])["stop"], json.loads(lines[-1])["type"]) == ("all", "run.decided")
    assert "When the verdict was known" in (out / "soak_summary.md").read_text(encoding="utf-8")
    assert "When the verdict was known" in (out / "report.html").read_text(encoding="utf-8")
    again = tmp_path / "again"
    assert run_command(["run", str(path), "--out", str(again), "--stop-when-decided"]) == 0
    assert (again / "soak_early.jsonl").read_bytes() == (out / "soak_early.jsonl").read_bytes()
    made = scenario(TEXT)
    reader = StreamReader(out / "soak_early.jsonl", Plan(made).vocabulary, made.horizon_s)
    end = End.CUT
    for block in reader.blocks():
        end = end_after(block, end)
    assert (end, reader.identity.stop) == (End.DECIDED, "all")


def test_the_command_that_repeats_it_says_so() -> None:
    assert reproduce(replace(IDENTITY, stop="all")).endswith("--stop-when-decided")
    assert reproduce(replace(IDENTITY, stop="decidable")).endswith("--stop-when-decidable")
    assert "--stop" not in reproduce(IDENTITY)


def test_a_stream_without_an_end_was_not_decided() -> None:
    made = verdict("1 enqueued 1\n2 dispatched 1\n3 done 1", "slos: [success_rate >= 1%]", end=End.CUT)
    assert (made.end, made.verdict) == (End.CUT, Outcome.INCONCLUSIVE)
    assert made.decided and not made.decided.stopped
    assert end_after(make_block([1.0], [Kind.RUN_DECIDED], until_s=1.0, value=[1.0])) is End.DECIDED


def test_a_real_run_stops_offering_work_and_drains(tmp_path: Path) -> None:
    from memory_queue import MemoryQueue

    # A count decides at the same task however busy this machine is.
    text = TEXT.replace('"latency_p95 <= 60s"', '"dispatches <= 200"') + "slis: {dispatches: {count: task.dispatched}}"
    made = loaded(text)
    target = QueueAdapter("memory_queue:MemoryQueue", MemoryQueue, 300.0)
    plan = Plan(made.scenario)
    target.prepare(tmp_path)
    identity = identify(made.scenario, made.sha256, plan.seed, target, abort=True, stop="all")
    found, judge = execute(plan, target, identity)
    assert (found.end, found.verdict) == (End.DECIDED, Outcome.FAIL)
    assert found.decided and found.decided.at_s and found.decided.at_s < found.ended_s < 4 * 3600
    assert found.tasks["accepted"] > 200
    assert (found.unfinished, found.load.planned, found.load.answered) == (0, found.load.offered, found.load.offered)
    assert {law.status for law in found.laws} == {Status.PASS}
    assert judge.planned == plan.planned
