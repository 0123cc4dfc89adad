"""What a real run of a pipeline costs: `python benchmarks/bench_pipeline_real.py [--run DIR]` (about three minutes).

Two minutes of 155 records a second through the bundled pipeline: CPU of the runner over that of the pipeline's own processes,
over the whole run with its report, and while records flow (budget: 0.2). With `--run`, the directory of an hour of it: how much
more memory its verification needs than that of a run without records (budget: 60 MB), and its CPU over that of reading the same
files of JSON with orjson (budget: 1.5), which is not among what we require: `pip install orjson`.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = "soak.systems.pipeline"
SCENARIO = """
version: 1
name: two-minutes
system: pipeline
duration: {duration}
drain: 1m
workload:
  arrivals: {{rate: {rate}, process: constant}}
  kinds: [{{name: BTCUSDT, share: 70%}}, {{name: ETHUSDT, share: 30%}}]
pipeline:
  processes:
    - {{name: harvest, reads: source, writes: raw}}
    - {{name: signal, reads: raw, writes: signals}}
    - {{name: broker, reads: signals, writes: orders, passes: confirmed}}
    - {{name: report, reads: signals}}
  sinks: [{{name: jsonl, of: signals}}, {{name: sqlite, of: signals, batch: {{rows: 500, every: 500ms}}}}]
slos: ["lost_records{{sink=*}} == 0"]
telemetry: {{sample_interval: 10s}}
"""
READING = """
import sys, orjson
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        if name.endswith(".jsonl"):
            for line in file:
                orjson.loads(line)
        else:
            orjson.loads(file.read())
"""
LOAD = ("source", "exchange")
"""Parts of the bundled system that are the load and its surroundings, not the pipeline under test."""


@dataclass
class Used:
    """CPU seconds so far of the runner, of the pipeline's own processes, and of its source and exchange."""

    runner: float
    own: float
    load: float


class Cpu:
    """CPU of a tree of processes, by what they are; of those that ended as of when they were last seen."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._seen: dict[tuple[int, float], tuple[str, float]] = {}

    def look(self) -> Used:
        """Look at all processes."""
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            processes = []
        for each in processes:
            try:
                times, key = each.cpu_times(), (each.pid, each.create_time())
                part = (
                    self._seen[key][0]
                    if key in self._seen and self._seen[key][0] != "runner"
                    else part_of(each.cmdline())
                )
            except psutil.Error:
                continue
            self._seen[key] = (part, times.user + times.system)
        return Used(
            *(sum(cpu for what, cpu in self._seen.values() if what == part) for part in ("runner", "own", "load"))
        )


def part_of(command: list[str]) -> str:
    """What a process is."""
    if PIPELINE not in command:
        return "runner"
    return "load" if command[command.index(PIPELINE) + 1] in LOAD else "own"


def a_run(directory: Path, *, seconds: int, rate: str, target: str) -> tuple[Used, Used]:
    """Run it; CPU over the whole run, and over its middle, while records flow."""
    scenario, out = directory / "scenario.yaml", directory / "run"
    scenario.write_text(SCENARIO.format(duration=f"{seconds}s", rate=rate))
    command = [sys.executable, "-m", "soak", "run", str(scenario), "--target", target, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    cpu, began = Cpu(process.pid), time.monotonic()
    marks: list[Used] = []
    whole = cpu.look()
    while process.poll() is None:
        time.sleep(0.2)
        whole = cpu.look()
        if time.monotonic() - began > (seconds * 0.25, seconds * 0.95, 1e9)[len(marks)]:
            marks.append(whole)
    first, last = (*marks, whole, whole)[:2]
    return whole, Used(*(getattr(last, part) - getattr(first, part) for part in ("runner", "own", "load")))


def child(*arguments: str) -> tuple[float, float]:
    """CPU seconds, and the largest memory in MB, of a Python process."""
    with Path(os.devnull).open("w") as nothing:
        process = subprocess.Popen([sys.executable, *arguments], stdout=nothing)
        _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def verification(run: Path, directory: Path) -> None:
    """Print what it costs to verify a run."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "soak",
            "run",
            "--duration",
            "1s",
            "--out",
            str(directory / "empty"),
            str(directory / "one.yaml"),
        ],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    _, empty_mb = child("-m", "soak", "verify", str(directory / "empty"))
    taken = [child("-m", "soak", "verify", str(run)) for _ in range(3)]
    cpu_s, most_mb = min(taken)[0], max(mb for _, mb in taken)
    print(f"verify: {most_mb:.0f} MB, {most_mb - empty_mb:+.0f} MB over a run without records (budget: +60)")
    if importlib.util.find_spec("orjson") is None:
        print(f"verify: {cpu_s:.2f} s of CPU; for the ratio to reading the same files: pip install orjson")
        return
    sealed = [line.split(maxsplit=1)[1].lstrip("*") for line in (run / "SHA256SUMS").read_text().splitlines()]
    names = [str(run / name) for name in sealed if name.endswith((".jsonl", ".json"))]
    judged = [name for name in names if Path(name).parent == run]
    for words, some in (("all sealed JSON", names), ("the run's own", judged)):
        read_s = min(child("-c", READING, *some)[0] for _ in range(3))
        print(f"verify: {cpu_s:.2f} s of CPU, {cpu_s / read_s:.2f} of reading {words} ({read_s:.2f} s; budget: 1.5)")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="the directory of a run of an hour")
    parser.add_argument("--seconds", type=int, default=120, help="how long the real run lasts; 0: none")
    parser.add_argument("--target", default="pipeline")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "one.yaml").write_text(SCENARIO.format(duration="60m", rate="1/h"))
        if given.run:
            verification(given.run, directory)
        if given.seconds:
            whole, middle = a_run(directory, seconds=given.seconds, rate="155/s", target=given.target)
            for words, used in (("whole run", whole), ("while records flow", middle)):
                cpu = f"runner {used.runner:.1f} s of CPU, pipeline {used.own:.1f} s, source and exchange {used.load:.1f} s"
                print(f"{words}: {cpu}: {used.runner / used.own:.2f} of the pipeline's own (budget: 0.2)")
            verdict = json.loads((directory / "run" / "verdict.json").read_text())
            print(f"verdict {verdict['verdict']}, {verdict['load']['offered']:,} records sent")


if __name__ == "__main__":
    main()
