"""Processes that an attached class starts: they end with the run, and with the runner when that is killed."""

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from soak.runner.console import remark
from soak.runner.targets.caller import SlowError

_LEAST_MARK = 2**41
"""In microseconds: 25 days."""

_PATIENCE_S = 2.0
"""How long to keep ending processes that are started again and again; later ones end with this process."""

_SHOWN = 3


class _Guard(Struct, frozen=True):
    """A process that ends what carries `mark` once this one is gone; `limits` are those without a mark."""

    mark: int
    pid: int
    limits: tuple[int, int]

    def dismiss(self) -> None:
        """Nothing is left to guard."""
        import resource

        resource.setrlimit(resource.RLIMIT_RTTIME, self.limits)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


_guards: list[_Guard] = []
"""At most one: it stays while something may still be started, and is then reused."""


class Offspring(Struct, frozen=True):
    """All processes that were started in an `offspring_ended`, whatever has become of their parents."""

    _mark: int

    def alive(self) -> dict[int, str]:
        """Those that run now, with their names."""
        from soak.runner.targets import guardian

        return guardian.marked(self._mark)


@contextmanager
def offspring_ended(name: str) -> Iterator[Offspring]:
    """Every process that is started in here, by `name`, is ended at the end, even if this process is killed.

    Those started later by a hung call end with this process. Linux only.
    """
    from soak.runner.targets import guardian

    guard = _guards.pop() if _guards else _set_guard()
    over = False
    try:
        yield Offspring(guard.mark)
        over = True
    except SlowError:
        raise
    except BaseException:
        over = True
        raise
    finally:
        left = guardian.end_all(guard.mark, _PATIENCE_S)
        if left:
            remark(f"{name} left {_listed(left)}")
        if over and not left:
            guard.dismiss()
        else:
            _guards.append(guard)


def _set_guard() -> _Guard:
    """A guard, and its mark on this process."""
    import resource

    from soak.runner.targets import guardian

    limits = resource.getrlimit(resource.RLIMIT_RTTIME)
    mark = _LEAST_MARK + secrets.randbelow(_LEAST_MARK)
    words = [sys.executable, "-I", "-S", guardian.__file__, str(mark), str(os.getpid())]
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    pid = os.posix_spawn(sys.executable, words, os.environ, file_actions=nowhere, setsid=True)
    # A limit below that, which no system has by itself, leaves no room for a mark: then nothing is found by it.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, limits[1]))
    return _Guard(mark, pid, limits)


def _listed(left: dict[int, str]) -> str:
    shown = ", ".join(f"{name} {pid}" for pid, name in list(left.items())[:_SHOWN])
    more = ", …" if len(left) > _SHOWN else ""
    several = len(left) > 1
    return f"{len(left)} {'processes' if several else 'process'} behind, now ended ({shown}{more})"
