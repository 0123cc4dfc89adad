"""One thread with an event loop, in which all waiting for others takes place: probes, requests, messages of processes."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_STARTS_WITHIN_S = 10.0


class Background:
    """A loop in a thread of its own, until `close`. Nothing that is submitted may block it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._owned: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="soak-background", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start something; its result is in the future, which has no timeout of its own."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """The result of something, waiting for at most so long. Raises TimeoutError."""
        future = self.submit(work)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise

    def listen(self, descriptor: int, action: Callable[[], None], *, owned: bool = False) -> None:
        """Call `action` in the thread of the loop whenever there is something to read, until `ignore`.

        owned: the descriptor is closed with this, or by `forget`.
        """
        if owned:
            self._owned.add(descriptor)
        self._loop.call_soon_threadsafe(self._loop.add_reader, descriptor, action)

    def forget(self, descriptor: int) -> None:
        """From the thread of the loop: listen no more, and close a descriptor that is owned."""
        self._owned.discard(descriptor)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def ignore(self, descriptor: int) -> None:
        """End `listen`; nothing is called for the descriptor when this returns."""
        if not self._loop.is_closed():
            self.run(self._ignore(descriptor), _STARTS_WITHIN_S)

    async def _ignore(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)

    def close(self) -> None:
        """Cancel all that goes on, and end the thread."""
        if self._thread.is_alive():
            self.run(self._cancel_all(), _STARTS_WITHIN_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STARTS_WITHIN_S)

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for descriptor in [*self._owned]:
            self.forget(descriptor)
        await self._loop.shutdown_default_executor()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def __enter__(self) -> "Background":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
