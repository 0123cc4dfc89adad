"""How likely a condition holds by chance in a system that is exactly at its objective: what plan and power tell of it."""

import msgspec

LIMIT = 0.01
"""A chance that is small enough: remedies bring it down to this."""


class Remedy(msgspec.Struct, frozen=True):
    """What to write instead, None for what stays, and how likely the condition then holds by chance."""

    min_samples: int | None
    window_s: float | None
    chance: float


class FalseAlarm(msgspec.Struct, frozen=True):
    """An abort condition, or an alert with its severity, beside an objective on the same SLI and labels.

    `chance`: that it holds at some time of a run in which every observation is bad independently with the share that the
    objective just allows, with the standard error of its computation; None where nothing sound can be said: `reason` says why.
    `remedies`: the smallest change of min_samples, and of the window, after which it is at most LIMIT; of both where neither
    alone is enough.
    """

    name: str
    when: str
    objective: str
    severity: str
    window_s: float | None
    for_s: float
    min_samples: int
    chance: float | None
    standard_error: float | None
    reason: str
    remedies: list[Remedy]
