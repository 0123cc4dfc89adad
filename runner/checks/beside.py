"""Checks beside the events of a target: their events go into its blocks, and the teardown is done however the run ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from soak.runner.console import remark
from soak.runner.judge.judge import Judge
from soak.schemas.errors import SoakError
from soak.schemas.stream.block import Block, merge, tick

if TYPE_CHECKING:
    from soak.runner.checks.checking import RunChecks

MakeChecks: TypeAlias = "Callable[[Judge], RunChecks | None]"


def no_checks(judge: Judge) -> "RunChecks | None":
    """Of a run without any."""
    return None


def with_events(block: Block, checks: "RunChecks | None") -> Block:
    """A block of the target with what checks found meanwhile."""
    found = checks.events(block.until_s) if checks else None
    return block if found is None else merge([block, found])


@contextmanager
def closed_after(checks: "RunChecks | None", judge: Judge, keep: Callable[[Block], None]) -> Iterator[None]:
    """Close the checks at the end, however it comes; `keep`: judges a block and keeps it.

    Who stops the run at once, by a second Ctrl-C, stops the teardown as well.
    """
    if checks is None:
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        checks.stop()
        remark("warning: the teardown was not done (`soak resume` does it)")
        raise
    except BaseException:
        checks.close()
        with suppress(SoakError):
            _keep_rest(checks, judge, keep)
        raise
    checks.close()
    _keep_rest(checks, judge, keep)


def _keep_rest(checks: "RunChecks", judge: Judge, keep: Callable[[Block], None]) -> None:
    if (rest := checks.rest(tick(judge.until_s))) is not None:
        keep(rest)
