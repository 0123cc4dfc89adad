"""The model of a gateway: `python benchmarks/bench_gateway_model.py`.

A thousand users for an hour, some 590,000 requests, through limits, workers, store, chain and outbox. It is simulated; simulated,
judged and stored; and, workers alone, stepped in SimPy as one would write it down: a process for each user. CPU is measured, in
turn; and once the wall time and CPU of a whole `soak run`.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soak.schemas.language.load import Loaded

SCENARIO = """
version: 1
name: thousand
system: gateway
duration: 60m
drain: 30s
workload:
  users: {count: 1000, think: {distribution: exponential, mean: 6s}, ramp: 2m}
  tenants: [{name: A, share: 60%}, {name: B, share: 15%}, {name: C, share: 10%}, {name: D, share: 10%}, {name: E, share: 5%}]
  kinds: [{name: allowed, share: 60%}, {name: denied, share: 15%}, {name: reads, share: 25%}]
gateway:
  workers: 8
  service: {distribution: lognormal, median: 5ms, p95: 20ms}
  limits: {rate: 200/s, burst: 100}
  store: {connections: 20, latency: {distribution: exponential, mean: 4ms}}
  chain: {kinds: [allowed, denied], hold: {distribution: exponential, mean: 2ms}}
  outbox: {kinds: [allowed], drain_rate: 200/s}
slos: [success_rate >= 99.5%, "latency_p95{tenant=*} <= 250ms", wrong_answers == 0]
telemetry: {sample_interval: 10s}
"""


def written(directory: str) -> Path:
    """The scenario as a file."""
    path = Path(directory) / "thousand.yaml"
    path.write_text(SCENARIO)
    return path


def simulated(of: "Loaded") -> int:
    """The number of events of the model."""
    from soak.simulation.plan import Plan
    from soak.simulation.run import simulate

    return sum(len(block) for block in simulate(Plan(of.scenario)))


def judged(of: "Loaded") -> int:
    """Plan, simulation, event log and judge; the number of requests."""
    from soak.runner.engine import execute, identify
    from soak.runner.evidence.stream import StreamWriter
    from soak.runner.targets.simulation import Simulation
    from soak.simulation.plan import Plan

    target, plan = Simulation(), Plan(of.scenario)
    identity = identify(of.scenario, of.sha256, plan.seed, target, abort=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        StreamWriter(Path(directory) / "stream.jsonl", identity, plan.vocabulary) as stream,
    ):
        verdict, _ = execute(plan, target, identity, [stream])
    assert verdict.load
    return verdict.load.offered


def in_simpy(of: "Loaded") -> int:
    """Users and workers alone with SimPy alone; the number of requests."""
    import simpy

    from soak.schemas.systems.gateway.settings import gateway_of
    from soak.simulation.plan import Plan

    plan, env, requests = Plan(of.scenario), simpy.Environment(), 0
    users = plan.users
    assert users
    workers = simpy.Resource(env, gateway_of(of.scenario).workers)

    def user(number: int) -> Generator[simpy.Event, None, None]:
        nonlocal requests
        work = users.first(number)
        while work is not None:
            yield env.timeout(work[0] - env.now)
            requests += 1
            with workers.request() as turn:
                yield turn
                yield env.timeout(plan.fate(work[1], 1, env.now)[0])
            work = users.after(work[1], env.now)

    for number in range(users.count):
        env.process(user(number))
    env.run(until=of.scenario.duration_s)
    return requests


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Print the table."""
    from soak.schemas.language.load import load

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        path = written(directory)
        of = load(path)
        requests, works = judged(of), (simulated, judged, in_simpy)
        taken = [[cpu_of(lambda work=work: work(of)) for work in works] for _ in range(rounds)]
        for place, work in enumerate(works):
            seconds = statistics.median(each[place] for each in taken)
            print(f"{work.__name__:12} {seconds:6.2f} s  {requests / seconds:12,.0f} requests/s")
        before, cpu = time.perf_counter(), sum(os.times()[2:4])
        command = [sys.executable, "-m", "soak", "run", str(path), "--out", str(Path(directory) / "run")]
        subprocess.run(command, check=True, capture_output=True)
        wall_s, cpu_s = time.perf_counter() - before, sum(os.times()[2:4]) - cpu
        print(f"{'soak run':12} {wall_s:6.2f} s of wall time, {cpu_s:.2f} s of CPU")


if __name__ == "__main__":
    main()
