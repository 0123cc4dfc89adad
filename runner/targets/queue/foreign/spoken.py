"""A process that submits: it lives and is asked by JSON lines on standard input and output (docs/protocol.md).

Questions are answered in any order, or never: after `timeout_s` nobody waits for an answer. A process that has ended, or hangs,
is started again. Nothing here waits but `wait_until_ready`.
"""

import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from soak.runner.interruption import stop_if_asked
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.queue.foreign import messages
from soak.runner.targets.queue.foreign.messages import Counted, Ready, Submitted, WrongMessageError
from soak.runner.targets.queue.foreign.spoken_child import Later, SpokenChild, Start
from soak.schemas.errors import SoakError

TIMEOUT_S = 30.0
_FIRST_S, _LONGEST_S = 0.1, 10.0
"""How long after its end a process is started again: twice as long each time, until it has lived for the longest."""

_LOOK_S = 0.1
"""How often it is looked whether someone asked to stop."""

_MOST_WORDS = 100
_NOT_ASKED = "which nobody waits for (answer each question once)"


class Callbacks(Struct, frozen=True):
    """What is called. submitted: n, answer (accepted, refused, busy, unknown), why. counted: n, counts or None, why.

    wrong: what the process did wrong, in words. ended: that it has ended, in words; it is started again.
    """

    submitted: Callable[[int, str, str], None]
    counted: Callable[[int, Mapping[str, int] | None, str], None]
    wrong: Callable[[str], None]
    ended: Callable[[str], None]


@dataclass(slots=True, eq=False)
class _Question:
    op: str
    n: int
    line: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> tuple[str, int]:
        return self.op, self.n


class SpokenProcess:
    """Keeps a process alive and asks it. Start it inside `offspring_ended`, close it at the end.

    name: for messages. later: for timeouts and starts.
    """

    def __init__(
        self,
        name: str,
        start: Start,
        selector: selectors.BaseSelector,
        later: Later,
        callbacks: Callbacks,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name = name
        self.takes_census = False
        """Whether it has said that it answers a census."""
        self.mistakes = 0
        """Of the process, so far."""
        self._start, self._selector, self._later, self._callbacks = start, selector, later, callbacks
        self._timeout_s = timeout_s
        self._asked: dict[tuple[str, int], _Question] = {}
        self._child: SpokenChild | None = None
        self._ready = self._closed = False
        self._started_at = self._heard_at = 0.0
        self._again_s = _FIRST_S
        self._why = ""
        """What became of it last."""

    def start(self) -> None:
        """Start it. Raises StartError and OutputError."""
        self._ready = False
        self._started_at = self._heard_at = time.monotonic()
        self._child = child = SpokenChild(self._start, self._selector, self._hear, self._over, self._later)
        self._later(self._timeout_s, lambda: self._is_late_to_start(child))

    def wait_until_ready(self, within_s: float) -> None:
        """Handle the events of the selector until it is ready. Raises StartError if it is not in time, or ends before."""
        until, child = time.monotonic() + within_s, self._child
        while not self._ready:
            if self._child is not child or child is None:
                raise StartError(f"{self.name}: {self._why} before it was ready (see {self._start.log})")
            if (wait_s := until - time.monotonic()) <= 0:
                last = child.last_line()
                raise StartError(
                    f"{self.name}: said nothing for {within_s:g} s{f': {last}' if last else ''}"
                    ' (its first line of output is to be {"op": "ready", "version": 1})'
                )
            for key, _ in self._selector.select(min(wait_s, _LOOK_S)):
                key.data()
            stop_if_asked()

    @property
    def ready(self) -> bool:
        """Whether it can be asked now."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return self._child.id.pid if self._child else None

    def submit(self, n: int, key: str, payload: str) -> None:
        """Ask it to submit a task; `n` ties the answer to it. Without a process it is busy."""
        self._ask("submit", n, key=key, payload=payload)

    def census(self, n: int) -> None:
        """Ask it for a census."""
        self._ask("census", n)

    def close(self) -> None:
        """End the process and all that it has started; nothing is called any more."""
        self._closed = True
        if self._child:
            self._child.close()
            self._child = None

    # Questions.

    def _ask(self, op: str, n: int, **fields: str) -> None:
        question = _Question(op, n, messages.encoded(op=op, n=n, **fields))
        self._asked[question.key] = question
        if self._child is None:
            # Not at once: the answer must not come before the question has been noted.
            self._later(0.0, lambda: self._give_up(question, "busy", f"{self.name} {self._why}"))
            return
        if self._ready:
            self._child.send(question.key, question.line)
        self._later(self._timeout_s, lambda: self._is_late(question))

    def _is_late(self, question: _Question) -> None:
        if self._asked.get(question.key) is not question:
            return
        sent = bool(self._ready and self._child and not self._child.withdraw(question.key))
        why = f"{self.name} has not answered after {self._timeout_s:g} s"
        hangs = self._child and self._heard_at <= question.at
        self._give_up(question, "unknown" if sent else "busy", why)
        if hangs and self._child:
            self._child.kill(f"said nothing for {self._timeout_s:g} s and was ended")

    def _give_up(self, question: _Question, answer: str, why: str) -> None:
        if self._asked.get(question.key) is not question or self._closed:
            return
        del self._asked[question.key]
        if question.op == "submit":
            self._callbacks.submitted(question.n, answer, why)
        else:
            self._callbacks.counted(question.n, None, why)

    # Answers.

    def _hear(self, line: bytes) -> None:
        self._heard_at = time.monotonic()
        try:
            message = messages.of_submitter(line)
            self._take(message)
        except WrongMessageError as error:
            self._mistake(str(error))

    def _take(self, message: messages.FromSubmitter) -> None:
        if isinstance(message, Ready):
            self._greet(message)
        elif isinstance(message, Submitted):
            self._answered(("submit", message.n))
            self._callbacks.submitted(message.n, message.answer, message.why)
        elif isinstance(message, Counted):
            self._answered(("census", message.n))
            self._callbacks.counted(message.n, messages.counts_of(message), message.why)
        else:
            raise WrongMessageError(f"an answer to {message.__struct_config__.tag} {message.n}, {_NOT_ASKED}")

    def _answered(self, key: tuple[str, int]) -> None:
        if self._asked.pop(key, None) is None:
            raise WrongMessageError(f"an answer to {key[0]} {key[1]}, {_NOT_ASKED}")

    def _greet(self, ready: Ready) -> None:
        assert self._child
        if self._ready:
            raise WrongMessageError("ready was said again (say it once, first)")
        if why := messages.refuses_version(ready.version):
            self._child.kill(f"was refused: {why}")
            return
        self._ready, self.takes_census = True, ready.census
        for each in self._asked.values():
            self._child.send(each.key, each.line)

    def _mistake(self, words: str) -> None:
        self.mistakes += 1
        if self.mistakes <= _MOST_WORDS:
            self._callbacks.wrong(f"{self.name}: {words}")
        elif self.mistakes == _MOST_WORDS + 1:
            self._callbacks.wrong(f"{self.name} made more than {_MOST_WORDS} mistakes: further ones are only counted")

    # Its life.

    def _is_late_to_start(self, child: SpokenChild) -> None:
        if self._child is child and not self._ready:
            child.kill(f"was not ready after {self._timeout_s:g} s and was ended")

    def _over(self, why: str) -> None:
        """It has ended: nobody knows what became of what it was sent."""
        child, self._child, was_ready = self._child, None, self._ready
        self._ready, self._why = False, why
        for each in list(self._asked.values()):
            sent = was_ready and child is not None and not child.withdraw(each.key)
            self._give_up(each, "unknown" if sent else "busy", f"{self.name} {why}")
        if self._closed:
            return
        if time.monotonic() - self._started_at > _LONGEST_S:
            self._again_s = _FIRST_S
        self._callbacks.ended(f"{self.name} {why}")
        self._later(self._again_s, self._start_again)
        self._again_s = min(_LONGEST_S, 2 * self._again_s)

    def _start_again(self) -> None:
        if self._closed or self._child:
            return
        try:
            self.start()
        except SoakError as error:
            self._over(f"could not be started again: {error}")
