"""Whether a verdict was known before the end of the run, and since when: part of verdict.json."""

import msgspec


class DecidedObjective(msgspec.Struct, frozen=True):
    """One objective: PASS or FAIL once that was known (`at_s`, in scenario time), else what it was waiting for.

    `bounds`: of a ratio, or of the share of observations on the near side of a quantile's target; they hold at every look.
    """

    objective: str
    status: str | None
    at_s: float | None
    bounds: tuple[float, float] | None = None
    waits: str = ""
    only_at_end: bool = False
    """Nothing before the end can make it PASS."""


class Decided(msgspec.Struct, frozen=True):
    """When the verdict was known, wrongly with at most the probability `error`.

    `status`, `at_s`: as what and when, in scenario time; None: not before the end. `decidable_at_s`: when all objectives were
    PASS but those that only the end can make so, which held. `stopped`: the run ended for it. `waits`: what of the run had not
    happened yet when it was looked at last. It is looked at every `every_s` at most often, whole cycles of `cycle_s` (0: none).
    """

    error: float
    every_s: float
    cycle_s: float
    status: str | None
    at_s: float | None
    decidable_at_s: float | None
    stopped: bool
    waits: list[str]
    objectives: list[DecidedObjective]
