"""Requests to receivers: POST over HTTP, an answer read up to a limit, and errors without anything that was sent or received."""

from collections.abc import Mapping
from http import HTTPStatus

import urllib3

from soak.runner.export.database import CREDENTIALS, ExportError

MOST_READ = 65_536
"""Bytes of an answer that are read, where it says something that is needed."""


def authority(username: str, password: str, token: str = "", scheme: str = "Bearer") -> dict[str, str]:
    """The headers that say who asks: by token, by user name and password, or none."""
    if token:
        return {"Authorization": f"{scheme} {token}"}
    return dict(urllib3.make_headers(basic_auth=f"{username}:{password}")) if password else {}


class Poster:
    """Sends to one receiver. `headers`: of every request; `credentials`: those among them, in words."""

    def __init__(self, timeout_s: float, headers: Mapping[str, str], credentials: str = CREDENTIALS) -> None:
        self._headers, self._credentials = dict(headers), credentials
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(timeout_s), retries=False)

    def send(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        missing: str = "",
        only: HTTPStatus | None = None,
        read: bool = False,
    ) -> bytes:
        """Send a request; returns what was answered, if it is to be `read`. Raises ExportError.

        missing: what status 404 means, in words. only: the one status that is a success; None: any of 2xx. Redirections are not
        followed: they would carry secrets elsewhere.
        """
        try:
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers={**self._headers, **(headers or {})},
                preload_content=False,
                redirect=False,
            )
            try:
                content = answer.read(MOST_READ) if read else b""
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error) from None
        if answer.status == HTTPStatus.NOT_FOUND and missing:
            raise ExportError(missing, lasting=True)
        if answer.status != only if only else not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise ExportError.of_status(answer.status, self._credentials)
        return content


def _broken(error: urllib3.exceptions.HTTPError) -> ExportError:
    """The cause of a connection error: the library wraps the operating system error, possibly repeatedly."""
    cause: BaseException = error
    while not isinstance(cause, OSError) and (inner := cause.__cause__ or cause.__context__):
        cause = inner
    late = isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(cause, OSError)
    return ExportError.of(TimeoutError() if late else cause)
