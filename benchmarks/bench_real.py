"""Speed and memory of real runs, as ratios measured in one run: `python benchmarks/bench_real.py` (about five minutes).

`--million` adds the runner's memory after a million events over that after a hundred thousand (twenty minutes more).
"""

import argparse
import csv
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = 3_000
FINISHED = 1_000_000
EVENTS = 1_000_000
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

MILLION = """
version: 1
name: million
system: queue
duration: 18m
drain: 1m
workload:
  arrivals: {rate: 200/s}
  task: {duration: {distribution: constant, value: 5ms}}
queue: {workers: 6, poll_interval: 5ms}
slos: [success_rate >= 99%]
telemetry: {sample_interval: 5s}
"""


def real_run(*words: str) -> tuple[float, Path]:
    """A real run; returns the CPU seconds of the runner's own process, and its evidence."""
    out = Path(tempfile.mkdtemp()) / "run"
    command = [sys.executable, "-m", "soak", "run", *words, "--target", "orchestrator", "--out", str(out)]
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


def cpu_by_process(run: Path) -> dict[str, tuple[float, float]]:
    """CPU seconds of each process: at its first sample, and at the end of the run; one that was killed counts on."""
    used: dict[str, tuple[float, float]] = {}
    last: dict[str, float] = {}
    with (run / "system" / "processes.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            name, cpu_s = row["process"], float(row["cpu_s"])
            first_s, total_s = used.get(name, (cpu_s, cpu_s))
            before_s = last.get(name, cpu_s)
            used[name] = first_s, total_s + (cpu_s - before_s if cpu_s >= before_s else cpu_s)
            last[name] = cpu_s
    return used


def overheads() -> tuple[float, float]:
    """CPU of the runner over that of the system, PR tier of the 72h scenario: while it drives, and of the whole command."""
    cpu_s, run = real_run("scenarios/72h.yaml", "--tier", "pr", "--speed", "120")
    used = cpu_by_process(run)
    first_s, total_s = used.pop("runner")
    system_s = sum(total for _, total in used.values())
    return (total_s - first_s) / system_s, cpu_s / system_s


def memory_growth() -> float:
    """Memory of the runner after a million events over that after a hundred thousand."""
    scenario = Path(tempfile.mkdtemp()) / "million.yaml"
    scenario.write_text(MILLION)
    _, run = real_run(str(scenario))
    times_s = []
    [stream] = run.glob("soak_*.jsonl")
    with stream.open() as lines:
        for count, line in enumerate(lines):
            if count in {EVENTS // 10, EVENTS}:
                times_s.append(json.loads(line)["t"])
    with (run / "system" / "processes.csv").open(newline="") as table:
        memory = [
            (float(row["t_s"]), float(row["rss_bytes"])) for row in csv.DictReader(table) if row["process"] == "runner"
        ]
    few, many = (next(rss for t_s, rss in memory if t_s >= time_s) for time_s in times_s)
    return many / few


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="measure memory after a million events, too")
    chosen = parser.parse_args()
    driving, whole = overheads()
    rows = [
        ("claims per second over a hand-written loop, empty table", claims(0), ">= 0.6"),
        ("claims per second over a hand-written loop, a million finished rows", claims(FINISHED), ">= 0.6"),
        ("submission lag p99 at 100 tasks a second [ms]", lag_ms(), "<= 50"),
        ("CPU of the runner over CPU of the system, while it drives", driving, "<= 0.3"),
        ("CPU of the runner over CPU of the system, with start and report", whole, ""),
        *(
            [("memory after a million events over a hundred thousand", memory_growth(), "<= 1.2")]
            if chosen.million
            else []
        ),
    ]
    for what, value, target in rows:
        print(f"{what:70} {value:8.2f}  {target}")


if __name__ == "__main__":
    main()
