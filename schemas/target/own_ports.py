"""`{port}` in a service: a free port of its own, which everything else calls `{port.NAME}`."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from soak.schemas.braces import filled_known, names_in, texts_in
from soak.schemas.target.templates import PORT

Data: TypeAlias = Mapping[str, Any]

OWN = "port"
"""The name in braces; a worker has a port of its own, too, known when it is started."""


def ports_of(data: Data) -> tuple[str, ...]:
    """The names of all ports of a target file: those that it lists, and those of services that use one of their own."""
    own = (each["name"] for each in data.get("services", ()) if uses_own(each))
    return tuple(dict.fromkeys([*data.get("ports", ()), *own]))


def uses_own(service: Data) -> bool:
    """Whether a text of a service or of workers has `{port}` in it."""
    return any(OWN in names_in(text) for text in texts_in(service))


def with_own_port(service: Data) -> Data:
    """A service whose port has its name."""
    filled: Data = filled_known(service, {OWN: f"{{{PORT}{service['name']}}}"})
    return filled
