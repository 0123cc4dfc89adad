"""Delivery of messages: a separate thread per recipient, so that a hanging one delays no other."""

import logging
import queue
import time
from dataclasses import dataclass
from typing import Any, cast

from soak.runner.console import helper, remark
from soak.runner.notify.mail import PICTURE, html_of
from soak.runner.notify.message import Message, Send
from soak.runner.notify.slack import is_webhook, slack_sender

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
        sent = [bool(each.notify(notify_type=kind, **_written(message, each))) for each in service]
        return all(sent)

    return send


def _written(message: Message, service: Any) -> dict[str, Any]:
    """What a service is sent: HTML with the picture by mail, where it can; text otherwise."""
    import apprise

    if message.digest is None or type(service).__name__ != "NotifyEmail":
        return {"title": message.title, "body": message.text}
    attached = _attached(message.digest.picture)
    with_picture = attached is not None and hasattr(service, "inline")
    if with_picture:
        service.inline = True
    body = html_of(message.digest, message.tone, with_picture=with_picture)
    return {"title": message.title, "body": body, "body_format": apprise.NotifyFormat.HTML, "attach": attached}


def _attached(picture: bytes | None) -> Any:
    """A picture as Apprise takes it; None without one, and with releases of it that attach files only."""
    try:
        from apprise import AppriseAttachment
        from apprise.attachment import memory
    except ImportError:
        return None
    if picture is None:
        return None
    attached, module = AppriseAttachment(), cast(Any, memory)
    attached.add(module.AttachMemory(content=picture, name=PICTURE, mimetype="image/png"))
    return attached


def sender_to(name: str, url: str) -> Send:
    """Sends to whatever a URL names. Raises ValueError for an unknown one; the message does not contain it."""
    return slack_sender(url) if is_webhook(url) else apprise_sender(name, url)
