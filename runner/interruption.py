"""Ctrl-C and its like: the first one asks to stop and keep what there is, the second one stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of a command that was asked to stop."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Those that ask to stop, as far as this machine knows them."""


class Interruption:
    """Whether someone asked the run to stop: the first SIGINT, SIGTERM or SIGHUP asks, a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """Whether someone asked."""
        return self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals meanwhile. They reach the main thread only: what goes on in another one is not asked."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        _listening.append(self)
        try:
            yield
        finally:
            _listening.remove(self)
            for number, handler in before.items():
                signal.signal(number, handler)


_listening: list[Interruption] = []
"""Those that handle signals now, the innermost last."""


class AskedToStopError(KeyboardInterrupt):
    """Someone asked to stop while nothing had begun yet: the run ends, and what there is of it is kept."""


def stop_if_asked() -> None:
    """For waiting that comes before a run, where nothing else looks. Raises AskedToStopError, in the main thread only."""
    if _listening and _listening[-1].asked and threading.current_thread() is threading.main_thread():
        raise AskedToStopError


@contextmanager
def listening() -> Iterator[Interruption]:
    """An interruption that handles signals meanwhile."""
    interruption = Interruption()
    with interruption.listening():
        yield interruption
