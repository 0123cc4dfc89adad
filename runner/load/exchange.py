"""What load generation and the rules of HTTP requests say to each other. Nothing here knows gevent, Locust or templates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias


class Error(StrEnum):
    """Why a request was not a success."""

    WRONG_ANSWER = "wrong_answer"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION_ERROR = "connection_error"
    TOO_LARGE = "too_large"
    REFUSED_REDIRECT = "refused_redirect"
    NO_LOGIN = "no_login"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send. url: whole, of a host that may be contacted."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. status: 0 where nothing did, and `error` says why. headers: by their names in lower case.

    took_s: real seconds from sending to the end of the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float
    error: Error | None = None


Send: TypeAlias = Callable[[Request], Answer]
"""Sends one request as it is, and follows nothing; an answer always comes back, within the scenario's timeout."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be asked: the number of the task, its tenant and kind (either may be empty), and its user (-1: an arrival)."""

    number: int
    tenant: str
    kind: str
    user: int = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: status and size of the answer, and why it was not a success (None: it was)."""

    status: int
    size: int
    error: Error | None = None


class Exchanges(Protocol):
    """Turns tasks into requests, and answers into outcomes."""

    def perform(self, task: Task, send: Send) -> Outcome:
        """Carry out a task: log in where it must, send its request, follow redirects where allowed, and look at the answer.

        Called in many greenlets: what it waits for in `send` it must not hold a thread's lock for.
        """
