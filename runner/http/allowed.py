"""The hosts that may be contacted, and where a redirect leads."""

from collections.abc import Iterable
from urllib.parse import urljoin

from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.hosts import is_allowed


class Allowed:
    """The host of the service and those that the scenario names; nothing else is ever contacted."""

    def __init__(self, url: str, hosts: Iterable[str] = ()) -> None:
        """`url`: of the service, empty if there is none. hosts: `name`, for any port, or `name:port`."""
        self._url, self._hosts = url, tuple(hosts)

    def has(self, url: str) -> bool:
        """Whether the host of a URL may be contacted."""
        return is_allowed(url, self._url, self._hosts)

    def check(self, url: str) -> None:
        """Raises UsageError if the host of a URL may not be contacted."""
        if not self.has(url):
            host = quoted(url.partition("?")[0])
            raise UsageError(f"{host} is on a host that may not be contacted (add it to http.hosts)")


def redirected(url: str, location: str) -> str:
    """The URL that an answer to `url` sends to; what it says itself, where that is not a URL."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location
