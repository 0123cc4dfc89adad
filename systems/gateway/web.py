"""What the pages have in common: who asks, JSON in and out, and refusals."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")
BODY_BYTES = 1_000_000


class RefusalError(Exception):
    """A request that is not done: its status, why, and how it can be done."""

    def __init__(self, status: int, error: str, **more: object) -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, **more}
        self.headers: dict[str, str] = {}


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


async def asked(request: Request, kind: type[T]) -> T:
    """What the body of a request says. Raises RefusalError (400: no JSON; 413: too long; 422: something else is needed)."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise RefusalError(413, f"body: at most {BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise RefusalError(422, str(error)) from None
    except msgspec.DecodeError as error:
        raise RefusalError(400, str(error)) from None


def number(request: Request, name: str, default: float, *, low: float, high: float) -> float:
    """A number in the query. Raises RefusalError."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        found = float(text)
    except ValueError:
        raise RefusalError(422, f"{name}: not a number") from None
    if not low <= found <= high:
        raise RefusalError(422, f"{name}: from {low:g} to {high:g}")
    return found


def bearer(request: Request) -> str:
    """The token of a request; empty without one."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that says nothing about where they differ."""
    import hmac

    return hmac.compare_digest(one.encode(), other.encode())
