"""What commands of many replications cost, as ratios measured in one run: `python benchmarks/bench_predict.py`.

- a replication against plan, simulation and judge alone, in CPU seconds: what the workers and their parent add;
- two processes against one, for each command: in wall-clock time, which needs two cores that nobody else uses, and along the
  critical path, in CPU seconds: what the parent does before there are workers and after they have ended, and between that
  the work of the workers, or half of all work where there are two (Amdahl 1967);
- what a job of 20 ms costs beside these;
- all replications of `soak predict`, along the critical path of two processes, over the start of Python and imports;
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
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

from bench import ROOT, SCENARIO, child_cpu, cpu_of, row

FEW = 50
JOB_S = 0.02
COMMANDS = ("predict", "power", "compare", "limits")
Figures = dict[str, float]


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


def measure(command: str, count: int, jobs: int) -> Figures:
    """A command, or "stub", in a process of its own: wall and CPU seconds, and peak memory of parent and worker in MB."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["--measure", command, str(count), str(jobs), f"{directory}/out"]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True, cwd=ROOT)
        wall_s = time.perf_counter() - began
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "wall_s": wall_s}


def measured(command: str, count: int, jobs: int, out: Path) -> Figures:
    """What `measure` prints; called in the process of its own.

    `alone_s`: CPU of the parent while there are no workers; `beside_s`: while there are some; `workers_s`: of these.
    """
    import resource

    from soak.runner.replications import processes

    peaks: dict[int, float] = {}
    used: list[float] = []

    class Watched(processes.ProcessPool):
        """Notes when workers are there, and their peak memory before they end."""

        def __init__(self, workers: int | None = None) -> None:
            used.append(time.process_time())
            super().__init__(workers)

        def close(self) -> None:
            peaks.update({process: peak_mb(process) for process in self.processes})
            super().close()
            used.append(time.process_time())

    processes.ProcessPool = Watched  # type: ignore[misc]
    _WHAT[command](count, jobs, out)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    beside_s = used[-1] - used[0]
    return {
        "alone_s": time.process_time() - beside_s,
        "beside_s": beside_s,
        "workers_s": children.ru_utime + children.ru_stime,
        "parent_mb": peak_mb(os.getpid()),
        "worker_mb": max(peaks.values()),
    }


def _predict(count: int, jobs: int, out: Path) -> None:
    from soak.runner.analysis import ScenarioFile
    from soak.runner.predict.request import Request
    from soak.runner.predict.session import perform

    perform(Request(ScenarioFile(SCENARIO), count, jobs=jobs, out=out))


def _power(count: int, jobs: int, out: Path) -> None:
    from soak.runner.analysis import ScenarioFile
    from soak.runner.power.request import Request
    from soak.runner.power.session import perform

    perform(Request(ScenarioFile(SCENARIO), (), 0.95, count, jobs=jobs, out=out))


def _compare(count: int, jobs: int, out: Path) -> None:
    from soak.runner.analysis import ScenarioFile
    from soak.runner.whatif.request import Request
    from soak.runner.whatif.session import perform

    perform(Request(ScenarioFile(SCENARIO), ("queue.workers=8",), count // 2, 0.05, 0.0, jobs=jobs, out=out))


def _limits(count: int, jobs: int, out: Path) -> None:
    from soak.runner.analysis import ScenarioFile
    from soak.runner.limits.request import Request
    from soak.runner.limits.session import perform

    perform(Request(ScenarioFile(SCENARIO), ("queue.workers=1..20",), 0.95, 0.02, 200, 2, jobs=jobs, out=out))


def _stub(count: int, jobs: int, out: Path) -> None:
    """Jobs that compute nothing for JOB_S."""
    from soak.runner.replications import worker
    from soak.runner.replications.processes import ProcessPool
    from soak.runner.replications.replication import Job, Replication
    from soak.runner.replications.replication import jobs as replications
    from soak.runner.replications.worker_pool import in_order
    from soak.schemas.evidence.verdict import Outcome
    from soak.schemas.language.load import load

    def stub(job: Job) -> Replication:
        until = time.process_time() + JOB_S
        while time.process_time() < until:
            pass
        return Replication(job.index, job.seed, Outcome.PASS, 0.0, None, [], [])

    worker.replicate = stub
    for _ in in_order(ProcessPool(jobs), islice(replications(load(SCENARIO).scenario, 1), count)):
        pass


_WHAT: dict[str, Callable[[int, int, Path], None]] = {
    "predict": _predict,
    "power": _power,
    "compare": _compare,
    "limits": _limits,
    "stub": _stub,
}


def peak_mb(process: int) -> float:
    """Peak memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def path_s(figures: Figures, workers: int) -> float:
    """The critical path: with one worker the parent works beside it on a core of its own, two share all work."""
    both = (figures["workers_s"] + figures["beside_s"]) / 2
    return figures["alone_s"] + (figures["workers_s"] if workers == 1 else both)


@cache
def start_s() -> float:
    """CPU of the start of Python and of the imports of `soak predict`."""
    code = "import soak.runner.predict.session, soak.reports.pages.prediction, soak.reports.prediction"
    return statistics.median(child_cpu([sys.executable, "-c", code]) for _ in range(5))


def command_rows(command: str, rounds: int, count: int) -> list[dict[str, object]]:
    """Two processes against one, of whole commands."""
    pairs = [(measure(command, count, 1), measure(command, count, 2)) for _ in range(rounds)]
    name = f"{command}, {count} replications" if command != "limits" else "limits --vary queue.workers=1..20"
    paths = [path_s(a, 1) / path_s(b, 2) for a, b in pairs]
    alone = statistics.median(b["alone_s"] for _, b in pairs)
    return [
        row(
            f"{name}: wall clock, one process over two",
            [a["wall_s"] / b["wall_s"] for a, b in pairs],
            None,
            None,
            ">=1.9 is wanted, on two cores that nobody else uses",
        ),
        row(f"{name}: critical path, one over two", paths, None, None, f">=1.9 is wanted; {alone:.2f} s of it alone"),
    ]


def stub_row(rounds: int, count: int) -> dict[str, object]:
    """What a job costs beside itself, with two workers; what pools cost once is left out by a second count."""

    def beside(jobs: int) -> float:
        figures = measure("stub", jobs, 2)
        return figures["workers_s"] + figures["beside_s"] - jobs * JOB_S

    over = [(beside(count) - beside(10)) / (count - 10) / JOB_S for _ in range(rounds)]
    return row("a job beside 20 ms of work: all CPU over these", [1 + each for each in over], 1.05, 1.02)


def predict_rows(rounds: int, count: int) -> list[dict[str, object]]:
    """Work, memory and all of `soak predict`."""
    bare(2)
    alone, one, two = [], [], []
    for _ in range(rounds):
        alone.append(cpu_of(lambda: bare(FEW)))
        one.append(measure("predict", FEW, 1))
        two.append(measure("predict", FEW, 2))
    many = [(measure("predict", count, 1), measure("predict", count, 2)) for _ in range(max(1, rounds // 3))]
    few_cpu = [each["workers_s"] / cost for each, cost in zip(one, alone, strict=True)]
    last = many[-1][1]
    memory = f"{last['parent_mb']:.0f} MB, {last['worker_mb']:.0f} MB"
    return [
        row("a replication in a worker, CPU over plan + simulation + judge", few_cpu, 1.2, 1.05),
        row(
            f"{count} replications: CPU, two processes over one",
            [
                (b["workers_s"] + b["beside_s"] + b["alone_s"]) / (a["workers_s"] + a["beside_s"] + a["alone_s"])
                for a, b in many
            ],
            1.1,
            None,
        ),
        row(
            f"{count} replications on two cores, over the start of Python and imports",
            [path_s(b, 2) / start_s() for _, b in many],
            20,
            10,
            f"critical path over {start_s():.2f} s",
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
    parser.add_argument(
        "--only", choices=[*_WHAT, "work"], help="One part: a command, stub jobs, or the work of predict."
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        command, count, jobs, out = arguments.measure
        print(json.dumps(measured(command, int(count), int(jobs), Path(out))))
        return
    rounds, count, only = arguments.rounds, arguments.replications, arguments.only
    table = predict_rows(rounds, count) if only in {None, "work"} else []
    for command in COMMANDS:
        if only in {None, command}:
            table += command_rows(command, rounds, count)
    if only in {None, "stub"}:
        table.append(stub_row(rounds, count))
    if arguments.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'what':80} {'ratio':>6} {'low':>6} {'high':>6} {'target':>7} {'stretch':>8}")
    for each in table:
        target, stretch = (f"<={each[key]}" if each[key] else "" for key in ("target", "stretch"))
        print(
            f"{each['what']:80} {each['ratio']:6} {each['low']:6} {each['high']:6} {target:>7} {stretch:>8} {each['note']}"
        )


if __name__ == "__main__":
    main()
