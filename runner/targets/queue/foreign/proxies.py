"""The proxies of a run: those in between that a fault needs, and no others, since bytes that go through one take longer."""

from collections.abc import Iterable, Mapping

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.proxy import Proxy
from soak.schemas.errors import reason
from soak.schemas.language.faults import Fault
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.target.model import TargetFile


class Proxies:
    """Started before what they are in front of; `close` them after it."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self.running: dict[str, Proxy] = {}
        """By name."""

    def start(self, addresses: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
        """The port of each proxy in front of an address, as text, by name. Raises StartError.

        One that nobody wants is the port behind it, where that is of this machine.
        """
        found, names = {}, {*wanted}
        for name, to in addresses.items():
            found[name] = str(self._start(name, to)) if name in names or ":" in to else to
        return found

    def _start(self, name: str, to: str) -> int:
        self.running[name] = proxy = Proxy(self._background, to)
        try:
            return proxy.start()
        except OSError as error:
            raise StartError(f"proxy {name} cannot listen: {reason(error)} (try again)") from None

    def close(self) -> None:
        """Close all connections, and listen no more."""
        for each in self.running.values():
            each.close()


def wanted_proxies(faults: Iterable[Fault], file: TargetFile) -> set[str]:
    """The proxies that faults need in between."""
    names = set[str]()
    for fault in faults:
        if fault.type in {QueueFault.NETWORK_CUT, QueueFault.NETWORK_DELAY}:
            names.add(fault.dependency)
        elif fault.type == QueueFault.CONNECTIONS_KILL:
            names |= names_of(fault.dependency, file)
    return names & {each.name for each in file.proxies}


def names_of(service: str, file: TargetFile) -> set[str]:
    """The names under which a proxy may be in front of a service: its own, and its role."""
    of = [each for each in file.services if service in {each.name, each.role}]
    return {service, *(name for each in of for name in (each.name, each.role) if name)}
