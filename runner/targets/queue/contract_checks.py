"""The contract as a test suite for any class: each check uses a new object and is short.

`soak target check` prints them; a test suite calls `check_class`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from soak.runner.linux import refuse_elsewhere
from soak.runner.targets.caller import PATIENCE_S, SlowError
from soak.runner.targets.locate import Attached, declared_promises, owns_workers
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.queue.checks import Check, SkippedError
from soak.schemas.errors import SoakError, UsageError


class Result(Struct, frozen=True):
    """Result of a check: `status` is ok, failed or skipped; `detail`: expected and actual, or the reason."""

    name: str
    status: str
    detail: str = ""


class _Harness(Protocol):
    def close(self) -> None: ...


def suite(kind: Attached) -> tuple[Sequence[Check[Any]], Callable[..., _Harness]]:
    """The checks for a class in the order in which they are run, and the harness to construct."""
    if owns_workers(kind):
        from soak.runner.targets.queue.system_adapter import promises as of_systems
        from soak.runner.targets.queue.system_adapter.harness import ContractHarness as SystemHarness

        return of_systems.CHECKS, SystemHarness
    from soak.runner.targets.queue.queue_adapter import promises, promises_in_time
    from soak.runner.targets.queue.queue_adapter.harness import ContractHarness

    return (*promises.CHECKS, *promises_in_time.CHECKS), ContractHarness


def check_class(kind: Attached, *, patience_s: float = PATIENCE_S, only: str = "") -> Iterator[Result]:
    """Run every check whose name contains `only`; the first call that hangs is the last one.

    Raises UsageError if the class cannot be constructed, and where this is not Linux.
    """
    refuse_elsewhere("checking a class")
    checks, harness = suite(kind)
    promised = declared_promises(kind.__name__, kind)
    with (
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as top,
        offspring_ended(kind.__name__),
    ):
        numbers = count()

        def directory() -> Path:
            path = Path(top) / str(next(numbers))
            path.mkdir()
            return path

        for check in checks:
            if only not in check.name:
                continue
            if lacking := [each.value for each in check.needs if promised is not None and each not in promised]:
                yield Result(check.name, "skipped", f"not applicable: not promised: {', '.join(lacking)}")
                continue
            try:
                yield _run(check, harness(kind, directory, check.lease_s, patience_s))
            except SlowError as error:
                yield Result(check.name, "failed", f"{error}; the checks after it were not run")
                return


def _run(check: Check[Any], harness: _Harness) -> Result:
    try:
        try:
            check.run(harness)
        finally:
            harness.close()
    except (SlowError, UsageError):
        raise
    except SkippedError as why:
        return Result(check.name, "skipped", str(why))
    except SoakError as error:
        return Result(check.name, "failed", str(error))
    return Result(check.name, "ok")
