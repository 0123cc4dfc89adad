"""What `soak predict` costs, as ratios measured in one run: `python benchmarks/bench_predict.py`.

- a replication against plan, simulation and judge alone, in CPU seconds: what the workers and their parent add;
- two processes against one: in wall-clock time, which needs two cores that nobody else uses, and in CPU seconds: what sharing
  the work costs. Together with how much of the work the parent does by itself, the latter bounds the former (Amdahl 1967);
- peak memory of the parent and of the largest worker, with many replications against few.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from harness import ROOT, SCENARIO, cpu_of, row

FEW = 50


def bare(count: int) -> None:
    """Plan, simulation and judge of the first `count` replications, without anything around them."""
    from soak.runner.engine import execute, identify
    from soak.runner.replications.replication import seeds
    from soak.runner.session import collection_paused
    from soak.runner.targets.simulation import Simulation
    from soak.schemas.language.load import load
    from soak.simulation.plan import Plan

    loaded = load(SCENARIO)
    for seed in islice(seeds(loaded.scenario.seed), count):
        target = Simulation()
        with collection_paused(target):
            plan = Plan(loaded.scenario, seed)
            execute(plan, target, identify(loaded.scenario, loaded.sha256, seed, target, abort=True))


def measure(count: int, jobs: int) -> dict[str, float]:
    """A whole `soak predict` in a process of its own: wall and CPU seconds, and peak memory of parent and worker in MB."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["--measure", str(count), str(jobs), f"{directory}/out"]
        done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(count: int, jobs: int, out: Path) -> dict[str, float]:
    """What `measure` prints; called in the process of its own."""
    import resource

    from soak.runner.analysis import ScenarioFile
    from soak.runner.predict.request import Request
    from soak.runner.predict.session import perform
    from soak.runner.replications.processes import ProcessPool

    peaks: dict[int, float] = {}

    class Watched(ProcessPool):
        """Looks at the peak memory of its workers before they end."""

        def close(self) -> None:
            for process in self.processes:
                peaks[process] = peak_mb(process)
            super().close()

    began, used = time.perf_counter(), time.process_time()
    perform(Request(ScenarioFile(SCENARIO), count, out=out), lambda: Watched(jobs))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": time.perf_counter() - began,
        "parent_s": time.process_time() - used,
        "workers_s": children.ru_utime + children.ru_stime,
        "parent_mb": peak_mb(os.getpid()),
        "worker_mb": max(peaks.values()),
    }


def peak_mb(process: int) -> float:
    """Peak memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def rows(rounds: int, count: int) -> list[dict[str, object]]:
    """Every row of the table."""
    bare(2)
    alone, one, two = [], [], []
    for _ in range(rounds):
        alone.append(cpu_of(lambda: bare(FEW)))
        one.append(measure(FEW, 1))
        two.append(measure(FEW, 2))
    many = [(measure(count, 1), measure(count, 2)) for _ in range(max(1, rounds // 3))]
    few_cpu = [each["workers_s"] / cost for each, cost in zip(one, alone, strict=True)]
    last = many[-1][1]
    own = statistics.median(b["parent_s"] / (b["parent_s"] + b["workers_s"]) for _, b in many)
    bound = f"the parent does {own:.1%} by itself: at most x{1 / (own + (1 - own) / 2):.2f}"
    memory = f"{last['parent_mb']:.0f} MB, {last['worker_mb']:.0f} MB"
    return [
        row("a replication in a worker, CPU over plan + simulation + judge", few_cpu, 1.2, 1.05),
        row(
            f"{count} replications, all CPU over {count} times plan + simulation + judge",
            [(a["workers_s"] + a["parent_s"]) / count / (statistics.median(alone) / FEW) for a, _ in many],
            1.2,
            1.1,
        ),
        row(
            f"{count} replications: wall clock, one process over two",
            [a["wall_s"] / b["wall_s"] for a, b in many],
            None,
            None,
            ">=1.8 is wanted, on two cores that nobody else uses",
        ),
        row(
            f"{count} replications: CPU, two processes over one",
            [(b["workers_s"] + b["parent_s"]) / (a["workers_s"] + a["parent_s"]) for a, b in many],
            1.1,
            None,
            bound,
        ),
        row(
            f"peak memory of the parent, {count} over {FEW}",
            [b["parent_mb"] / two[0]["parent_mb"] for _, b in many],
            1.1,
            1.02,
            memory,
        ),
        row(
            f"peak memory of a worker, {count} over {FEW}",
            [b["worker_mb"] / two[0]["worker_mb"] for _, b in many],
            1.1,
            1.02,
        ),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-n", "--replications", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        count, jobs, out = arguments.measure
        print(json.dumps(measured(int(count), int(jobs), Path(out))))
        return
    table = rows(arguments.rounds, arguments.replications)
    if arguments.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'what':66} {'ratio':>6} {'low':>6} {'high':>6} {'target':>7} {'stretch':>8}")
    for each in table:
        target, stretch = (f"<={each[key]}" if each[key] else "" for key in ("target", "stretch"))
        print(
            f"{each['what']:66} {each['ratio']:6} {each['low']:6} {each['high']:6} {target:>7} {stretch:>8} {each['note']}"
        )


if __name__ == "__main__":
    main()
