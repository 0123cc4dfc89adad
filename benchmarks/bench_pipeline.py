"""The model of a pipeline: records a second, and against stepping them one by one: `python benchmarks/bench_pipeline.py`.

An hour of 155 records a second goes through four processes into two sinks. It is simulated; simulated, judged and stored; its
records alone are stepped in a loop, without supervisor, probes, faults, what they are like and events; and in SimPy, as one would
write it down: a process for each, that gets a record, works and puts it. CPU is measured, in turn.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soak.schemas.language.load import Loaded
    from soak.simulation.pipeline.steps import Steps

SCENARIO = """
version: 1
name: hour
system: pipeline
duration: 60m
workload: {arrivals: {rate: 155/s, process: constant}, kinds: [{name: BTCUSDT, share: 70%}, {name: ETHUSDT, share: 30%}]}
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw, overflow: drop_oldest}
    - {name: signal, reads: raw, writes: signals, service: {distribution: exponential, mean: 2ms}}
    - {name: broker, reads: signals, writes: orders, passes: confirmed}
    - {name: report, reads: signals}
  sinks: [{name: jsonl, of: signals}, {name: sqlite, of: signals, batch: {rows: 500, every: 500ms}}]
  alerts: {no_records: {}, low_consistency: {}, strong_ratio: {}}
faults:
  - {name: kill, type: process_kill, process: signal, at: 30m}
  - {name: silence, type: source_silence, at: 20m, for: 3m}
slos: [health_green >= 98%, lost_records == 0, latency_p95 <= 2s]
telemetry: {sample_interval: 10s}
"""


def loaded() -> "Loaded":
    """The scenario, read and checked."""
    from soak.schemas.language.load import load

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hour.yaml"
        path.write_text(SCENARIO)
        return load(path)


def simulated(of: "Loaded") -> int:
    """The number of events of the model."""
    from soak.simulation.plan import Plan
    from soak.simulation.run import simulate

    return sum(len(block) for block in simulate(Plan(of.scenario)))


def judged(of: "Loaded") -> int:
    """Plan, simulation, event log and judge; the number of records."""
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
        execute(plan, target, identity, [stream])
    return plan.offered


def one_by_one(of: "Loaded") -> int:
    """The same records in a loop: what each process and each batch makes of one after the other."""
    from soak.schemas.systems.pipeline.settings import pipeline_of
    from soak.simulation.pipeline.inbox import ServiceTimes
    from soak.simulation.plan import Plan

    plan = Plan(of.scenario)
    pipeline, records = pipeline_of(of.scenario), 0
    times = [ServiceTimes(process, plan.seed) for process in pipeline.processes]
    free_s, batch, latencies = [0.0] * len(times), list[float](), 0.0
    for chunk in plan.submissions():
        services = [each.of(chunk.number).tolist() for each in times]
        for at_s, *service_s in zip(chunk.due_s.tolist(), *services, strict=True):
            records += 1
            done_s = free_s[0] = max(at_s, free_s[0]) + service_s[0]
            done_s = free_s[1] = max(done_s, free_s[1]) + service_s[1]
            free_s[2] = max(done_s, free_s[2]) + service_s[2]
            free_s[3] = max(done_s, free_s[3]) + service_s[3]
            latencies += done_s - at_s
            if batch and (len(batch) == 500 or done_s > batch[0] + 0.5):
                batch.clear()
            batch.append(done_s)
    return records


def in_simpy(of: "Loaded") -> int:
    """The same with SimPy alone; the number of records."""
    import simpy

    from soak.schemas.systems.pipeline.settings import pipeline_of
    from soak.simulation.pipeline.inbox import ServiceTimes
    from soak.simulation.plan import Plan

    plan, env, records = Plan(of.scenario), simpy.Environment(), 0
    names = {"source": [], "raw": [], "signals": []}
    queues = {process.name: simpy.Store(env) for process in pipeline_of(of.scenario).processes}
    for process in pipeline_of(of.scenario).processes:
        names[process.reads].append(queues[process.name])
    times = {process.name: ServiceTimes(process, plan.seed) for process in pipeline_of(of.scenario).processes}

    def source() -> "Steps":
        nonlocal records
        for chunk in plan.submissions():
            works = zip(*(times[name].of(chunk.number).tolist() for name in queues), strict=True)
            for due_s, work in zip(chunk.due_s.tolist(), works, strict=True):
                yield env.timeout(due_s - env.now)
                records += 1
                queues["harvest"].put(dict(zip(queues, work, strict=True)))

    def server(name: str, writes: str) -> "Steps":
        while True:
            record = yield queues[name].get()
            yield env.timeout(record[name])
            for reader in names.get(writes, ()):
                reader.put(record)

    env.process(source())
    for process in pipeline_of(of.scenario).processes:
        env.process(server(process.name, process.writes))
    env.run(until=of.scenario.duration_s + 1)
    return records


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    of = loaded()
    records, works = judged(of), (simulated, judged, one_by_one, in_simpy)
    taken = [[cpu_of(lambda work=work: work(of)) for work in works] for _ in range(rounds)]
    for place, work in enumerate(works):
        seconds = statistics.median(each[place] for each in taken)
        ratio = statistics.median(each[place] / each[-1] for each in taken)
        print(f"{work.__name__:12} {seconds:6.2f} s  {records / seconds:12,.0f} records/s  {ratio:5.2f} of SimPy")


if __name__ == "__main__":
    main()
