"""Answers of any length: read in pieces, up to a limit and a time."""

from collections.abc import Callable, Iterable

from soak.runner.http.failures import SendError
from soak.schemas import units
from soak.schemas.language.http import RequestError

PIECE = 64 * 1024
"""Bytes to read at a time."""


def read_bounded(read: Callable[[int], bytes], limit: int, is_late: Callable[[], bool] = lambda: False) -> bytes:
    """What `read(n)` gives until it gives nothing. Raises SendError: `too_large` above `limit` bytes, `timeout` once `is_late()`.

    At most `limit` + PIECE bytes are held.
    """
    return joined(iter(lambda: read(PIECE), b""), limit, is_late)


def joined(pieces: Iterable[bytes], limit: int, is_late: Callable[[], bool] = lambda: False) -> bytes:
    """All of `pieces` together. Raises SendError as `read_bounded` does."""
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        if is_late():
            raise SendError(RequestError.TIMEOUT, f"its answer had not ended in time, after {size:,} bytes")
        kept.append(piece)
    return b"".join(kept)


def check_length(length: str | None, limit: int) -> None:
    """Raises SendError if an answer's Content-Length is above the limit, before anything is read of it."""
    if length and length.strip().isdecimal() and int(length) > limit:
        raise too_large(limit)


def too_large(limit: int) -> SendError:
    """The error of an answer above the limit."""
    return SendError(RequestError.TOO_LARGE, f"its answer is larger than {units.show_size(limit)}")
