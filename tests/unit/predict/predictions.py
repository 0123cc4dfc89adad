"""A scenario whose replications end in every way, in a fifth of a second each, and predictions of it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from soak.runner.analysis import ScenarioFile
from soak.runner.predict.prediction import predict
from soak.runner.predict.request import Request
from soak.runner.predict.session import perform
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.replication import Replication
from soak.runner.replications.worker_pool import WorkerPool
from soak.schemas.evidence.prediction import Prediction, Stopped
from soak.schemas.language.load import Loaded, load

SCENARIO = """
version: 1
name: uncertain
system: queue
duration: 20m
drain: 10m
seed: 5
workload:
  arrivals: {rate: 20/min}
  task: {duration: {distribution: exponential, mean: 5s}}
queue: {workers: 3, retry: {backoff: [20s]}}
slis:
  errors: {count: "task.failed"}
slos:
  - errors == 0
  - success_rate >= 99%
  - latency_p95 <= 25s
faults:
  - {name: flaky, type: transient_error, rate: 5%, errors: [timeout]}
abort:
  - {name: slow, when: latency_p95 > 45s, window: 5m, min_samples: 20}
"""


def loaded_scenario(place: Path, text: str = SCENARIO, settings: tuple[str, ...] = ()) -> Loaded:
    """The scenario, from a file in `place`."""
    path = place / "uncertain.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, settings=settings)


Again = Callable[[Sequence[Replication], Stopped], Prediction]
"""What the same request comes to with other replications."""


def predicted(
    place: Path,
    *,
    replications: int,
    open_pool: Callable[[], WorkerPool] = ProcessPool,
    precision: float | None = None,
    loaded: Loaded | None = None,
) -> tuple[Prediction, Path, Again]:
    """A prediction in a directory of its own."""
    loaded = loaded or loaded_scenario(place)
    out = place / f"out{sum(1 for _ in place.iterdir())}"
    scenario = ScenarioFile(loaded.source, settings=loaded.settings)
    request = Request(scenario, replications, precision=precision, out=out)
    analysis = perform(request, open_pool)
    return analysis.result, analysis.directory, partial(predict, loaded, request)


def concluded(
    loaded: Loaded,
    made: Sequence[Replication],
    stopped: Stopped,
    *,
    replications: int = 5,
    precision: float | None = None,
) -> Prediction:
    """What replications say that were made by hand."""
    return predict(
        loaded, Request(ScenarioFile(loaded.source), max(1, replications), precision=precision), made, stopped
    )
