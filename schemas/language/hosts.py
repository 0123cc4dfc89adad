"""Which hosts may be contacted: that of the service, and those that a scenario names; never any other."""

from collections.abc import Iterable
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def place_of(url: str) -> str:
    """`name:port` of a URL, in lower case; an IPv6 address in brackets. Raises ValueError where it has none."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL of HTTP")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{name}:{parts.port or PORTS[parts.scheme]}"


def is_allowed(url: str, service: str, hosts: Iterable[str]) -> bool:
    """Whether a URL is on the host of the service (given by its URL), or on one of `hosts` (`name` or `name:port`)."""
    try:
        place = place_of(url)
    except ValueError:
        return False
    named = {each.lower() for each in hosts}
    return bool(service and place == place_of(service)) or not named.isdisjoint({place, place.rpartition(":")[0]})
