"""When a lease expires: a pure function of heartbeats that do not get through. No heartbeat is ever stepped."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Bools, Floats
from soak.schemas.systems.queue.settings import Queue

FOREVER = math.inf


class Leases(Struct, frozen=True):
    """The timing of leases: duration, heartbeat and watchdog interval in seconds, and when the database is out."""

    lease_s: float
    heartbeat_s: float
    watchdog_s: float
    outages: tuple[Window, ...]
    watchdog_gone: tuple[Window, ...] = ()

    @staticmethod
    def of(queue: Queue, outages: tuple[Window, ...], watchdog_gone: tuple[Window, ...] = ()) -> "Leases":
        """The leases of a queue: renewed by heartbeats, or by nothing, or none where tasks are acknowledged early."""
        kind = NoLeases if queue.acks_early else VisibilityTimeouts if queue.times_out else Leases
        return kind(queue.lease_s, queue.heartbeat_s, queue.watchdog_interval_s, outages, watchdog_gone)

    @property
    def watched(self) -> bool:
        """Whether something may happen to an attempt that meets no fault."""
        return bool(self.outages)

    def disturbed(self, start_s: float, end_s: float) -> bool:
        """Whether something happens to an attempt from start to end that meets no fault."""
        return self.out_between(start_s, end_s)

    def writable_from(self, t_s: float) -> float:
        """`t_s`, or the end of the outage it lies in."""
        return first_outside(self.outages, t_s)

    def out_between(self, start_s: float, end_s: float) -> bool:
        """Whether the database is out at any time between the two."""
        return any(outage.start_s < end_s and start_s < outage.end_s for outage in self.outages)

    def first_expiry(self, start_s: float, end_s: float, silences: Sequence[Window]) -> float | None:
        """When the watchdog finds the lease of an attempt expired, or None if it never does before `end_s`.

        The claim at `start_s` and every heartbeat after it renew the lease. Heartbeats that fall into a silence (a hang,
        an outage, death) are made up at its end. The watchdog looks at every multiple of its interval, not in an outage.
        """
        for silence in silences:
            if silence.start_s >= end_s:
                return None
            beats = max(0, math.ceil((silence.start_s - start_s) / self.heartbeat_s) - 1)
            renewed_s = start_s + beats * self.heartbeat_s
            if renewed_s + self.heartbeat_s >= silence.end_s:
                continue
            found_s = self._next_look(renewed_s + self.lease_s)
            if found_s < min(silence.end_s, end_s):
                return found_s
        return None

    def outlasted_by_hang(self, start_s: Floats, struck_s: Floats, hang_for_s: float) -> Bools:
        """Whether attempts that hang, `struck_s` after their start, lose their leases: `first_expiry` for many, no outages."""
        renewed_s = np.maximum(0.0, np.ceil(struck_s / self.heartbeat_s) - 1) * self.heartbeat_s
        awake_s = struck_s + hang_for_s
        looks = np.ceil((start_s + renewed_s + self.lease_s) / self.watchdog_s)
        lost: Bools = (renewed_s + self.heartbeat_s < awake_s) & (looks * self.watchdog_s - start_s < awake_s)
        return lost

    def outlasted(self, start_s: Floats, held_s: Floats) -> Bools:
        """Whether attempts that hold their workers for this time lose their leases to that alone, no outages."""
        return np.zeros(len(held_s), dtype=np.bool_)

    def _next_look(self, t_s: float) -> float:
        look_s = math.ceil(t_s / self.watchdog_s) * self.watchdog_s
        blind = union([*self.outages, *self.watchdog_gone])
        seeing_s = first_outside(blind, look_s)
        return look_s if seeing_s == look_s else math.ceil(seeing_s / self.watchdog_s) * self.watchdog_s


class VisibilityTimeouts(Leases, frozen=True):
    """Leases that nothing renews: an attempt that runs longer loses it at the watchdog's next round."""

    @property
    def watched(self) -> bool:
        """See `Leases`."""
        return True

    def disturbed(self, start_s: float, end_s: float) -> bool:
        """See `Leases`."""
        return end_s - start_s > self.lease_s or self.out_between(start_s, end_s)

    def first_expiry(self, start_s: float, end_s: float, silences: Sequence[Window]) -> float | None:
        """See `Leases`: silences change nothing."""
        found_s = self._next_look(start_s + self.lease_s)
        return found_s if found_s < end_s else None

    def outlasted_by_hang(self, start_s: Floats, struck_s: Floats, hang_for_s: float) -> Bools:
        """See `Leases`: what a hang adds to an attempt counts as any other time, in `outlasted`."""
        return np.zeros(len(struck_s), dtype=np.bool_)

    def outlasted(self, start_s: Floats, held_s: Floats) -> Bools:
        """See `Leases`."""
        lost: Bools = np.ceil((start_s + self.lease_s) / self.watchdog_s) * self.watchdog_s - start_s < held_s
        return lost


class NoLeases(Leases, frozen=True):
    """Tasks that were acknowledged when they were handed out: nobody takes them back."""

    def first_expiry(self, start_s: float, end_s: float, silences: Sequence[Window]) -> None:
        """See `Leases`."""

    def outlasted_by_hang(self, start_s: Floats, struck_s: Floats, hang_for_s: float) -> Bools:
        """See `Leases`."""
        return np.zeros(len(struck_s), dtype=np.bool_)


def first_outside(windows: tuple[Window, ...], t_s: float) -> float:
    """`t_s`, or the end of the window it lies in."""
    for window in windows:
        if window.start_s <= t_s < window.end_s:
            return window.end_s
    return t_s


def union(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The windows in order, those that touch joined."""
    joined: list[Window] = []
    for window in sorted(windows, key=lambda each: each.start_s):
        if joined and window.start_s <= joined[-1].end_s:
            joined[-1] = Window(joined[-1].start_s, max(joined[-1].end_s, window.end_s))
        else:
            joined.append(window)
    return tuple(joined)


def windows_of(scenario: Scenario, *kinds: str) -> tuple[Window, ...]:
    """Disjoint windows in which scheduled faults of these types are active."""
    return union(window for fault in scenario.faults if fault.type in kinds for window in fault.windows)
