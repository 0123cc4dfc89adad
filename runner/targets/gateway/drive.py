"""One real run of a service: it is started or reached, requests are sent, all is followed, and it is stopped."""

from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

from msgspec import Struct

from soak.runner.http import Inputs
from soak.runner.interruption import stop_if_asked
from soak.runner.load.generator import Generator as Load
from soak.runner.load.options import Options
from soak.runner.load.order import make_order
from soak.runner.targets.context import RunContext
from soak.runner.targets.gateway.config import SYSTEM, values_of, write_settings
from soak.runner.targets.gateway.faults import Struck, strike_of
from soak.runner.targets.gateway.metrics import Metrics
from soak.runner.targets.gateway.reasons import Reasons
from soak.runner.targets.gateway.watch import Watch
from soak.runner.targets.losses import put_losses
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.faults import Faults
from soak.runner.targets.processes.prepared import prepare
from soak.runner.targets.processes.service import Service
from soak.runner.targets.resources import Resources
from soak.schemas.errors import SoakError, writing
from soak.schemas.language.http import Exchange
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.gateway.settings import gateway_of
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan

_LOOK_REAL_S = 0.02
_TOLD_REAL_S = 0.25
"""The clock starts so long after everything is ready: what makes load is told before it has to send."""

LOG = "load.log"


class Way(Struct, frozen=True):
    """How a run is made. file: None where nothing is started. directory: of the run. options: how load is made."""

    file: LoadedTarget | None
    directory: Path
    speed: float
    options: Options
    inputs: Inputs


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(self, plan: Plan, way: Way) -> None:
        self._plan, self._way = plan, way
        self._system = way.directory / SYSTEM
        self._stack = ExitStack()
        self._service: Service | None = None
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        enter, plan, way = self._stack.enter_context, self._plan, self._way
        with writing(self._system):
            self._system.mkdir(exist_ok=True)
        enter(offspring_ended(way.file.file.name if way.file else "the load generator"))
        self._background = enter(Background())
        self._context = RunContext.held(plan, way.speed, 0.0, 0.0)
        self._watch = Watch(plan.vocabulary)
        self._faults: Faults | None = None
        self._metrics: Metrics | None = None
        http = plan.scenario.http
        self.url = http.url if http else ""
        if way.file:
            self._start(way.file)
        order = make_order(plan, exchanges_of(plan), url=self.url, speed=way.speed, inputs=way.inputs)
        self._load = enter(Load(plan, order, way.options, self._system / LOG))
        # Workers elsewhere may take long to come, and a Ctrl-C ends the wait.
        self._load.prepare(*([stop_if_asked] if way.options.master else []))
        self._resources = Resources(self._context, self._pids, way.directory, lambda: self._load.pids)
        self._reasons = Reasons(self._system)
        if plan.checking:
            plan.checking.know({"url": self.url})
            plan.checking.quiet(self._load.close)
        self._stack.callback(self._context.close)
        # What a fault took away is back before the teardown.
        self._stack.callback(self._restore)

    def _start(self, loaded: LoadedTarget) -> None:
        enter, plan, way, context = self._stack.enter_context, self._plan, self._way, self._context
        write_settings(plan.scenario, way.speed, self._system)
        values = values_of(plan.scenario, plan.seed, way.speed, self._system.resolve())
        prepared = prepare(loaded, self._system, values)
        file, launcher = prepared.file, prepared.launcher
        self.url = file.url or self.url
        if plan.checking:
            plan.checking.know({f"port.{name}": str(port) for name, port in prepared.ports.items()})
        self._service = service = enter(closing(Service(prepared, self._background)))
        service.start()
        actions = enter(closing(Actions(self._background, launcher.environment, launcher.here)))
        struck = Struck(context, plan, file, service, actions, self._watch)
        self._faults = faults = Faults(context, lambda fault, window: strike_of(fault, window, struck))
        service.listeners.append(faults.saw)
        self._metrics = Metrics(context, self._background, file.metrics)

    def _restore(self) -> None:
        if self._faults:
            self._faults.undo()
        if self._service:
            self._service.wait_until_back()

    def _pids(self) -> dict[str, int]:
        return self._service.pids() if self._service else {}

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block at a time."""
        context = self._context
        self._go()
        put_losses(context)
        self._resources.start()
        if self._metrics:
            self._metrics.start()
        if self._faults:
            self._faults.start()
        try:
            while not context.is_over(self._is_open):
                self._go_on(context.now() + context.flush_s)
                yield self._block()
        except SoakError:
            # What was seen before it failed is evidence, too.
            yield context.journal.take(context.now())
            raise
        yield self._last_block()
        if self._service:
            self._service.stop()

    def _go(self) -> None:
        """Everything is ready: scenario time begins."""
        clock = self._context.clock
        self._context.go(after_s=_TOLD_REAL_S)
        self._load.start(clock.began_s)
        if self._service:
            self._service.begin(self._context)

    def _go_on(self, until_s: float) -> None:
        """Let it run up to a time."""
        context = self._context
        while (now_s := context.now()) < until_s:
            if self._service:
                self._service.look()
            context.agenda.run(context.now())
            wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
            self._load.read(max(0.0, min(_LOOK_REAL_S, wait_s)))

    def _block(self) -> Block:
        """What happened, as far as all that sends requests has told it."""
        self._load.read()
        until_s = min(self._load.safe_s, self._context.now())
        requests = self._load.take(until_s)
        self._watch.observe(requests)
        self._reasons.take(self._load.details())
        return merge([self._context.journal.take(until_s), requests])

    def _is_open(self) -> bool:
        """Whether something of the run is still to come: requests without an answer, faults to undo, a service that starts."""
        faults = self._faults is not None and any(self._faults.under_way)
        return self._load.is_busy or faults or (self._service is not None and self._service.is_down)

    def _last_block(self) -> Block:
        context = self._context
        requests = self._load.stop(context.now())
        until_s = requests.until_s
        self._watch.observe(requests)
        self._reasons.take(self._load.details())
        if self._metrics:
            self._metrics.take()
        census = self._census()
        for state, kind in CENSUS.items():
            context.note(until_s, kind, value=census.get(state, 0))
        return merge([requests, context.journal.take(max(until_s, context.now()))])

    def _census(self) -> dict[TaskState, int]:
        counts = self._watch.counts
        ended = counts[Kind.TASK_DONE] + counts[Kind.TASK_FAILED] + counts[Kind.TASK_CANCELLED]
        return {
            TaskState.DONE: counts[Kind.TASK_DONE],
            TaskState.FAILED: counts[Kind.TASK_FAILED],
            TaskState.CANCELLED: counts[Kind.TASK_CANCELLED],
            TaskState.IN_PROGRESS: counts[Kind.TASK_DISPATCHED] - ended,
        }


def exchanges_of(plan: Plan) -> dict[str, Exchange]:
    """What is sent and expected, by kind of work; of an empty name where there are no kinds."""
    kinds = [each.name for each in plan.scenario.workload.kinds] or [""]
    return dict(zip(kinds, gateway_of(plan.scenario).exchanges, strict=True))
