"""The contract of a queue as checks that anyone can run against a class: each has a queue of its own and is over soon.

`soak target check` prints them; a test suite calls `check_queue`.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from runner.targets.contract import Queue
from runner.targets.pulled import promises, promises_in_time
from runner.targets.pulled.bench import Bench, Check, SkippedError, constructor
from runner.targets.pulled.caller import PATIENCE_S, Caller, SlowError
from schemas.errors import SoakError, UsageError

CHECKS: tuple[Check, ...] = (*promises.CHECKS, *promises_in_time.CHECKS)
"""All of them, in the order in which they are run."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a check came out: `status` is ok, failed or skipped, `detail` what was expected and what came, or why."""

    name: str
    status: str
    detail: str = ""


def check_queue(kind: type[Queue], *, patience_s: float = PATIENCE_S, only: str = "") -> Iterator[Result]:
    """Run every check whose name contains `only`; the first call that hangs is the last one.

    Raises UsageError when the class cannot be constructed.
    """
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as top:
        numbers = count()

        def directory() -> Path:
            path = Path(top) / str(next(numbers))
            path.mkdir()
            return path

        for check in CHECKS:
            if only not in check.name:
                continue
            try:
                yield _run(check, partial(constructor, kind, directory, check.lease_s, patience_s), patience_s)
            except SlowError as error:
                yield Result(check.name, "failed", f"{error}; the checks after it were not run")
                return


def _run(check: Check, make: Callable[[], Caller], patience_s: float) -> Result:
    bench = Bench(make, patience_s)
    try:
        try:
            check.run(bench)
        finally:
            bench.queue.close()
    except (SlowError, UsageError):
        raise
    except SkippedError as why:
        return Result(check.name, "skipped", str(why))
    except SoakError as error:
        return Result(check.name, "failed", str(error))
    return Result(check.name, "ok")
