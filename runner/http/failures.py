"""Requests without an answer: what went wrong, as one of the errors of requests, whatever library was asked to send them."""

import errno
import socket
import ssl

from soak.schemas.errors import reason, shortened
from soak.schemas.language.http import RequestError

_TIMEOUTS = frozenset({errno.ETIMEDOUT})


class SendError(Exception):
    """A request that has no answer: its error, and the reason in words, without any value that was sent."""

    def __init__(self, word: RequestError, detail: str) -> None:
        self.word, self.detail = word, detail
        super().__init__(f"{word.value}: {detail}")


def send_error(error: BaseException) -> SendError:
    """Any error of a client library as a SendError."""
    return error if isinstance(error, SendError) else SendError(word_of(error), detail_of(error))


def word_of(error: BaseException) -> RequestError:
    """`timeout`, `connection_error` or what a SendError says; by the error and by what caused it."""
    for each in _causes(error):
        if isinstance(each, SendError):
            return each.word
        # Clients and gevent have timeouts of their own, which are no TimeoutError.
        if isinstance(each, TimeoutError) or "timeout" in type(each).__name__.lower():
            return RequestError.TIMEOUT
        if isinstance(each, OSError) and each.errno in _TIMEOUTS:
            return RequestError.TIMEOUT
    return RequestError.CONNECTION_ERROR


def detail_of(error: BaseException) -> str:
    """The reason in a few words."""
    for each in _causes(error):
        if isinstance(each, SendError):
            return each.detail
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {shortened(each.verify_message)}"
        if isinstance(each, ssl.SSLError):
            return f"no TLS connection: {shortened(getattr(each, 'reason', None) or type(each).__name__)}"
        if isinstance(each, socket.gaierror):
            return "its host name cannot be resolved"
        if isinstance(each, OSError) and each.errno:
            return reason(each)
    if word_of(error) is RequestError.TIMEOUT:
        return "no answer in time"
    return type(error).__name__


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it wraps, and what caused it."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 10:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or each in found:
            continue
        found.append(each)
        waiting += [*each.args, each.__cause__, each.__context__]
    return found
