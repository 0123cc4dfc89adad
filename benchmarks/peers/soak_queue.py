"""The queue in soak: scenarios/72h.yaml itself, as a replication (plan, model, judge) or as what `soak run` does.

`--work run`: plan, model, event log on disk, judge, with their files. `--engine simpy|compiled|auto`.
Tasks, attempts and latencies are counted afterwards, in an event stream made again.
"""

import os
import sys
import tempfile
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from unittest import mock

from queue_model import Setting, Tally, cpu_of, main, status_mb

from soak.runner.engine import execute, identify
from soak.runner.evidence.stream import StreamWriter
from soak.runner.replications.replication import Job, replicate
from soak.runner.session import collection_paused
from soak.runner.targets.simulation import ENGINE_VARIABLE, Simulation
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.simulation.compiled.engine import Engine
from soak.simulation.plan import Plan

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "72h.yaml"


def loaded_for(setting: Setting) -> Loaded:
    """The scenario as the setting wants it. Nothing else is changed."""
    times = setting.times
    return load(
        SCENARIO,
        settings=(
            f"duration={setting.hours * 60:.0f}m",
            f"workload.arrivals.rate={5 * times}/min",
            f"workload.arrivals.burst.rate={20 * times}/min",
            f"queue.workers={10 * times}",
            *(("faults=[]",) if setting.plain else ()),
        ),
    )


def target_of(engine: str) -> Simulation:
    """The simulation, on the engine asked for."""
    return Simulation(Engine(engine))


def replicated(loaded: Loaded, setting: Setting, engine: str) -> None:
    """Plan, model and judge; nothing is kept."""
    with mock.patch.dict(os.environ, {ENGINE_VARIABLE: engine}):
        replicate(Job(0, setting.seed, loaded.scenario))


def kept(loaded: Loaded, setting: Setting, engine: str) -> None:
    """Plan, model, event log and judge."""
    target = target_of(engine)
    with tempfile.TemporaryDirectory() as directory, collection_paused(target):
        plan = Plan(loaded.scenario, setting.seed)
        identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
        with StreamWriter(Path(directory) / "stream.jsonl", identity, plan.vocabulary) as stream:
            execute(plan, target, identity, [stream])


@cache
def counted(setting: Setting, engine: str) -> Tally:
    """Count what happens in a run."""
    due: dict[int, float] = {}
    tally = Tally()
    for block in target_of(engine).run(Plan(loaded_for(setting).scenario, setting.seed)):
        _count(block, due, tally)
    return tally


def _count(block: Block, due: dict[int, float], tally: Tally) -> None:
    enqueued, done = block.kind == Kind.TASK_ENQUEUED, block.kind == Kind.TASK_DONE
    due.update(zip(block.task[enqueued].tolist(), block.t[enqueued].tolist(), strict=True))
    tally.tasks += int(enqueued.sum())
    tally.attempts += int((block.kind == Kind.EXECUTION_ENDED).sum())
    tally.retries += int((block.kind == Kind.TASK_RETRY).sum())
    for task, t_s in zip(block.task[done].tolist(), block.t[done].tolist(), strict=True):
        tally.done += 1
        tally.latency_s += t_s - due[task]


if __name__ == "__main__":
    words, chosen = sys.argv[1:], {"--work": "replicate", "--engine": "auto"}
    for option in chosen:
        if option in words:
            place = words.index(option)
            chosen[option] = words[place + 1]
            del words[place : place + 2]
    sys.argv[1:] = words
    work = {"replicate": replicated, "run": kept}[chosen["--work"]]

    def run(setting: Setting) -> Tally:
        """Measure one; what happens in it is counted apart."""
        loaded = loaded_for(setting)
        used_s = cpu_of(lambda: work(loaded, setting, chosen["--engine"]))
        peak_mb = status_mb("VmHWM")
        return replace(counted(setting, chosen["--engine"]), cpu_s=used_s, peak_mb=peak_mb)

    main("soak", version("soak-runner"), run, warm=True, note=chosen["--engine"])
