"""Processes from an exit until they are back: healthy and, if they write anything, with new output.

One fold, by which the verdict judges restarts, the run manifest lists them and two runs are compared. What ends after the
shutdown began has not failed. What was away when the runner itself was started again was not restarted by its supervisor.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from soak.schemas.stream.block import tick
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline

LIVES = (
    Kind.PROCESS_STARTED,
    Kind.PROCESS_EXITED,
    Kind.PROCESS_HEALTHY,
    Kind.PROCESS_OUTPUT,
    Kind.PROBE_GREEN,
    Kind.PROBE_FAILED,
    Kind.SHUTDOWN_STARTED,
    Kind.RUN_RESUMED,
)
"""The events that are followed."""


class Consecutive(Struct, frozen=True):
    """Which exit in a row one is: by the times of the stream, and the fewest and the most that a supervisor can take it for."""

    number: int = 0
    least: int = 0
    most: int = 0


@dataclass(slots=True)
class Exit:
    """An exit, and what followed, in seconds; None: it did not happen.

    away_s: when the process exited first of what it had not come back from. back_s: when it was back.
    """

    exited_s: float
    away_s: float
    cause: int
    in_a_row: Consecutive
    started_s: float | None = None
    healthy_s: float | None = None
    output_s: float | None = None
    back_s: float | None = None

    @property
    def waited_s(self) -> float | None:
        """From the exit to the start."""
        return None if self.started_s is None else tick(self.started_s - self.exited_s)

    @property
    def took_s(self) -> float | None:
        """How long the process was away until it was back."""
        return None if self.back_s is None else tick(self.back_s - self.away_s)


@dataclass(slots=True)
class Life:
    """A process. up: whether it runs; None before anything was seen of it. last: its last exit. Times in seconds."""

    up: bool | None = None
    last: Exit | None = None
    away_s: float | None = None
    """When it exited of what it has not come back from."""
    healthy_s: float | None = None
    output_s: float | None = None
    well_since_s: float | None = None
    """Since when it has been healthy without a break."""
    in_a_row: Consecutive = field(default_factory=Consecutive)


class Lives:
    """Follows all processes of a pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._writes = [bool(each.writes) for each in pipeline.processes]
        self._reset_s, self._every_s = pipeline.supervisor.restart.reset_after_s, pipeline.supervisor.health.every_s
        self.of = [Life() for _ in pipeline.processes]
        self.shutdown_s: float | None = None
        self.ended: list[int] = []
        """The processes in the order in which they ended after the shutdown began."""

    def take(self, kind: int, number: int, t_s: float, cause: int = 0) -> Exit | None:
        """Take in one of `LIVES`.

        Returns the exit that it is of: that it is itself, after which the process is started, or from which it is back now.
        """
        if kind == Kind.SHUTDOWN_STARTED:
            self.shutdown_s = t_s if self.shutdown_s is None else self.shutdown_s
        elif kind == Kind.RUN_RESUMED:
            self.shutdown_s, self.ended = None, []
            self.of = [Life(in_a_row=Consecutive(each.in_a_row.number, 0, each.in_a_row.most)) for each in self.of]
        elif 0 <= number < len(self.of):
            return self._of_process(kind, number, t_s, cause)
        return None

    def _of_process(self, kind: int, number: int, t_s: float, cause: int) -> Exit | None:
        life = self.of[number]
        match kind:
            case Kind.PROCESS_STARTED:
                return _started(life, t_s)
            case Kind.PROCESS_EXITED:
                return self._exited(life, number, t_s, cause)
            case Kind.PROCESS_HEALTHY:
                life.healthy_s = t_s if life.healthy_s is None else life.healthy_s
                life.well_since_s = t_s if life.well_since_s is None else life.well_since_s
                return self._back(life, number, t_s)
            case Kind.PROCESS_OUTPUT:
                life.output_s = t_s if life.output_s is None else life.output_s
                return self._back(life, number, t_s)
            case Kind.PROBE_GREEN:
                life.well_since_s = t_s if life.well_since_s is None else life.well_since_s
            case Kind.PROBE_FAILED:
                life.well_since_s = None
        return None

    def _exited(self, life: Life, number: int, t_s: float, cause: int) -> Exit | None:
        life.up = False
        if self.shutdown_s is not None:
            if number not in self.ended:
                self.ended.append(number)
            return None
        life.in_a_row = self._in_a_row(life, t_s)
        life.away_s = t_s if life.away_s is None else life.away_s
        life.last = Exit(t_s, life.away_s, cause, life.in_a_row)
        life.healthy_s = life.output_s = life.well_since_s = None
        return life.last

    def _in_a_row(self, life: Life, t_s: float) -> Consecutive:
        """Health is counted from the first green probe, or from the last time that one had failed before.

        A supervisor may count from either, and sees by its rounds: a probe that fails as the process ends did not end its health.
        """
        since = (life.well_since_s, life.healthy_s)
        least_s, most_s = (0.0 if since_s is None else t_s - since_s for since_s in since)
        before = life.in_a_row
        return Consecutive(
            1 if most_s >= self._reset_s else before.number + 1,
            1 if most_s >= self._reset_s - self._every_s else before.least + 1,
            1 if least_s >= self._reset_s + self._every_s else before.most + 1,
        )

    def _back(self, life: Life, number: int, t_s: float) -> Exit | None:
        last = life.last
        if last is None or life.away_s is None:
            return None
        last.healthy_s, last.output_s = life.healthy_s, life.output_s
        if life.healthy_s is None or (life.output_s is None and self._writes[number]):
            return None
        last.back_s, life.away_s = t_s, None
        return last


def _started(life: Life, t_s: float) -> Exit | None:
    life.up = True
    life.healthy_s = life.output_s = life.well_since_s = None
    if life.last is None or life.last.started_s is not None:
        return None
    life.last.started_s = t_s
    return life.last
