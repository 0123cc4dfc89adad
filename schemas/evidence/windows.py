"""What was seen of windows of a run, and of conditions that are combined."""

import msgspec


class WindowResult(msgspec.Struct, frozen=True):
    """One window of the run, from just after `start_s` up to `end_s`, with the value of an indicator over it."""

    start_s: float
    end_s: float
    value: float | None
    samples: int


class WindowsResult(msgspec.Struct, frozen=True):
    """What was seen of an objective in windows of `length_s`; times in seconds.

    share: that must be good of windows that follow one another (None: all windows there are, at every instant). limit: the target
    in each. consecutive: how many windows follow one another; enough: how many of these held enough observations; good: in how
    many of them it held.
    looked_s: how long the ends of all windows reach; thin_s, broken_s: how much of it windows held too few observations, or were
    broken. spells: how often it began to be broken; first_s: when it first was. worst: the window farthest on the wrong side.
    """

    length_s: float
    share: float | None
    limit: float
    consecutive: int
    enough: int
    good: int
    looked_s: float
    thin_s: float
    broken_s: float
    spells: int
    first_s: float | None
    worst: WindowResult | None


class PartResult(msgspec.Struct, frozen=True):
    """One of several conditions when they held together: since when it had held itself (None: it did not), with which value."""

    when: str
    window_s: float | None
    since_s: float | None
    value: float | None
    unit: str
    target: float | None
