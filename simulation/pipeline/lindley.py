"""When one server is done with each of the records that come to it, in arrays.

Without a limit: d_i = S_i + max(free, max over j <= i of (a_j - S_{j-1})), with S the running sum of service times. This is the
recursion of Lindley (1952), d_i = max(a_i, d_{i-1}) + s_i, as a prefix maximum (Greenberg, Lubachevsky, Mitrani, "Algorithms for
Unboundedly Parallel Simulations", ACM TOCS 1991). With a limit the same holds as long as nothing overflows; from the first record
that does, the rest of a stretch is stepped one by one.
"""

from collections import deque

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Floats, Ints


class Limit(Struct, frozen=True):
    """How many records may wait beside the one in service, and whether the oldest makes room for a new one."""

    waiting: int
    drops_oldest: bool


class Served(Struct, frozen=True):
    """finish_s: when each record is done, ascending but for those that are dropped; infinite where it is not known yet."""

    finish_s: Floats
    dropped: Ints


def departures(at_s: Floats, service_s: Floats, free_s: float) -> Floats:
    """When each record is done, if none is dropped. at_s: ascending. free_s: when the server is free."""
    total = np.cumsum(service_s)
    finish_s: Floats = total + np.maximum(np.maximum.accumulate(at_s - (total - service_s)), free_s)
    return finish_s


def serve(at_s: Floats, service_s: Floats, free_s: float, limit: Limit, admitted: int, until_s: float) -> Served:
    """The same with a limited buffer; the first `admitted` records are in it already. No record comes after `until_s`."""
    finish_s = departures(at_s, service_s, free_s)
    # Rounding in sums must not make a record wait that finds the server free.
    start_s = np.maximum(at_s, np.concatenate([[free_s], finish_s[:-1]]))
    places = np.arange(len(at_s))
    full = places - np.searchsorted(start_s, at_s, side="right") >= limit.waiting
    full[:admitted] = False
    if not full.any():
        return Served(finish_s, np.empty(0, dtype=np.int64))
    first = int(np.argmax(full))
    step = _drop_oldest if limit.drops_oldest else _drop_newest
    dropped = step(at_s, service_s, start_s, finish_s, first, limit.waiting, until_s, free_s)
    finish_s[dropped] = np.inf
    return Served(finish_s, np.array(dropped, dtype=np.int64))


def _drop_newest(
    at_s: Floats,
    service_s: Floats,
    start_s: Floats,
    finish_s: Floats,
    first: int,
    limit: int,
    until_s: float,
    free_s: float,
) -> list[int]:
    """Steps from the record `first` on; sets `finish_s` and returns which are dropped."""
    before = start_s[:first]
    waiting = deque(before[before > at_s[first]].tolist())
    free_s = float(finish_s[first - 1]) if first else free_s
    dropped: list[int] = []
    for place, (at, service) in enumerate(zip(at_s[first:].tolist(), service_s[first:].tolist(), strict=True), first):
        while waiting and waiting[0] <= at:
            waiting.popleft()
        if len(waiting) >= limit:
            dropped.append(place)
            continue
        start = max(at, free_s)
        if start > at:
            waiting.append(start)
        finish_s[place] = free_s = start + service
    return dropped


def _drop_oldest(
    at_s: Floats,
    service_s: Floats,
    start_s: Floats,
    finish_s: Floats,
    first: int,
    limit: int,
    until_s: float,
    free_s: float,
) -> list[int]:
    """The same; of those that wait at the end it is not known yet when they are done."""
    begun = int(np.searchsorted(start_s[:first], at_s[first], side="right"))
    free_s = float(finish_s[begun - 1]) if begun else free_s
    waiting, dropped = deque(range(begun, first)), list[int]()
    finish_s[begun:] = np.inf
    times, services = at_s.tolist(), service_s.tolist()

    def begin(now: float) -> None:
        nonlocal free_s
        while waiting and max(free_s, times[waiting[0]]) <= now:
            place = waiting.popleft()
            finish_s[place] = free_s = max(free_s, times[place]) + services[place]

    for place in range(first, len(times)):
        begin(times[place])
        if not waiting and free_s <= times[place]:
            finish_s[place] = free_s = times[place] + services[place]
            continue
        if len(waiting) >= limit:
            dropped.append(waiting.popleft())
        waiting.append(place)
    begin(until_s)
    return dropped
