"""One `soak predict`, from a request to files and a result."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from soak.runner.analysis import Analysis, dated_directory, write_analysis
from soak.runner.console import remark
from soak.runner.evidence.directory import PREDICTIONS, RunDirectory
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.interruption import Interruption, listening
from soak.runner.predict import table
from soak.runner.predict.figures import half_width, share_of
from soak.runner.predict.prediction import observed, predict
from soak.runner.predict.rare.events import Event
from soak.runner.predict.rare.session import events_of, find
from soak.runner.predict.request import Request
from soak.runner.replications.preload import loading
from soak.runner.replications.replication import Replication, jobs
from soak.runner.replications.series import series
from soak.runner.replications.worker_pool import WorkerPool, make_pool
from soak.schemas.errors import SoakError, UsageError, failure_words
from soak.schemas.evidence.prediction import Prediction, RareEvent, Stopped
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.units import show_ratio

_REPORTS = ("soak.reports.pages.prediction", "soak.reports.prediction")
FILE, REPORT = "prediction.json", "prediction.html"
CHECKED_EVERY = 20
"""The width of the interval is checked after every so many replications."""


@dataclass(slots=True)
class _Progress:
    """The replications so far."""

    made: list[Replication] = field(default_factory=list)
    passed: int = 0
    stopped: Stopped = Stopped.COMPLETED

    def add(self, replication: Replication) -> None:
        """Add one."""
        self.made.append(replication)
        self.passed += replication.verdict is Outcome.PASS

    def precise(self, precision: float | None) -> bool:
        """Whether the interval of P(PASS) is checked now, and narrow enough."""
        if precision is None or len(self.made) % CHECKED_EVERY:
            return False
        return half_width(share_of(self.passed, len(self.made))) <= precision

    @property
    def figures(self) -> str:
        """The share of PASS so far, for people."""
        low, high = share_of(self.passed, len(self.made)).interval
        return f"{show_ratio(self.passed / len(self.made))} PASS ({show_ratio(low)} to {show_ratio(high)})"


def perform(request: Request, open_pool: Callable[[], WorkerPool] | None = None) -> Analysis[Prediction]:
    """Make the replications and write what they say; `open_pool` gives other workers than the request names.

    An interruption ends them early; `Prediction.stopped` says so. Raises SoakError, after writing what there is, when no more
    can be made.
    """
    loaded = request.scenario.load()
    scenario, so_far = loaded.scenario, _Progress()
    events = _rare_events(scenario, request)
    with dated_directory(request.out, PREDICTIONS, scenario.name) as directory, listening() as interrupted:
        pool = open_pool() if open_pool else make_pool(request.jobs, request.dask)
        with closing(pool):
            store_scenario(directory, loaded)
            words = f"up to {request.replications} replications from seed {scenario.seed}"
            remark(f"{scenario.name}: {words}, results in {directory.path}")
            try:
                _make(so_far, loaded, request, pool, interrupted, directory)
            except Exception as error:
                kind = UsageError if isinstance(error, UsageError) else SoakError
                raise kind(f"{failure_words(error)}; {_keep_broken(so_far, loaded, request, directory)}") from error
        rare = _rare(so_far, loaded, request, events, interrupted) if events else msgspec.UNSET
        prediction = _write(so_far, loaded, request, directory, rare)
    return Analysis(prediction, directory.path, REPORT, prediction.stopped is Stopped.INTERRUPTED)


def _make(
    so_far: _Progress,
    loaded: Loaded,
    request: Request,
    pool: WorkerPool,
    interrupted: Interruption,
    directory: RunDirectory,
) -> None:
    """Make replications until all are made, the interval is narrow enough, or an interruption."""
    count, scenario = request.replications, loaded.scenario
    wanted = islice(jobs(scenario, scenario.seed), count)
    with loading(*_REPORTS), series(pool, wanted, count, interrupted=interrupted) as (results, show):
        for replication in _kept(results, len(scenario.objectives), directory):
            so_far.add(replication)
            show(len(so_far.made), so_far.figures)
            if not request.for_rare_events and so_far.precise(request.precision):
                so_far.stopped = Stopped.PRECISE
                return
    if len(so_far.made) < count:
        so_far.stopped = Stopped.INTERRUPTED


def _kept(results: Iterator[Replication], objectives: int, directory: RunDirectory) -> Iterator[Replication]:
    """The results, each written to the table as it comes, so that none is lost."""
    with directory.append(table.FILE) as keep:
        keep(table.to_csv([table.header(objectives)]))
        for replication in results:
            keep(table.to_csv([table.row(replication)]))
            yield replication


def _keep_broken(so_far: _Progress, loaded: Loaded, request: Request, directory: RunDirectory) -> str:
    """Write what was made before the failure; returns where, in words."""
    if not so_far.made:
        return "no replication was made"
    so_far.stopped = Stopped.BROKEN_OFF
    _write(so_far, loaded, request, directory)
    return f"the {len(so_far.made)} replications made before that are kept in {directory.path}"


def _rare_events(scenario: Scenario, request: Request) -> list[Event]:
    """The rare events that are asked for. Raises UsageError."""
    if not request.for_rare_events:
        return []
    if request.dask:
        raise UsageError(
            "--rare and --dask exclude each other: rare events are looked for on this machine (use --jobs)"
        )
    return events_of(scenario, request.rare_events, all_aborts=request.rare)


def _rare(
    so_far: _Progress, loaded: Loaded, request: Request, events: Sequence[Event], interrupted: Interruption
) -> list[RareEvent]:
    rare = find(
        loaded.scenario,
        events,
        so_far.made,
        effort=request.effort,
        precision=request.precision,
        workers=request.jobs,
        interrupted=interrupted,
    )
    if interrupted():
        so_far.stopped = Stopped.INTERRUPTED
    return rare


def _write(
    so_far: _Progress,
    loaded: Loaded,
    request: Request,
    directory: RunDirectory,
    rare: list[RareEvent] | msgspec.UnsetType = msgspec.UNSET,
) -> Prediction:
    from soak.reports.pages.prediction import prediction_page
    from soak.reports.prediction import render_prediction

    prediction = msgspec.structs.replace(predict(loaded, request, so_far.made, so_far.stopped), rare=rare)
    seen = observed(loaded.scenario, so_far.made)
    rendered = {**render_prediction(prediction, seen), REPORT: prediction_page(prediction, seen)}
    write_analysis(directory, FILE, prediction, rendered)
    return prediction
