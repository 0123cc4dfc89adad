"""What the policies of a client gained, as data."""

import msgspec


class Share(msgspec.Struct, frozen=True):
    """A share of tasks, with its confidence interval; None where tasks depend on each other for too long."""

    count: int
    share: float
    interval: tuple[float, float] | None


class Gain(msgspec.Struct, frozen=True):
    """The gain of a client's policies: shares of the tasks that ended.

    before: first call succeeded. after: DONE. rescued, spoilt: DONE although the first call failed, FAILED although it
    succeeded. `tasks_for_a_point`: tasks needed to estimate `after` to within one percentage point.
    """

    tasks: int
    confidence: float
    before: Share
    after: Share
    improvement: float
    interval: tuple[float, float] | None
    rescued: int
    spoilt: int
    tasks_for_a_point: int
