"""One real run of a task system: it is started, tasks are submitted, bodies report, all is followed, and it is stopped."""

import secrets
import selectors
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from msgspec import Struct

from soak.contract import Snapshot
from soak.runner.console import remark
from soak.runner.targets.context import RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.faketime.of_run import RunClock
from soak.runner.targets.processes.ports import free_ports
from soak.runner.targets.processes.prepared import Prepared, prepare
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.queue.foreign.census import Census
from soak.runner.targets.queue.foreign.control import Control, with_workers
from soak.runner.targets.queue.foreign.faults import faults_of, fit_to_be_struck
from soak.runner.targets.queue.foreign.hearing import heard
from soak.runner.targets.queue.foreign.informed import informed
from soak.runner.targets.queue.foreign.intake import make_intake
from soak.runner.targets.queue.foreign.kit_folder import write_kit
from soak.runner.targets.queue.foreign.ledger import Ledger
from soak.runner.targets.queue.foreign.memory import BROKER, BrokerMemory
from soak.runner.targets.queue.foreign.offers import Offers
from soak.runner.targets.queue.foreign.proxies import Proxies, wanted_proxies
from soak.runner.targets.queue.foreign.server import Server
from soak.runner.targets.queue.foreign.settings import CONFIG, settings_of, worker_count, write_settings
from soak.runner.targets.queue.foreign.strikes import Struck
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.system_adapter.sampler import Sampler
from soak.runner.targets.resources import Resources
from soak.runner.targets.sockets import socket_directory
from soak.schemas.errors import SoakError, writing
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Promises, TargetFile
from soak.schemas.target.templates import PORT, PROXY, fill
from soak.simulation.plan import Plan

SYSTEM = "system"
"""Below the run directory: the files of the system, and its logs."""

_QUIET_REAL_S = 2.0
"""For so long nothing must have run when a run ends before its time: copies of a task may wait behind the task itself."""

_LOOK_REAL_S = 0.05
"""How often it is looked whether a process has ended."""


class Way(Struct, frozen=True):
    """How a run is made. directory: of the run."""

    file: LoadedTarget
    directory: Path
    speed: float


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(self, plan: Plan, way: Way) -> None:
        self._plan, self._way = plan, way
        self._system = way.directory.absolute() / SYSTEM
        self._stack = ExitStack()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        enter, plan, way = self._stack.enter_context, self._plan, self._way
        with writing(self._system):
            self._system.mkdir(exist_ok=True)
        file = way.file.file
        enter(offspring_ended(file.name))
        self._background = enter(Background())
        self._selector = enter(selectors.DefaultSelector())
        self._context = context = RunContext.held(plan, way.speed, 0.0, 0.0)
        sockets = Path(enter(socket_directory()))
        tcp = ("127.0.0.1", 0) if file.tcp else None
        self._server = enter(
            closing(Server(self._selector, unix=sockets / "soak", tcp=tcp, token=secrets.token_hex(16)))
        )
        self._clock = enter(closing(RunClock(file, self._system, self._selector)))
        self._proxies = enter(closing(Proxies(self._background)))
        prepared = self._prepared()
        self._account = Account(context, prepared.file.promises or Promises())
        restart_s = queue_of(plan.scenario).worker_restart_s / way.speed
        self._control = enter(closing(Control(prepared, self._background, restart_s)))
        self._workers = Workers(queue_of(plan.scenario), named=False)
        for name in self._control.names():
            self._workers.number(name)
        self._ledger = Ledger(context, self._server, self._account, self._workers, self._control)
        self._offers = Offers(context, self._account)
        self._start_programs()
        intake = make_intake(
            context, self._selector, prepared, self._system, self._offers.answer, self._ledger.went_wrong
        )
        self._offers.intake = enter(closing(intake))
        intake.start()
        self._census = Census(prepared, intake, self._selector)
        self._resources = Resources(context, self._control.pids, way.directory, self._control.service_pids)
        brokers = [each.name for each in file.services if each.role == BROKER]
        self._memory = BrokerMemory(context, brokers, self._control.service_pids)
        self._faults = faults_of(self._struck(prepared))
        self._stack.callback(context.close)
        self._stack.callback(self._restore)

    def _start_programs(self) -> None:
        with heard(self._selector):
            self._control.start()
        self._clock.start({**self._control.service_pids(), **self._control.pids()})

    def _struck(self, prepared: Prepared) -> Struck:
        """What faults work on."""
        launcher = prepared.launcher
        actions = self._stack.enter_context(closing(Actions(self._background, launcher.environment, launcher.here)))
        clock = self._clock.clock
        return Struck(self._context, prepared.file, self._control, actions, self._proxies.running, clock)

    def _restore(self) -> None:
        """What a fault took away is back before the teardown."""
        self._faults.undo()
        self._control.services.wait_until_back()

    def _prepared(self) -> Prepared:
        """The target file, with everything that it starts told where soak is and what it is to do."""
        plan, way, directory = self._plan, self._way, self._system
        file = way.file.file
        config, kit = directory / CONFIG, write_kit(directory / "kit")
        count = worker_count(plan.scenario, file.workers)
        write_settings(config, settings_of(plan.scenario, plan.seed, way.speed, file.faketime or 1.0, file.workers))
        variables = {**self._server.environment, **self._clock.environment, "SOAK_CONFIG": str(config)}
        ports = free_ports(file.ports)
        values = {
            "speed": f"{way.speed / (file.faketime or 1.0):g}",
            "seed": str(plan.seed),
            "duration": f"{plan.scenario.duration_s / way.speed * (file.faketime or 1.0):g}",
            "timezone": plan.scenario.timezone,
            "config": str(config),
            "kit": str(kit),
            "workers": str(count),
            **{f"{PROXY}{name}": port for name, port in self._start_proxies(file, ports).items()},
        }
        struck = fit_to_be_struck(way.file, plan.scenario.faults)
        return prepare(with_workers(informed(struck, variables, str(kit)), count), directory, values, ports)

    def _start_proxies(self, file: TargetFile, ports: Mapping[str, int]) -> dict[str, str]:
        addresses = {each.name: fill(each.to, _texts(ports)) for each in file.proxies}
        return self._proxies.start(addresses, wanted_proxies(self._plan.scenario.faults, file))

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    # The run.

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block at a time."""
        context = self._context
        context.go()
        self._control.begin(context)
        self._clock.begin(context)
        self._control.note_workers(context)
        put_losses(context)
        Sampler(context, self._snapshot, list, lambda: self._offers.oldest_deferred_s).start()
        self._resources.start()
        self._memory.start(self._resources.interval_s)
        self._offers.start()
        self._faults.start()
        self._look()
        try:
            over = False
            while not over:
                over = self._go_on(context.now() + context.flush_s)
                if not over:
                    yield context.journal.take(context.now())
        except SoakError:
            # What was seen before it failed is evidence, too.
            yield context.journal.take(context.now())
            raise
        yield self._last_block()
        self._restore()
        self._control.stop()

    def _look(self) -> None:
        self._control.look()
        self._context.at(self._context.now() + _LOOK_REAL_S * self._context.clock.speed, self._look)

    def _go_on(self, until_s: float) -> bool:
        """Handle timers and sockets up to a time; returns whether the run is over."""
        context = self._context
        while (now_s := context.now()) < until_s:
            wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
            for key, _ in self._selector.select(max(0.0, wait_s)):
                key.data()
            context.agenda.run(context.now())
            if context.is_over(self._is_open):
                return True
        return False

    def _is_open(self) -> bool:
        """Whether something of the run is still to come."""
        faults = any(self._faults.under_way) or self._control.services.is_down
        account, context = self._account, self._context
        quiet = context.now() - account.latest_s > _QUIET_REAL_S * context.clock.speed
        return bool(account.open or account.running) or not quiet or not self._offers.over or faults

    def _snapshot(self) -> Snapshot:
        return self._account.snapshot()

    def _last_block(self) -> Block:
        context = self._context
        self._control.wake_all()
        self._server.close()
        until_s = context.now()
        if unanswered := self._offers.unanswered:
            remark(f"no census: {unanswered} submissions have not been answered, and may be counted or not")
        else:
            for state, count in self._census.settled(self._account.snapshot()).items():
                context.note(until_s, CENSUS[state], value=count)
        for words in (*self._ledger.mistakes(), *self._offers.not_accepted()):
            remark(words)
        self._clock.tell()
        return context.journal.take(until_s)


def _texts(ports: Mapping[str, int]) -> dict[str, str]:
    return {f"{PORT}{name}": str(port) for name, port in ports.items()}
