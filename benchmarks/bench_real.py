"""Speed of real runs, as ratios measured in one run: `python benchmarks/bench_real.py` (about five minutes)."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from systems.orchestrator.db_store import Store
from systems.orchestrator.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = 3_000
FINISHED = 1_000_000
BUSY = """
version: 1
name: busy
system: queue
duration: 20s
drain: 20s
workload:
  arrivals: {rate: 100/s}
  task: {duration: {distribution: constant, value: 10ms}}
queue: {workers: 4, poll_interval: 5ms}
slos: [success_rate >= 99%]
"""


def real_run(*words: str) -> tuple[float, Path]:
    """A real run; returns the CPU seconds of the runner's own process, and its evidence."""
    out = Path(tempfile.mkdtemp()) / "run"
    command = [sys.executable, "-m", "runner", "run", *words, "--target", "orchestrator", "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched, cpu_s = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        try:
            cpu_s = sum(watched.cpu_times()[:2])
        except psutil.Error:
            break
        time.sleep(0.1)
    process.wait()
    return cpu_s, out


def samples(run: Path, kind: str) -> list[float]:
    """The values of a sample in a run's event stream."""
    [stream] = run.glob("soak_*.jsonl")
    lines = (json.loads(line) for line in stream.read_text().splitlines())
    return [line["value"] for line in lines if line["type"] == kind]


def overhead() -> float:
    """CPU of the runner over that of the system it soaks, on the PR tier of the 72h scenario."""
    cpu_s, run = real_run("scenarios/72h.yaml", "--tier", "pr", "--speed", "120")
    return cpu_s / samples(run, "sample.cpu")[-1]


def lag_ms() -> float:
    """The 99th percentile of how late work was submitted, in milliseconds, at 100 tasks a second."""
    scenario = Path(tempfile.mkdtemp()) / "busy.yaml"
    scenario.write_text(BUSY)
    _, run = real_run(str(scenario))
    lag_s: float = json.loads((run / "verdict.json").read_text())["slis"]["submission_lag_p99"]
    return lag_s * 1000


def by_hand(database: sqlite3.Connection) -> bool:
    """A claim as one writes it by hand."""
    database.execute("BEGIN IMMEDIATE")
    row = database.execute(
        "UPDATE tasks SET state = 'IN_PROGRESS', owner = 'w', attempt = attempt + 1, lease_until = ?"
        " WHERE id = (SELECT id FROM tasks INDEXED BY task_pending WHERE state = 'PENDING' ORDER BY id LIMIT 1) RETURNING id",
        (time.time() + 60,),
    ).fetchone()
    database.execute("COMMIT")
    return row is not None


def rate(claim: Callable[[], object]) -> float:
    """Claims per second."""
    start = time.perf_counter()
    for _ in range(CLAIMS):
        assert claim()
    return CLAIMS / (time.perf_counter() - start)


def claims(finished: int) -> float:
    """Claims per second of the orchestrator over those of a hand-written loop on the same file."""
    path = Path(tempfile.mkdtemp()) / "queue.db"
    with Store(path, Settings(db=str(path))) as store:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("BEGIN")
        row = "INSERT INTO tasks (key, state, retry_not_before, enqueued_at, updated_at) VALUES (?, ?, 0, 0, 0)"
        database.executemany(row, ((f"f{number}", "DONE") for number in range(finished)))
        database.executemany(row, ((f"p{number}", "PENDING") for number in range(6 * CLAIMS)))
        database.execute("COMMIT")
        rounds = [rate(lambda: store.claim("w0")) / rate(lambda: by_hand(database)) for _ in range(3)]
        database.close()
    return sorted(rounds)[1]


def main() -> None:
    """Measure and print every row."""
    rows = [
        ("claims per second over a hand-written loop, empty table", claims(0), ">= 0.6"),
        ("claims per second over a hand-written loop, a million finished rows", claims(FINISHED), ">= 0.6"),
        ("submission lag p99 at 100 tasks a second [ms]", lag_ms(), "<= 50"),
        ("CPU of the runner over CPU of the system, PR tier of 72h", overhead(), "<= 0.3"),
    ]
    for what, value, target in rows:
        print(f"{what:70} {value:8.2f}  {target}")


if __name__ == "__main__":
    main()
