"""A scenario whose replications end in every way, in a fifth of a second each, and predictions of it."""

from collections.abc import Callable
from pathlib import Path

from soak.runner.predict.prediction import Question
from soak.runner.predict.session import ask, predict_scenario
from soak.runner.replications.worker_pool import Crew, LocalCrew
from soak.schemas.evidence.prediction import Prediction
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


def predicted(
    place: Path, *, replications: int, make_crew: Callable[[], Crew] = LocalCrew, precision: float | None = None
) -> tuple[Prediction, Path, Question]:
    """A prediction in a directory of its own."""
    loaded = loaded_scenario(place)
    question = ask(loaded, replications=replications, precision=precision)
    out = place / f"out{sum(1 for _ in place.iterdir())}"
    prediction, directory = predict_scenario(loaded, question, make_crew, out)
    return prediction, directory, question
