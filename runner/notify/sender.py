"""Delivery of messages: a separate thread per recipient, so that a hanging one delays no other."""

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from soak.runner.console import helper, remark


class Tone(StrEnum):
    """Type of a message; services show it as a colour or an icon."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """A message."""

    title: str
    text: str
    tone: Tone = Tone.INFO


Send = Callable[[Message], bool]
"""Sends a message; False or an exception on failure."""

AGAIN_AFTER_S = (1.0, 5.0)
"""Delays before retrying a failed message, in seconds."""

_MOST_WAITING = 1_000


@dataclass(slots=True)
class MessageCounts:
    """Messages to a recipient: sent and dropped."""

    sent: int = 0
    failed: int = 0


class Receiver:
    """Sends messages one after the other. `name`: the recipient, without secrets."""

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self.count = MessageCounts()
        self._send = send
        self._waiting: queue.Queue[Message | None] = queue.Queue(_MOST_WAITING)
        self._thread = helper(self._work, f"notify {name}")
        self._thread.start()

    def tell(self, message: Message) -> None:
        """Queue a message; never blocks."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self.count.failed += 1

    def close(self, until: float) -> None:
        """Wait for messages in flight, up to a time of the monotonic clock; those left then count as failed."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            pass
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            left = sum(message is not None for message in list(self._waiting.queue)) + 1
            self.count.failed += left
            remark(f"notify {self.name}: dropped {left} messages that were still in flight")

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
                # Its message may contain the URL, and so a secret.
                continue
        return False


def apprise_sender(name: str, url: str) -> Send:
    """Sends through Apprise. Raises ValueError for an unknown URL; the message does not contain it."""
    import apprise

    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    service = apprise.Apprise()
    if not service.add(url):
        raise ValueError(f"notify: {name} is not a URL supported by Apprise (such as slack://…, mailto://…, json://…)")

    def send(message: Message) -> bool:
        # One by one: the process would wait at exit for the thread pool of `service.notify`, even if a service hangs.
        kind = getattr(apprise.NotifyType, message.tone.name)
        sent = [bool(each.notify(title=message.title, body=message.text, notify_type=kind)) for each in service]
        return all(sent)

    return send
