"""What is left of a group of processes when it should be gone, and who keeps a port."""

from collections.abc import Iterable

from msgspec import Struct

from soak.runner.targets.processes.identity import ProcessId, Stat, all_processes, command_line
from soak.runner.targets.processes.ports import listeners


class Orphan(Struct, frozen=True):
    """A process that should be gone. ports: those of the group's that it listens on."""

    process: ProcessId
    name: str
    command_line: str
    ports: tuple[str, ...]

    def __str__(self) -> str:
        kept = f", which keeps port {', '.join(self.ports)}" if self.ports else ""
        return f"{self.name} {self.process.pid}{kept}"


def orphans(left: Iterable[int], ports: dict[str, int]) -> list[Orphan]:
    """Those of the process ids `left` (`Offspring.alive`) that still run, by their start; `ports` of the group by name."""
    processes = all_processes()
    found = sorted((processes[pid] for pid in left if pid in processes), key=lambda each: each.id.started_ticks)
    keeps = {name: {each.id.pid for each in listeners(port)} for name, port in ports.items()} if found else {}
    return [_orphan(each, keeps) for each in found]


def _orphan(state: Stat, keeps: dict[str, set[int]]) -> Orphan:
    kept = tuple(name for name, pids in keeps.items() if state.id.pid in pids)
    return Orphan(state.id, state.name, command_line(state.id.pid), kept)
