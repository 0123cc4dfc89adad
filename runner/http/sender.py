"""A client for single requests, such as those of checks; load has one of its own. It needs httpx, of the extra `http`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from soak.runner.http.answers import Answer
from soak.runner.http.bodies import check_length, joined
from soak.runner.http.requests import Prepared
from soak.schemas.language.http import Http


class Sender:
    """Sends a request at a time. It follows no redirect and takes no proxy or password from the environment."""

    def __init__(self, client: httpx.Client, http: Http, speed: float) -> None:
        self._client, self._http, self._speed = client, http, speed

    def __call__(self, prepared: Prepared) -> Answer:
        """The answer; see `Send`. Raises SendError for one that is too large or late, and what httpx raises."""
        began_s = time.monotonic()
        until_s = began_s + self._http.timeout_s / self._speed
        limit = self._http.max_body_bytes
        with self._client.stream(
            prepared.method, prepared.url, headers=prepared.headers, content=prepared.body
        ) as response:
            check_length(response.headers.get("content-length"), limit)
            body = joined(response.iter_bytes(), limit, lambda: time.monotonic() > until_s)
            took_s = (time.monotonic() - began_s) * self._speed
            return Answer(response.status_code, response.headers, body, took_s)


@contextmanager
def sender(http: Http, speed: float = 1.0) -> Iterator[Sender]:
    """A client with the timeout, limits and TLS of a scenario; its connections end with the context."""
    timeout_s = http.timeout_s / speed
    with httpx.Client(verify=http.verify_tls, timeout=timeout_s, trust_env=False, follow_redirects=False) as client:
        yield Sender(client, http, speed)
