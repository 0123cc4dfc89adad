"""The real target of the system `calls`: real dependencies that really fail, and a client built from libraries."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from soak.runner.extras import need
from soak.runner.targets.history import History
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.systems.calls.settings import RateLimit, Timeout, calls_of
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.calls.client import MakeChain

_LEAST_TIMEOUT_REAL_S = 0.01
_LEAST_MEMORY_BYTES = 16_000_000
_MOST_WORKERS = 1_000


class CallsTarget:
    """Drives a client and its dependencies with a plan, `speed` times as fast as the scenario says.

    `make_chain`: a client to test instead of the one built from libraries.
    """

    name = "calls"
    clock = "real"

    def __init__(self, speed: float = 1.0, make_chain: "MakeChain | None" = None) -> None:
        self.speed = speed
        self._make_chain = make_chain
        self._directory = Path()

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that it cannot run here, and for a run to resume."""
        refuse_system(scenario, "calls", self.name)
        if resumed:
            _refuse_to_go_on()
        need("calls", f"target {self.name}")
        if problems := list(self._problems(scenario)):
            raise UsageError(f"target calls cannot run this scenario: {'; '.join(problems)}")

    def _problems(self, scenario: Scenario) -> Iterator[str]:
        """What cannot be done with real processes."""
        calls = calls_of(scenario)
        for policy in calls.policy:
            if isinstance(policy, Timeout) and policy.limit_s / self.speed < _LEAST_TIMEOUT_REAL_S:
                real_ms = policy.limit_s / self.speed * 1000
                most = policy.limit_s / _LEAST_TIMEOUT_REAL_S
                what = f"at this speed a timeout lasts {real_ms:.3g} ms, which is too short to be timed exactly"
                yield f"{what} (use --speed {most:g} at most)"
            if isinstance(policy, RateLimit) and not policy.rate_per_s:
                yield "a rate limit of 0 lets nothing through (remove it, or write a rate)"
        for each in calls.dependencies:
            if each.memory_bytes is not None and each.memory_bytes < _LEAST_MEMORY_BYTES:
                yield f"the memory limit of {each.name} is below 16MB, less than the process itself may need"
            if each.capacity and each.capacity.workers > _MOST_WORKERS:
                yield f"{each.name} has {each.capacity.workers:,} workers, each a thread (at most {_MOST_WORKERS:,})"
        limits = sum(each.memory_bytes or 0 for each in calls.dependencies)
        if limits > (free := psutil.virtual_memory().available):
            yield f"its dependencies may use {limits >> 20:,} MiB, but only {free >> 20:,} MiB are free"

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep the logs of the dependencies in `directory`. Raises UsageError for a run to resume."""
        if history:
            _refuse_to_go_on()
        self._directory = directory / "system"
        self._directory.mkdir()

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.calls.drive import Drive
        from soak.runner.targets.calls.policies import Policies

        with Drive(plan, self._directory, self.speed, self._make_chain or Policies) as drive:
            yield from drive.blocks()


def _refuse_to_go_on() -> None:
    raise UsageError("a run against target calls cannot be resumed: the state of its calls is lost (run it again)")
