"""A real run of users who wait for their tasks, killed and resumed: every user goes on where it stood."""

import signal
from pathlib import Path

from killing import count, end, events, look, start, wait_until

SCENARIO = """
version: 1
name: resumed
system: queue
duration: 8m
drain: 20m
seed: 8
workload:
  users: {count: 6, ramp: 10s, think: {distribution: exponential, mean: 10s}, timeout: 40s}
  task: {duration: {distribution: lognormal, median: 4s, p95: 10s}}
queue:
  workers: 4
  watchdog_interval: 5s
  lease: {duration: 1m, heartbeat: 15s}
  retry: {max_attempts: 6, backoff: [30s]}
faults:
  - {name: transient, type: transient_error, rate: 10%}
  - {name: twice, type: duplicate_enqueue, rate: 15%}
slos:
  - success_rate >= 90%
  - duplicate_executions == 0
  - lost_tasks == 0
telemetry: {max_gap: 3m, max_lag: 1m}
"""


def test_every_user_goes_on_where_it_stood(tmp_path: Path) -> None:
    scenario, out = tmp_path / "resumed.yaml", tmp_path / "run"
    scenario.write_text(SCENARIO)
    process = start(["run", str(scenario), "--target", "orchestrator", "--speed", "60", "--out", str(out)])
    for done in (40, 90):
        wait_until(lambda done=done: count(out, "task.done") >= done, process)
        assert end(process, signal.SIGKILL) == -signal.SIGKILL
        process = start(["resume", str(out)])
    complaint = process.communicate()[1]
    assert process.returncode == 0, complaint
    found = look(out)
    assert (found.verdict, found.wrong) == ("PASS", [])
    told = list(events(out))
    accepted = [each["task"] for each in told if each["type"] == "task.enqueued"]
    assert len(accepted) == len(set(accepted)) > 100
    firsts = {int(task) for task in accepted if "." not in task}
    for user in range(6):
        turns = sorted(number // 6 for number in firsts if number % 6 == user)
        assert turns == list(range(len(turns)))
    offered = len(firsts) + sum(each["type"] == "task.duplicate" for each in told)
    assert told[-1]["planned"] == offered
