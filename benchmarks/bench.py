"""Speed and memory, as ratios measured in one run: `python benchmarks/bench.py`.

Absolute times differ from machine to machine and from minute to minute; ratios of things measured in turn do not.
Each row is the median over several rounds.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from soak.schemas.language.load import Loaded
    from soak.schemas.stream.block import Block
    from soak.simulation.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "scenarios" / "72h.yaml"
X40 = ("workload.arrivals.rate=200/min", "workload.arrivals.burst.rate=800/min", "queue.workers=400")
IMPORTS = "import simpy, numpy, yaml, jinja2, jsonschema, matplotlib.pyplot"
CLI_IMPORTS = "import click, yaml, jsonschema"
CALLBACKS, PENDING = 60_000, 100


def bare_simpy() -> None:
    """Bare SimPy: one `env.timeout` with a callback for each arrival and each attempt, about 100 of them pending."""
    import simpy

    env = simpy.Environment()
    left = CALLBACKS - PENDING

    def callback(_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            env.timeout(1.0).callbacks.append(callback)

    for index in range(PENDING):
        env.timeout(index / PENDING).callbacks.append(callback)
    env.run()


@cache
def loaded_scenario(settings: tuple[str, ...]) -> "Loaded":
    """The 72h scenario with overrides: read and checked before anything is timed."""
    from soak.schemas.language.load import load

    return load(SCENARIO, settings=settings)


def spine(settings: tuple[str, ...] = ()) -> int:
    """Plan, simulation, event log and judge of the 72h scenario; returns the number of tasks."""
    from soak.runner.engine import execute, identify
    from soak.runner.evidence.stream import StreamWriter
    from soak.runner.session import collection_paused
    from soak.runner.targets.simulation import Simulation
    from soak.simulation.plan import Plan

    loaded = loaded_scenario(settings)
    target = Simulation()
    with tempfile.TemporaryDirectory() as directory, collection_paused(target):
        plan = Plan(loaded.scenario)
        identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
        with StreamWriter(Path(directory) / "stream.jsonl", identity, plan.vocabulary) as stream:
            verdict, _ = execute(plan, target, identity, [stream])
    return verdict.tasks["accepted"]


class Kept:
    """A target that shows what a simulation of the 72h scenario has shown, so that all the time is the judge's."""

    name, clock, speed = "simulation", "simulated", 1.0

    def __init__(self, seed: int) -> None:
        from soak.runner.replications.replication import EVENTS_AT_ONCE
        from soak.simulation.plan import Plan
        from soak.simulation.run import simulate

        self.seed = seed
        self.blocks = list(simulate(Plan(loaded_scenario(()).scenario, seed), most_events=EVENTS_AT_ONCE))

    def run(self, plan: "Plan") -> "Generator[Block, None, None]":
        """The blocks of that simulation."""
        yield from self.blocks


def judged(kept: Kept) -> None:
    """A replication of the 72h scenario without its simulation: what judging it costs, no abort condition left out."""
    from soak.runner.engine import execute, identify
    from soak.runner.judge.need import Need
    from soak.simulation.plan import Plan

    plan = Plan(loaded_scenario(()).scenario, kept.seed)
    identity = identify(plan.scenario, "", kept.seed, kept, abort=True)
    execute(plan, kept, identity, need=Need(findings=False, slis=False, intervals=False))


def replication() -> None:
    """A replication of the 72h scenario: plan, simulation and judge."""
    from soak.runner.replications.replication import jobs, replicate

    scenario = loaded_scenario(()).scenario
    replicate(next(jobs(scenario, scenario.seed)))


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def child_cpu(code: Sequence[str]) -> float:
    """CPU seconds of a whole process."""
    process = subprocess.Popen(code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(code)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def peak_mb(settings: Sequence[str]) -> float:
    """Peak memory in MB of `spine` in a process of its own, which reads it from the kernel before it ends."""
    command = [sys.executable, __file__, "--spine", *settings]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


def own_peak_mb() -> float:
    """Peak memory of this process in MB. `getrusage` would count what its parent had before it started."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def soak(*words: str) -> list[str]:
    """The command line of `soak` in this environment."""
    return [sys.executable, "-m", "soak", *words]


def rows(rounds: int) -> list[dict[str, object]]:
    """Every row of the table."""
    spine()
    spine(X40)
    bare_simpy()
    pairs = [(cpu_of(spine), cpu_of(bare_simpy)) for _ in range(rounds)]
    kept = Kept(loaded_scenario(()).scenario.seed)
    judged(kept)
    replication()
    judging = [(cpu_of(lambda: judged(kept)), cpu_of(bare_simpy)) for _ in range(rounds)]
    whole = [(cpu_of(replication), cpu_of(bare_simpy)) for _ in range(rounds)]
    tasks = spine()
    large = [(cpu_of(lambda: spine(X40)), cpu_of(spine)) for _ in range(3)]
    many = spine(X40)
    memory = [(peak_mb(X40), peak_mb(())) for _ in range(3)]
    longer = [(peak_mb(("duration=720h", "seed=14")), peak_mb(())) for _ in range(3)]
    return [
        row("72h: plan + simulation + event log + judge, CPU over bare SimPy", [a / b for a, b in pairs], 3, 2),
        row("72h: one replication, CPU over bare SimPy", [a / b for a, b in whole], 0.6, 0.3),
        row("72h: judge of one replication, CPU over bare SimPy", [a / b for a, b in judging], 0.25, 0.12),
        row(
            "x40 rates and workers: CPU per task over the 72h run", [a / many / (b / tasks) for a, b in large], 0.8, 0.5
        ),
        row(
            "x40: peak memory over the 72h run",
            [a / b for a, b in memory],
            3,
            None,
            f"{extra_mb(memory)} (target +50 MB, stretch +30 MB)",
        ),
        row(
            "720h: peak memory over the 72h run",
            [a / b for a, b in longer],
            None,
            None,
            f"{extra_mb(longer)} (target +5 MB)",
        ),
        *process_rows(rounds),
    ]


def process_rows(rounds: int) -> list[dict[str, object]]:
    """Whole processes against the imports they cannot do without."""
    imports, cli_imports = [sys.executable, "-c", IMPORTS], [sys.executable, "-c", CLI_IMPORTS]
    result = []
    for name, words, base, target, stretch in (
        ("soak run scenarios/72h.yaml, whole process, CPU over its imports", ["run", str(SCENARIO)], imports, 2, 1.5),
        ("soak --help, CPU over its imports", ["--help"], cli_imports, 1.5, 1.1),
        ("soak validate, CPU over its imports", ["validate", str(SCENARIO)], cli_imports, 1.3, 1.1),
    ):
        ratios = []
        for _ in range(rounds + 1):
            with tempfile.TemporaryDirectory() as directory:
                out = ["--out", f"{directory}/run"] if words[0] == "run" else []
                ratios.append(child_cpu(soak(*words, *out)) / child_cpu(base))
        result.append(row(name, ratios[1:], target, stretch))
    return result


def extra_mb(pairs: list[tuple[float, float]]) -> str:
    """How much more memory the first of each pair took."""
    return f"{statistics.median(a - b for a, b in pairs):+.0f} MB"


def row(
    name: str, ratios: list[float], target: float | None, stretch: float | None, note: str = ""
) -> dict[str, object]:
    """One row of the table."""
    figures = {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    rounded = {key: round(value, 2) for key, value in figures.items()}
    return {"what": name, **rounded, "target": target, "stretch": stretch, "note": note}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--spine", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.spine is not None:
        spine(tuple(arguments.spine))
        print(own_peak_mb())
        return
    table = rows(arguments.rounds)
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
