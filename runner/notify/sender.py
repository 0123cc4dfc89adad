"""Messages in flight: each receiver has a thread of its own, so that one that hangs delays no other."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from soak.runner.console import remark


class Tone(StrEnum):
    """How good or bad a message is; services show it as a colour or an icon."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """A notification."""

    title: str
    text: str
    tone: Tone = Tone.INFO


Send = Callable[[Message], bool]
"""Sends a message; False or an exception when that failed."""

AGAIN_AFTER_S = (1.0, 5.0)
"""A message that could not be sent is sent again, so much later."""

_MOST_WAITING = 1_000


@dataclass(slots=True)
class MessageCounts:
    """How many messages of a receiver were sent, and how many were given up."""

    sent: int = 0
    failed: int = 0


class Receiver:
    """Sends what it is given, one after the other. `name` says who, without any secret."""

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self.count = MessageCounts()
        self._send = send
        self._waiting: queue.Queue[Message | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name=f"notify {name}", daemon=True)
        self._thread.start()

    def tell(self, message: Message) -> None:
        """Queue a message; never waits."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self.count.failed += 1

    def close(self, until: float) -> None:
        """Wait for messages in flight, up to a time of the monotonic clock; what is left then counts as failed."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            pass
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            left = sum(message is not None for message in list(self._waiting.queue)) + 1
            self.count.failed += left
            remark(f"notify {self.name}: gave up {left} messages that were still in flight")

    def _work(self) -> None:
        while message := self._waiting.get():
            if self._try(message):
                self.count.sent += 1
            else:
                self.count.failed += 1
                remark(f"notify {self.name}: a message could not be sent (the run continues)")

    def _try(self, message: Message) -> bool:
        for wait_s in (0.0, *AGAIN_AFTER_S):
            time.sleep(wait_s)
            try:
                if self._send(message):
                    return True
            except Exception:
                # What it says may hold the URL, and so a secret.
                continue
        return False


def apprise_sender(name: str, url: str) -> Send:
    """Sends through Apprise. Raises ValueError for a URL that it does not know; the message does not hold it."""
    import apprise

    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    service = apprise.Apprise()
    if not service.add(url):
        raise ValueError(f"notify: {name} holds no URL that Apprise knows (such as slack://…, mailto://…, json://…)")

    def send(message: Message) -> bool:
        # Each by itself: the pool of threads of `service.notify` is waited for at the end of the process, also when a
        # service hangs.
        kind = getattr(apprise.NotifyType, message.tone.name)
        sent = [bool(each.notify(title=message.title, body=message.text, notify_type=kind)) for each in service]
        return all(sent)

    return send
