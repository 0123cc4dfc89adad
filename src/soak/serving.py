"""The loop of a process that submits: questions on standard input, answers on standard output (`soak.kit.serve`)."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from soak.kit import VERSION, Busy

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_WORDS = 1000
_MOST_CHANGES = 100
"""In one line."""


class Functions(NamedTuple):
    """What a program answers with; see `soak.kit.serve`."""

    submit: Callable[[str, str], Any]
    census: Callable[[], Any] | None = None
    changes: Callable[[], Any] | None = None
    processes: Callable[[], Any] | None = None
    stop: Callable[[], Any] | None = None


def serve(functions: Functions, threads: int = 1) -> None:
    """See `soak.kit.serve`."""
    submitter = _Submitter(functions)

    def answer(question: dict[str, Any]) -> None:
        try:
            submitter.answer(question, submitter.ask(question))
        except Exception as error:
            submitter.fail(question, error)

    with closing(submitter), ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin.buffer:
            pool.submit(answer, json.loads(line))


async def serve_async(functions: Functions) -> None:
    """See `soak.kit.serve_async`."""
    submitter = _Submitter(functions)

    async def answer(question: dict[str, Any]) -> None:
        try:
            asked = submitter.ask(question)
            submitter.answer(question, await asked if inspect.isawaitable(asked) else asked)
        except Exception as error:
            submitter.fail(question, error)

    loop, running = asyncio.get_running_loop(), set()
    with closing(submitter):
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            task = asyncio.ensure_future(answer(json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)


class _Submitter:
    """Asks the functions of a program, and answers the runner on what was standard output."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._untold: list[dict[str, Any]] = []
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        says = {"account": True} if functions.changes else {}
        self._say(op="ready", version=VERSION, census=functions.census is not None, **says)

    def ask(self, question: dict[str, Any]) -> Any:
        """What the program answers: of coroutines, what is to be awaited."""
        op = question["op"]
        if op == "submit":
            return self._functions.submit(question["key"], question["payload"])
        if op == "changes" and self._untold:
            return []
        if op in Functions._fields and (ask := getattr(self._functions, op)):
            return ask()
        if op in _NOTHING:
            return _NOTHING[op]
        raise NotImplementedError(f"this program does not answer {op}")

    def answer(self, question: dict[str, Any], answer: Any) -> None:
        """Say what came of a question."""
        op, n = question["op"], question["n"]
        if op == "submit":
            task = {} if answer is None or isinstance(answer, bool) else {"task": answer}
            self._say(op="submitted", n=n, answer="refused" if answer is False else "accepted", **task)
        elif op == "changes":
            self._untold += answer
            now, self._untold = self._untold[:_MOST_CHANGES], self._untold[_MOST_CHANGES:]
            self._say(op=op, n=n, changes=now, **({"more": True} if self._untold else {}))
        elif op == "stop":
            self._say(op="stopped", n=n)
        else:
            self._say(op=op, n=n, **{"counts" if op == "census" else op: answer})

    def fail(self, question: dict[str, Any], error: Exception) -> None:
        """Say that nothing came of a question."""
        why = f"{type(error).__name__}: {error}"[:_MOST_WORDS]
        if question["op"] == "submit":
            answer = "busy" if isinstance(error, Busy) else "unknown"
            self._say(op="submitted", n=question["n"], answer=answer, why=why)
        else:
            self._say(op=question["op"], n=question["n"], why=why)

    def close(self) -> None:
        """Nothing is said any more."""
        with suppress(BrokenPipeError):
            self._out.close()

    def _say(self, **message: object) -> None:
        with self._lock, suppress(BrokenPipeError):
            self._out.write(json.dumps(message).encode() + b"\n")
            self._out.flush()


_NOTHING: dict[str, Any] = {"processes": {}, "stop": None}
"""What a program answers that has no function for it."""
