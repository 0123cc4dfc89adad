"""One measured run of soak and where its time goes, for `bench_scale.py`: `python benchmarks/scale_run.py '{"times": 4}'`.

Timers stand around the parts that take a block of events at a time: they cost nothing that could be measured. What a part
does inside another counts for itself alone. A part that this version of soak has no more is left out; its time is `rest`.
"""

import contextlib
import functools
import gc
import importlib
import inspect
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from soak.runner.replications import replication
from soak.runner.session import run_loaded
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import Loaded, load
from soak.simulation.compiled.engine import Engine

SCENARIO = Path(__file__).resolve().parents[1] / "scenarios" / "72h.yaml"
PARTS = (
    ("draws", "soak.simulation.plan", "Plan.submissions"),
    ("draws", "soak.simulation.fates", "Fates._draw"),
    ("model", "soak.runner.targets.simulation", "Simulation.run"),
    ("blocks", "soak.simulation.recorder", "Recorder.take"),
    ("judge", "soak.runner.judge.judge", "Judge.observe"),
    ("judge", "soak.runner.engine", "decide"),
    ("log", "soak.runner.evidence.stream", "StreamWriter.append"),
    ("log", "soak.runner.evidence.stream", "StreamWriter.close"),
    ("series", "soak.runner.evidence.metrics", "MetricsWriter.append"),
    ("report", "soak.runner.evidence.report", "render_into"),
    ("checksums", "soak.runner.evidence.directory", "RunDirectory.write_checksums"),
)


@dataclass
class Timers:
    """CPU seconds by part; a stack, so that a part inside another is taken out of it."""

    spent_s: dict[str, float] = field(default_factory=dict)
    stack: list[str] = field(default_factory=lambda: ["rest"])
    since: float = field(default_factory=time.process_time)

    def turn(self) -> None:
        """Book what has passed since the last turn."""
        now = time.process_time()
        self.spent_s[self.stack[-1]] = self.spent_s.get(self.stack[-1], 0.0) + now - self.since
        self.since = now

    @contextlib.contextmanager
    def inside(self, part: str) -> Iterator[None]:
        """What happens here is of a part."""
        self.turn()
        self.stack.append(part)
        try:
            yield
        finally:
            self.turn()
            self.stack.pop()

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function, or each step of what it yields, as a part."""

        @functools.wraps(function)
        def call(*words: Any, **named: Any) -> Any:
            with self.inside(part):
                result = function(*words, **named)
            return self._steps(part, result) if inspect.isgenerator(result) else result

        return call

    def _steps(self, part: str, steps: Any) -> Iterator[Any]:
        with contextlib.closing(steps):
            while True:
                with self.inside(part):
                    step = next(steps, self)
                if step is self:
                    return
                yield step

    def fit(self) -> None:
        """Put the timers where the parts are."""
        for part, module, path in PARTS:
            place: Any = importlib.import_module(module)
            *outer, name = path.split(".")
            for each in outer:
                place = getattr(place, each, None)
            if hasattr(place, name):
                setattr(place, name, self.around(part, getattr(place, name)))


def loaded_for(given: dict[str, Any]) -> Loaded:
    """The 72h scenario with what a row changes."""
    times = given.get("times", 1)
    tenants = given.get("tenants", 0)
    shares = ", ".join(f"{{name: t{place}, share: {100 / tenants:.12g}%}}" for place in range(tenants))
    settings = (
        f"duration={given.get('minutes', 72 * 60):.0f}m",
        f"workload.arrivals.rate={5 * times:.0f}/min",
        f"workload.arrivals.burst.rate={20 * times:.0f}/min",
        f"queue.workers={given.get('workers', 10 * times):.0f}",
        *((f"workload.tenants=[{shares}]",) if tenants else ()),
        *given.get("settings", ()),
    )
    return load(SCENARIO, settings=settings)


def target_of(engine: str) -> Simulation:
    """The simulation on an engine."""
    return Simulation(Engine(engine))


def replicated(loaded: Loaded, engine: str) -> None:
    """A replication on an engine; a replication itself takes the fastest."""
    with mock.patch.object(replication, "Simulation", lambda: target_of(engine)):
        replication.replicate(replication.Job(0, loaded.scenario.seed, loaded.scenario, in_full=True))


def measured(given: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    loaded, engine = loaded_for(given), given.get("engine", "simpy")
    _warm(engine)
    timers = Timers()
    timers.fit()
    gc.collect()
    timers.since = time.process_time()
    before_mb, began = status_mb("VmRSS"), time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        if given["work"] == "run":
            with quiet():
                run_loaded(loaded, target_of(engine), out=out, abort=False, notify=False)
        else:
            replicated(loaded, engine)
        cpu_s = time.process_time() - began
        stream = sum(path.stat().st_size for path in out.glob("soak_*.jsonl*"))
        files = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    timers.turn()
    spent = {part: round(seconds, 4) for part, seconds in timers.spent_s.items()}
    peak_mb = status_mb("VmHWM")
    return {"cpu_s": cpu_s, "peak_mb": peak_mb, "grown_mb": peak_mb - before_mb, "stream_mb": stream / 1e6,
            "files_mb": files / 1e6, "parts_s": spent}  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a run says goes nowhere."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        yield


def _warm(engine: str) -> None:
    """An hour of the scenario: imports and a compiled part are not counted."""
    loaded = loaded_for({"minutes": 60})
    replicated(loaded, engine)
    with tempfile.TemporaryDirectory() as directory, quiet():
        run_loaded(loaded, target_of(engine), out=Path(directory) / "run", abort=False, notify=False)


def status_mb(key: str) -> float:
    """VmHWM (peak) or VmRSS (now) of this process in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def profiled(given: dict[str, Any]) -> None:
    """Print where the time goes, function by function."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    loaded, engine = loaded_for(given), given.get("engine", "simpy")
    with tempfile.TemporaryDirectory() as directory:
        profile.enable()
        if given["work"] == "run":
            run_loaded(loaded, target_of(engine), out=Path(directory) / "run", abort=False, notify=False)
        else:
            replicated(loaded, engine)
        profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    if sys.argv[2:] == ["--profile"]:
        profiled(asked)
    else:
        print(json.dumps(measured(asked)))
