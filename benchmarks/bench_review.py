"""Speed of what a reviewer uses, as ratios measured in one run: `python benchmarks/bench_review.py` (about two minutes)."""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
DIRECTORIES = 20
EVENTS_PER_S = 1_000
WATCHED_S = 20.0
FIGURES = """
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
for number in range(6):
    plt.figure().savefig(f"{number}.svg")
"""
GATE = """
version: 1
name: bench
evidence: {one_commit: false, clean_tree: false, recompute: false}
rules:
  - {name: all, runs: {in: "runs/*"}}
"""


def cpu_s(*command: str, cwd: Path = ROOT) -> float:
    """The least CPU seconds of a command, its children too, in ROUNDS rounds."""
    took = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


def soak(*words: str) -> tuple[str, ...]:
    """A command of this tool."""
    return sys.executable, "-m", "soak", *words


def rendering(run: Path) -> float:
    """`soak report` of the 72h run over importing pyplot and saving six empty figures."""
    scratch = Path(tempfile.mkdtemp())
    return cpu_s(*soak("report", str(run))) / cpu_s(sys.executable, "-c", FIGURES, cwd=scratch)


def gate(run: Path) -> float:
    """`soak gate` over DIRECTORIES runs, hashes checked, over sha256sum of the same files and the start of an interpreter."""
    top = Path(tempfile.mkdtemp())
    for number in range(DIRECTORIES):
        shutil.copytree(run, top / "runs" / str(number))
    (top / "gate.yaml").write_text(GATE)
    files = sorted(str(path) for path in (top / "runs").rglob("*") if path.is_file())
    took = cpu_s(*soak("gate", str(top / "gate.yaml"), "--root", str(top), "--out", str(top / "decision")))
    hashing = cpu_s("sha256sum", *files) + cpu_s(sys.executable, "-c", "pass")
    shutil.rmtree(top)
    return took / hashing


def dashboard(run: Path) -> float:
    """The share of a core that following EVENTS_PER_S events a second takes."""
    [stream] = run.glob("soak_*.jsonl")
    with stream.open("rb") as lines:
        events = sum(1 for _ in lines)
    speed = EVENTS_PER_S / (events / (72 * 3600))
    process = subprocess.Popen(
        soak("dashboard", str(run), "--replay", f"{speed:g}"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        watched = psutil.Process(process.pid)
        time.sleep(5)
        before, began = sum(watched.cpu_times()[:2]), time.monotonic()
        time.sleep(WATCHED_S)
        return (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - began)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure and print every row."""
    run = Path(tempfile.mkdtemp()) / "run"
    subprocess.run(soak("run", "scenarios/72h.yaml", "--out", str(run)), cwd=ROOT, capture_output=True, check=True)
    rows = [
        ("report of the 72h run, CPU over importing pyplot and six empty figures", rendering(run), "<= 2"),
        ("gate over 20 runs, hashes included, over sha256sum and an interpreter", gate(run), "<= 2"),
        ("dashboard at 1,000 events a second, share of a core", dashboard(run), "<= 0.1"),
    ]
    for what, value, target in rows:
        print(f"{what:72} {value:8.2f}  {target}")


if __name__ == "__main__":
    main()
