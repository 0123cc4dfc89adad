"""One `soak predict`, from a scenario to files and a few lines."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from soak.runner.console import remark
from soak.runner.evidence.directory import PREDICTIONS, RunDirectory, refuse_in_run
from soak.runner.evidence.record import to_json
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.predict import table
from soak.runner.predict.distribution import half_width, share_of
from soak.runner.predict.prediction import Question, observed, predict
from soak.runner.replications.progress import count_progress
from soak.runner.replications.replication import Replication, jobs
from soak.runner.replications.worker_pool import Crew, in_order
from soak.runner.session import Interruption
from soak.schemas.errors import SoakError, UsageError, failure_words
from soak.schemas.evidence.prediction import Prediction, Stopped
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded
from soak.schemas.units import show_ratio

FILE = "prediction.json"
CHECKED_EVERY = 20
"""After so many replications, and after each multiple, it is looked whether the interval is narrow enough."""


@dataclass(slots=True)
class _Series:
    """Replications as they come."""

    made: list[Replication] = field(default_factory=list)
    passed: int = 0
    stopped: Stopped = Stopped.COMPLETED

    def add(self, replication: Replication) -> None:
        """Take one in."""
        self.made.append(replication)
        self.passed += replication.verdict is Outcome.PASS

    def precise(self, precision: float | None) -> bool:
        """Whether the interval of P(PASS) is looked at now, and narrow enough."""
        if precision is None or len(self.made) % CHECKED_EVERY:
            return False
        return half_width(share_of(self.passed, len(self.made))) <= precision

    @property
    def figures(self) -> str:
        """The share of PASS so far, for people."""
        low, high = share_of(self.passed, len(self.made)).interval
        return f"{show_ratio(self.passed / len(self.made))} PASS ({show_ratio(low)} to {show_ratio(high)})"


def ask(
    loaded: Loaded, *, replications: int, precision: float | None = None, required: float | None = None
) -> Question:
    """What is asked of a scenario; the scenario's seed is what all others come of."""
    return Question(
        scenario=loaded.scenario,
        scenario_sha256=loaded.sha256,
        version=version("soak-runner"),
        seed=loaded.scenario.seed,
        replications=replications,
        precision=precision,
        required=required,
    )


def predict_scenario(
    loaded: Loaded, question: Question, make_crew: Callable[[], Crew], out: Path | None
) -> tuple[Prediction, Path]:
    """Make the replications and write what they say; returns it, and where.

    An interruption ends them early; `Prediction.stopped` tells. Raises SoakError, after writing what there is, when no more
    can be made.
    """
    if out:
        refuse_in_run(out)
    interruption, series = Interruption(), _Series()
    with interruption.listening():
        crew = make_crew()
        try:
            directory = RunDirectory.create(out, loaded.scenario.name, under=PREDICTIONS)
            store_scenario(directory, loaded)
        except BaseException:
            crew.close()
            raise
        say = f"{loaded.scenario.name}: up to {question.replications} replications of seed {question.seed}"
        remark(f"{say}, kept in {directory.path}")
        try:
            _make(series, question, crew, interruption, directory)
        except Exception as error:
            kind = UsageError if isinstance(error, UsageError) else SoakError
            raise kind(f"{failure_words(error)}; {_keep_broken(series, question, directory)}") from error
        return _write(series, question, directory), directory.path


def _make(series: _Series, question: Question, crew: Crew, interruption: Interruption, directory: RunDirectory) -> None:
    """Make replications until all are made, the interval is narrow enough, or someone interrupts."""
    wanted = islice(jobs(question.scenario, question.seed), question.replications)
    with closing(in_order(crew, wanted, interruption)) as results, count_progress(question.replications) as show:
        for replication in _kept(results, question, directory):
            series.add(replication)
            show(len(series.made), series.figures)
            if series.precise(question.precision):
                series.stopped = Stopped.PRECISE
                return
    if len(series.made) < question.replications:
        series.stopped = Stopped.INTERRUPTED


def _kept(results: Iterator[Replication], question: Question, directory: RunDirectory) -> Iterator[Replication]:
    """The results, each written to the table as it comes, so that none is lost whatever happens."""
    with directory.append(table.FILE) as keep:
        keep(table.to_csv([table.header(len(question.scenario.objectives))]))
        for replication in results:
            keep(table.to_csv([table.row(replication)]))
            yield replication


def _keep_broken(series: _Series, question: Question, directory: RunDirectory) -> str:
    """Write what was made before it broke; says where."""
    if not series.made:
        return "no replication was made"
    series.stopped = Stopped.BROKEN_OFF
    _write(series, question, directory)
    return f"the {len(series.made)} replications made before that are kept in {directory.path}"


def _write(series: _Series, question: Question, directory: RunDirectory) -> Prediction:
    prediction = predict(question, series.made, series.stopped)
    directory.write(FILE, to_json(prediction))
    from soak.reports.prediction import render_prediction

    for name, content in render_prediction(prediction, observed(question.scenario, series.made)).items():
        directory.write(name, content)
    directory.write_checksums()
    return prediction
