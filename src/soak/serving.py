"""The loop of a process that submits: questions on standard input, answers on standard output (`soak.kit.serve`)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from soak.kit import VERSION, Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MOST_WORDS = 1000


def serve(
    submit: Callable[[str, str], bool | None], census: Callable[[], dict[str, int]] | None = None, threads: int = 1
) -> None:
    """See `soak.kit.serve`."""
    submitter = _Submitter(submit, census)

    def answer(question: dict[str, Any]) -> None:
        try:
            submitter.answer(question, submitter.ask(question))
        except Exception as error:
            submitter.fail(question, error)

    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin.buffer:
            pool.submit(answer, json.loads(line))


async def serve_async(
    submit: Callable[[str, str], Awaitable[bool | None]], census: Callable[[], Awaitable[dict[str, int]]] | None = None
) -> None:
    """See `soak.kit.serve_async`."""
    submitter = _Submitter(submit, census)

    async def answer(question: dict[str, Any]) -> None:
        try:
            submitter.answer(question, await submitter.ask(question))
        except Exception as error:
            submitter.fail(question, error)

    loop, running = asyncio.get_running_loop(), set()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        task = asyncio.ensure_future(answer(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


class _Submitter:
    """Asks the functions of a program, and answers the runner on what was standard output."""

    def __init__(self, submit: Callable[[str, str], Any], census: Callable[[], Any] | None) -> None:
        self._submit, self._census = submit, census
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._say(op="ready", version=VERSION, census=census is not None)

    def ask(self, question: dict[str, Any]) -> Any:
        """What the program answers: of coroutines, what is to be awaited."""
        if question["op"] == "submit":
            return self._submit(question["key"], question["payload"])
        if question["op"] == "census" and self._census:
            return self._census()
        raise NotImplementedError(f"this program does not answer {question['op']}")

    def answer(self, question: dict[str, Any], answer: Any) -> None:
        """Say what came of a question."""
        if question["op"] == "submit":
            self._say(op="submitted", n=question["n"], answer="refused" if answer is False else "accepted")
        else:
            self._say(op=question["op"], n=question["n"], counts=answer)

    def fail(self, question: dict[str, Any], error: Exception) -> None:
        """Say that nothing came of a question."""
        why = f"{type(error).__name__}: {error}"[:_MOST_WORDS]
        if question["op"] == "submit":
            answer = "busy" if isinstance(error, Busy) else "unknown"
            self._say(op="submitted", n=question["n"], answer=answer, why=why)
        else:
            self._say(op=question["op"], n=question["n"], why=why)

    def _say(self, **message: object) -> None:
        with self._lock, suppress(BrokenPipeError):
            self._out.write(json.dumps(message).encode() + b"\n")
            self._out.flush()
