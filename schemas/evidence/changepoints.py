"""Change points: when an indicator went to another level, and what else happened then."""

from enum import StrEnum

import msgspec

FAMILY_ERROR = 0.05
"""The probability of any change point at all in a run in which nothing changes."""

LEAST_WINDOWS = 22
"""Fewer windows are not searched."""

LEAST_EFFECTIVE = 7.0
"""Nor are windows that depend on each other so much that they are worth fewer independent ones."""


class ChangeKind(StrEnum):
    """How an indicator changed: between two levels, or by no single step, as along a line."""

    STEP = "step"
    DRIFT = "drift"


class Nearby(msgspec.Struct, frozen=True):
    """What happened near a change, from `start_s` to `end_s`: a fault, a phase, a release, a restart or a resumption."""

    what: str
    start_s: float
    end_s: float


class ChangePoint(msgspec.Struct, frozen=True):
    """A change of an indicator, at `at_s` of scenario time, within `interval` with 95 % confidence; a drift lasts for it.

    before, after: the indicator over the whole stretches around it. p: of the permutation test. throughout: what happens near any
    time, and so explains nothing.
    """

    kind: ChangeKind
    at_s: float
    interval: tuple[float, float]
    before: float | None
    after: float | None
    p: float
    near: list[Nearby]
    throughout: list[str]


class SeriesChanges(msgspec.Struct, frozen=True):
    """The change points of an objective's indicator, from `windows` windows of `window_s`, worth `effective` independent ones.

    indicator: what was searched, such as the level of what an objective says the growth of; unit: of its values. detail: why
    nothing can be said; empty where it was searched.
    """

    objective: str
    indicator: str
    labels: dict[str, str]
    unit: str
    window_s: float
    windows: int
    effective: float
    detail: str
    points: list[ChangePoint]
