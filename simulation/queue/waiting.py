"""Waiting work: to be accepted, for its backoff to pass, or for a worker."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Ready: TypeAlias = tuple[int, int, int, float]
"""Waits for a worker: its place in the order of arrival, task number, attempt, since when it has been due. In a heap."""

Backed: TypeAlias = tuple[float, int, int, int]
"""Is not to be tried before a time; its place in the order of arrival, task number, attempt. In a heap."""

Deferred: TypeAlias = tuple[float, int, int]
"""Could not be accepted: when it was due, task number, the cause of a duplicate (0: the original). In order of time."""


def oldest_of_all(
    now: float, ready: Iterable[Ready], backing_off: Sequence[Backed], deferred: Sequence[Deferred]
) -> float:
    """The same where work is not handed out in the order of arrival."""
    oldest = min((due for _, _, _, due in ready), default=now)
    return oldest_due(min(now, oldest), (), backing_off, deferred)


def oldest_due(
    now: float, ready: Sequence[Ready], backing_off: Sequence[Backed], deferred: Sequence[Deferred]
) -> float:
    """Since when the work has been due that has waited longest; `now` where none waits."""
    oldest = next((due for due, _, cause in deferred if not cause), now) if deferred else now
    if ready:
        # Work is handed out in the order of arrival: only where a retry comes first may another have waited longer.
        waited = ready[0][3] if ready[0][2] == 1 else _first_due(ready)
        oldest = waited if waited < oldest else oldest
    return backing_off[0][0] if backing_off and backing_off[0][0] < oldest else oldest


def _first_due(ready: Sequence[Ready]) -> float:
    """The least due time of a heap, in time that depends on the retries in it alone.

    All that lies below a first attempt came later, and what came later is due later, a retry of it too.
    """
    least, places = ready[0][3], [0]
    while places:
        place = places.pop()
        _, _, attempt, due = ready[place]
        least = min(least, due)
        if attempt > 1:
            places.extend(range(2 * place + 1, min(2 * place + 3, len(ready))))
    return least
