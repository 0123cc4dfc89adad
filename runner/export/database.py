"""The interface of a time series database, and its errors."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol, TypeVar

from soak.runner.export.metrics import MetricSnapshot
from soak.schemas.errors import reason

MOST_AT_ONCE = 100
"""How many snapshots a database is sent together, at most."""

CREDENTIALS = "user name or password"
_REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class ExportError(Exception):
    """An export failed: the reason, without any data sent or received, which may contain a secret.

    `refused`: because of its content, so that retrying is pointless. `final`: a part of it was taken, and nothing of it may be
    sent again. `lasting`: somebody has to change something there, which may happen during a run.
    """

    def __init__(self, why: str, *, refused: bool = False, final: bool = False, lasting: bool = False) -> None:
        super().__init__(why)
        self.refused, self.final, self.lasting = refused, final, lasting

    @classmethod
    def of_status(cls, status: int, credentials: str = CREDENTIALS) -> "ExportError":
        """From the status of an answer; `credentials`: by which it was asked."""
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return cls(f"it refused the {credentials} (status {status})", lasting=True)
        return cls(f"it answered with status {status}", refused=status in _REFUSED)

    @classmethod
    def of(cls, error: object) -> "ExportError":
        """From the error of a connection."""
        if isinstance(error, TimeoutError) and not error.strerror:
            return cls("it did not answer in time")
        if isinstance(error, OSError) and error.strerror:
            return cls(reason(error))
        return cls(f"the connection failed ({type(error).__name__})")


T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_contra]):
    """Something that accepts items of one kind: snapshots, or what happened in a run."""

    @property
    def keeps_history(self) -> bool:
        """Whether it accepts older items; otherwise only the latest is sent."""

    @property
    def most_at_once(self) -> int:
        """How many items it is sent together."""

    def send(self, items: Sequence[T_contra], /) -> None:
        """Send items, oldest first. Raises ExportError."""


Database = Receiver[MetricSnapshot]
"""A database that accepts snapshots."""
