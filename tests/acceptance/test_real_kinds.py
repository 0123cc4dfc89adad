"""Kinds of work for real: the bundled orchestrator runs what the model does."""

import json
from collections import defaultdict
from pathlib import Path

from commands import soak

SCENARIO = """\
version: 1
name: kinds
system: queue
duration: 6m
drain: 6m
seed: 3
workload:
  arrivals: {rate: 30/min}
  kinds:
    - {name: first, share: 40%, priority: 5, task: {duration: {distribution: constant, value: 4s}}}
    - {name: second, share: 40%, task: {duration: {distribution: constant, value: 4s}}}
    - name: video
      share: 20%
      task: {duration: {distribution: exponential, mean: 10s}}
      time_limit: 15s
      retry: {max_attempts: 2, backoff: [5s]}
      hard_tokens: 9000
queue:
  poll_interval: 1s
  queues:
    - {name: fast, workers: 2, kinds: [first, second]}
    - {name: slow, workers: 3, rate_limit: 6/min}
faults: [{name: big, type: guardrail_exceed, rate: 10%, kind: video}]
slos: [backoff_violations == 0, excess_attempts == 0, guardrail_unblocked == 0, "wait_mean{kind=*} <= 1h"]
telemetry: {max_lag: 5m}
"""


def test_the_orchestrator_heeds_kinds(tmp_path: Path) -> None:
    path, out = tmp_path / "kinds.yaml", tmp_path / "out"
    path.write_text(SCENARIO)
    done = soak("run", path, "--target", "orchestrator", "--speed", "20", "--out", out)
    verdict = json.loads((out / "verdict.json").read_text())
    assert done.returncode in {0, 5}, done.stderr
    assert {law["status"] for law in verdict["laws"]} == {"PASS"}
    found = {(each["sli"], each["labels"].get("kind", "")): each for each in verdict["objectives"]}
    for sli in ("backoff_violations", "excess_attempts", "guardrail_unblocked"):
        assert found[sli, ""]["status"] == "PASS"
    waits = {kind: found["wait_mean", kind]["value"] for kind in ("first", "second")}
    assert waits["first"] * 1.5 < waits["second"]
    _check_events(out / "soak_kinds.jsonl")


def _check_events(stream: Path) -> None:
    kinds: dict[str, str] = {}
    workers: defaultdict[str, set[int]] = defaultdict(set)
    videos, late = list[float](), 0
    for event in map(json.loads, stream.read_text().splitlines()):
        if event["type"] == "task.enqueued":
            kinds[event["task"]] = event["kind"]
        elif event["type"] == "task.dispatched":
            workers[kinds[event["task"]]].add(event["worker"])
            videos += [event["t"]] if kinds[event["task"]] == "video" else []
        late += event["type"] == "task.retry" and event.get("error") == "time_limit"
    assert workers["video"] <= {2, 3, 4}
    assert workers["first"] | workers["second"] == {0, 1}
    assert late > 0
    # At most 1 + (poll interval + minute) / 10 s in any minute; times of a fast run are off by a second or so.
    for start_s in videos:
        assert sum(start_s <= each < start_s + 60.0 for each in videos) <= 8
