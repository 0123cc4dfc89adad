"""Faults of a pipeline: brought about at their times, seen to take effect, and undone, also when the run is cut short."""

from soak.runner.targets.context import RunContext
from soak.runner.targets.pipeline.strikes import Struck, strike_of
from soak.runner.targets.processes import faults


class Faults(faults.Faults):
    """Everything that a scenario has go wrong at times, but losses of telemetry."""

    def __init__(self, context: RunContext, struck: Struck) -> None:
        super().__init__(context, lambda fault, window: strike_of(fault, window, struck), struck.flow.blame.began)
