"""An attached system as a target."""

import selectors
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from soak.contract import Accepted, BusyError, Refused, System
from soak.runner.console import remark
from soak.runner.targets.caller import PATIENCE_S, ContractError
from soak.runner.targets.history import History
from soak.runner.targets.locate import declared_promises, declared_redelivery
from soak.runner.targets.queue.kinds import TO_TAKE, declared, refuse_kinds
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.refusals import NO_FILES, refuse_early_acknowledgement, refuse_fleet, refuse_services
from soak.runner.targets.queue.system_adapter.caller import PROCESSES, SystemCaller, can
from soak.runner.targets.refusals import refuse_faults, refuse_system
from soak.runner.targets.sockets import socket_directory
from soak.runner.targets.submitter import Submission, refused
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import COPY, worker_name
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.queue.system_adapter.body_server import BodyServer

_INSIDE: dict[str, str] = {
    **NO_FILES,
    QueueFault.DISPATCHER_CRASH: "the runner does not know its processes",
    QueueFault.WATCHDOG_CRASH: "the runner does not know its processes",
    QueueFault.WORKER_RESTART: "the contract has no way to ask a worker to stop after its attempt",
    QueueFault.ROLLING_RESTART: "the contract has no way to ask a worker to stop after its attempt",
    QueueFault.WORKER_TERM: "the contract has no way to ask a worker to stop",
}
_PROCESSES: dict[str, str] = {
    QueueFault.WORKER_CRASH: "it has no method processes(), so nothing can be killed",
    QueueFault.WORKER_KILL: "it has no method processes(), so nothing can be killed",
    QueueFault.WORKER_HANG: "it has no method processes(), so nothing can be stopped",
}


class SystemAdapter:
    """Drives a system with a plan, `speed` times as fast as the scenario says. `name`: as given by the user."""

    clock = "real"

    def __init__(self, name: str, kind: type[System], speed: float = 1.0, patience_s: float | None = None) -> None:
        self.name = name
        self.speed = speed
        self._kind = kind
        self.patience_s = patience_s
        """Timeout of a call in real seconds, if not PATIENCE_S."""
        self.redelivery_s = declared_redelivery(name, kind)
        """Declared maximum redelivery time in real seconds; None if not declared."""
        self.level: int | None = None
        self.promises = declared_promises(name, kind)
        self.left_out: dict[str, str] | None = None
        self._directory = Path()

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that this target cannot run."""
        refuse_system(scenario, "queue", self.name)
        refuse_early_acknowledgement(scenario, self.name, self._kind)
        refuse_kinds(scenario, self.name, declared(self._kind), TO_TAKE)
        refuse_fleet(scenario, self.name, "it owns its workers, and the contract has no way to add or to end one")
        refuse_services(scenario, self.name)
        refuse_faults(scenario, self.name, _INSIDE if can(self._kind, PROCESSES) else {**_INSIDE, **_PROCESSES})

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep files of the system in `directory`. Raises UsageError for a run to resume."""
        if history:
            raise UsageError(f"{self.name} cannot be resumed: the present state of its tasks is unknown (run it again)")
        self._directory = directory.absolute() / "system"
        self._directory.mkdir()

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        self.admit(plan.scenario)
        with ExitStack() as stack:
            yield from self._blocks(plan, stack)

    def _bodies(self, plan: Plan, stack: ExitStack, path: Path, selector: selectors.BaseSelector) -> "BodyServer":
        """What bodies report to; all else that the system needs before it is constructed is there, too."""
        from soak.runner.targets.queue.system_adapter.body_server import BodyServer

        return BodyServer(path, selector)

    def _blocks(self, plan: Plan, stack: ExitStack) -> Generator[Block, None, None]:
        from soak.runner.targets.context import RunContext
        from soak.runner.targets.losses import put_losses
        from soak.runner.targets.offspring import offspring_ended
        from soak.runner.targets.queue.settings import system_settings
        from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
        from soak.runner.targets.queue.system_adapter.drive import drive
        from soak.runner.targets.queue.system_adapter.fleet import AttachedProcesses, make_executions
        from soak.runner.targets.queue.system_adapter.sampler import Sampler
        from soak.runner.targets.resources import Resources
        from soak.runner.targets.users_submitter import submitter_of

        enter = stack.enter_context
        enter(offspring_ended(self.name))
        sockets = Path(enter(socket_directory()))
        selector = enter(selectors.DefaultSelector())
        body_server = enter(closing(self._bodies(plan, stack, sockets / "desk", selector)))
        settings = system_settings(plan.scenario, self._directory, body_server.path, self.speed)
        system = SystemCaller(self._kind, settings, self.patience_s or PATIENCE_S)
        stack.callback(_close, system)
        context, queue = enter(closing(RunContext.begin(plan, self.speed))), queue_of(plan.scenario)
        process_control = AttachedProcesses(system, context.insist)
        workers = _workers(system, queue)
        change_reader = ChangeReader(context, system.changes, workers)

        def answered(work: Submission, answer: Accepted | Refused) -> None:
            if isinstance(answer, Refused) and not work.number & COPY:
                raise system.broke("enqueue", refused(work))
            change_reader.answered(work, answer)

        bodies = context, workers, change_reader, process_control, body_server, settings.busy_timeout_s, None
        make_executions(*bodies, system.snapshot)
        put_losses(context)
        submitter, change_reader.ended = submitter_of(context, system, answered)
        Sampler(context, system.snapshot, system.files, lambda: submitter.oldest_deferred_s).start()
        Resources(context, system.processes, self._directory).start()
        submitter.start()
        yield from drive(context, selector, system, process_control, body_server, change_reader, submitter)


def _workers(system: SystemCaller, queue: Queue) -> Workers:
    """The workers of a system: under the names that the runner would give them, unless it lists others and that matters."""
    from soak.runner.targets.context import patiently

    found = set[str]()
    if queue.fleet.varies:
        patiently(lambda: found.update(system.processes()))
    return Workers(queue, named=not queue.fleet.varies or {worker_name(n) for n in range(queue.workers)} <= found)


def _close(system: SystemCaller) -> None:
    try:
        system.close()
    except (BusyError, ContractError) as error:
        # A run of days must not lose its verdict over this, and the error would hide what ended the run.
        remark(f"{error or 'it is busy'} (at the end of the run: {system.name} was not closed)")
