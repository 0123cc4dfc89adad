"""Building blocks of contract checks: settings that keep them short, and assertions."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from soak.contract import Snapshot
from soak.runner.targets.caller import ContractError
from soak.runner.targets.queue.settings import CommonSettings
from soak.schemas.errors import SoakError, shortened, shown
from soak.schemas.target.model import Promise

LONG_S, SHORT_S = 60.0, 0.2
"""A lease that never ends within a check, and one that does."""

BACKOFF_S = (0.1, 0.2)
MAX_ATTEMPTS = 3
HARD_TOKENS = 2_000
LOOK_EVERY_S = 0.005
CLOCK_S = 0.001
"""Allowed difference of clocks."""

B = TypeVar("B")


class UnmetError(ContractError):
    """A check failed."""

    def __init__(self, expected: str, came: object) -> None:
        self.expected, self.came = expected, shortened(came) if isinstance(came, str) else shown(came)
        super().__init__(f"expected {self.expected}, got {self.came}")


class SkippedError(SoakError):
    """A check that does not apply, and why."""


def settings_for_checks(directory: Path, lease_s: float, workers: int) -> CommonSettings:
    """Settings that keep a check short."""
    return CommonSettings(
        directory=directory.absolute(),
        lease_s=lease_s,
        heartbeat_s=lease_s / 4,
        backoff_s=BACKOFF_S,
        max_attempts=MAX_ATTEMPTS,
        soft_tokens=1_000,
        hard_tokens=HARD_TOKENS,
        kinds={},
        queues={},
        rates={},
        workers=workers,
        speed=1.0,
        jitter=0.0,
        decorrelated=False,
        backoff_max_s=max(BACKOFF_S),
        ack_early=False,
        max_deliveries=None,
    )


def expect(expected: str, came: object, *, met: bool) -> None:
    """Raises UnmetError unless `met`."""
    if not met:
        raise UnmetError(expected, came)


def expect_counts(meant: Snapshot, came: Snapshot) -> None:
    """Raises UnmetError unless the numbers of tasks by state are the same."""
    expect(_shown(meant), _shown(came), met=came == meant)


def _shown(snapshot: Snapshot) -> str:
    counts = ((getattr(snapshot, field.name), field.name) for field in fields(Snapshot) if field.compare)
    return ", ".join(f"{number} {state}" for number, state in counts if number) or "no task"


class Check(Struct, Generic[B], frozen=True):
    """One promise, its check on a harness, and the length of leases. needs: what a class must promise for it to apply."""

    name: str
    run: Callable[[B], None]
    lease_s: float
    needs: tuple[Promise, ...] = ()


class Checks(list[Check[B]]):
    """Checks in the order in which they are run."""

    def add(
        self, name: str, lease_s: float = LONG_S, *needs: Promise
    ) -> Callable[[Callable[[B], None]], Callable[[B], None]]:
        """Make a check of a function."""

        def keep(run: Callable[[B], None]) -> Callable[[B], None]:
            self.append(Check(name, run, lease_s, needs))
            return run

        return keep
