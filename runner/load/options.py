"""How load is made: by which processes, here or elsewhere."""

from msgspec import Struct

from soak.schemas.errors import UsageError

PATIENCE_REAL_S = 60.0
"""How long to wait for the workers that are expected."""

_MOST_PORT = 65_535


class Options(Struct, frozen=True):
    """How load is made. processes: on this machine. master: address and port that workers elsewhere come to, if any do.

    expect: how many of those there are, for which is waited `patience_s`.
    """

    processes: int = 1
    master: tuple[str, int] | None = None
    expect: int = 0
    patience_s: float = PATIENCE_REAL_S

    @property
    def workers(self) -> int:
        """How many processes send requests."""
        return self.expect if self.master else self.processes


ONE_PROCESS = Options()


def options_of(processes: int | None, master: str | None, expect: int | None) -> Options | None:
    """The options of a command line; None: nothing is said of load. Raises UsageError for those that do not go together."""
    if processes is not None and master is not None:
        what = "--processes starts workers on this machine, --locust-master waits for those that were started elsewhere"
        raise UsageError(f"{what} (write one of them)")
    if master is None:
        if expect is not None:
            raise UsageError(
                "--expect-workers is for --locust-master (write --locust-master HOST:PORT, or --processes)"
            )
        return None if processes is None else Options(processes)
    if expect is None:
        raise UsageError("--locust-master has to know how many workers to wait for (add --expect-workers N)")
    return Options(1, address(master, "--locust-master"), expect)


def address(text: str, option: str) -> tuple[str, int]:
    """A host and a port, of `HOST:PORT`. Raises UsageError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) <= _MOST_PORT:
        raise UsageError(f"{option} {text}: is not an address with a port (write it like 0.0.0.0:5557)")
    return host, int(port)
