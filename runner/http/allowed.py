"""The hosts that may be contacted, and where a redirect leads."""

from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

from soak.schemas.errors import UsageError, quoted

PORTS = {"http": 80, "https": 443}


class Allowed:
    """The host of the service and those that the scenario names; nothing else is ever contacted."""

    def __init__(self, url: str, hosts: Iterable[str] = ()) -> None:
        """`url`: of the service, empty if there is none. hosts: `name`, for any port, or `name:port`."""
        self._hosts = {each.lower() for each in hosts}
        if url:
            self._hosts.add(place_of(url))

    def has(self, url: str) -> bool:
        """Whether the host of a URL may be contacted."""
        try:
            place = place_of(url)
        except ValueError:
            return False
        return place in self._hosts or place.rpartition(":")[0] in self._hosts

    def check(self, url: str) -> None:
        """Raises UsageError if the host of a URL may not be contacted."""
        if not self.has(url):
            host = quoted(url.partition("?")[0])
            raise UsageError(f"{host} is on a host that may not be contacted (add it to http.hosts)")


def place_of(url: str) -> str:
    """`name:port` of a URL, in lower case; an IPv6 address in brackets. Raises ValueError where it has none."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL of HTTP")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{name}:{parts.port or PORTS[parts.scheme]}"


def redirected(url: str, location: str) -> str:
    """The URL that an answer to `url` sends to; what it says itself, where that is not a URL."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location
