"""Whether a service answers at all, before anything of a run begins."""

import asyncio

from soak.runner.targets.processes.requests import RequestError, request
from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.http import Http

WITHIN_S = 10.0
"""Real seconds in which a service must answer for the first time."""


def refuse_silent(url: str, http: Http) -> None:
    """Raises UsageError unless something answers a GET of a URL, whatever its status."""
    try:
        asyncio.run(request(url, WITHIN_S, verify=http.verify_tls))
    except RequestError as error:
        remedy = "start the service, or correct http.url"
        raise UsageError(f"{quoted(url)} does not answer: {error} ({remedy})") from None
