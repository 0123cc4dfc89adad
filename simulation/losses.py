"""Losses of telemetry in a model: the recorder drops the events."""

from typing import TYPE_CHECKING

from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

if TYPE_CHECKING:
    from simpy import Environment


def put_losses(env: "Environment", plan: Plan, recorder: Recorder) -> None:
    """Have every loss of telemetry begin and end."""

    def later(t_s: float, kinds: tuple[Kind, ...], cause: int) -> None:
        def happen(_: object) -> None:
            for kind in kinds:
                recorder.row((env.now, kind, -1, 0, -1, cause, 0.0))

        env.timeout(t_s).callbacks.append(happen)

    for fault in plan.scenario.faults:
        for window in fault.windows if fault.type == TELEMETRY_LOSS else ():
            cause = plan.cause_of(fault)
            later(window.start_s, (Kind.FAULT_INJECTED,), cause)
            later(window.end_s, (Kind.FAULT_CLEARED, Kind.SAMPLE_LOST), cause)
