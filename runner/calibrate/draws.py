"""What the parameters could be as well: scenarios drawn from what is known of them, so that predictions are not too sure."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from soak.runner.calibrate.fits import Fitted
from soak.schemas.evidence.calibration import CalibratedParameter, Taken
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import Queue, queue_of

DRAWS = 100
_SEED = 13
_HALF = 1.96
"""Standard deviations of a normal distribution from its middle to the end of what holds 95 % of it."""


def fits(scenario: Scenario) -> bool:
    """Whether what is estimated are settings of the scenario's system: those of a queue, whatever its room says."""
    return isinstance(scenario.system_settings, Queue)


def changes(scenario: Scenario) -> bool:
    """Whether the number of workers changes in the course of a run, which what is estimated does not know."""
    return queue_of(scenario).fleet.varies


def uncertain(scenario: Scenario, fitted: Fitted, parameters: Sequence[CalibratedParameter]) -> list[Scenario]:
    """DRAWS versions of a calibrated scenario.

    Service times come from the bootstrap, rates of faults from their posterior under Jeffreys' prior (Brown, Cai and
    DasGupta 2001); what polls, restarts and leases take is normal. What the scenario says itself and the run does not
    contradict is held to be known.
    """
    generator = np.random.default_rng(_SEED)
    estimates = {p.key: p for p in parameters if p.taken is Taken.RUN}
    return [_version(scenario, fitted, estimates, generator) for _ in range(DRAWS)]


def _version(
    scenario: Scenario, fitted: Fitted, estimates: dict[str, CalibratedParameter], generator: np.random.Generator
) -> Scenario:
    service = fitted.draws[int(generator.integers(len(fitted.draws)))]
    workload = scenario.workload
    base = estimates.get("workload.arrivals.rate")
    burst = estimates.get("workload.arrivals.burst.rate")
    return replace(
        scenario,
        workload=replace(
            workload,
            service=service,
            rate_per_s=_gamma(base, generator) if base else workload.rate_per_s,
            burst=replace(workload.burst, rate_per_s=_gamma(burst, generator))
            if burst and workload.burst
            else workload.burst,
        ),
        system_settings=_queue(queue_of(scenario), estimates, generator),
        faults=tuple(_fault(each, estimates, generator) for each in scenario.faults),
    )


def _queue(queue: Queue, estimates: dict[str, CalibratedParameter], generator: np.random.Generator) -> Queue:
    def drawn(key: str, value: float) -> float:
        parameter = estimates.get(key)
        if parameter is None or parameter.low is None or parameter.high is None:
            return value
        return max(0.0, float(generator.normal(value, (parameter.high - parameter.low) / (2 * _HALF))))

    return replace(
        queue,
        poll_interval_s=drawn("queue.poll_interval", queue.poll_interval_s),
        claim_time_s=drawn("queue.claim_time", queue.claim_time_s),
        worker_restart_s=drawn("queue.worker_restart", queue.worker_restart_s),
        lease_s=max(0.0 if queue.times_out else queue.heartbeat_s, drawn("queue.lease.duration", queue.lease_s)),
    )


def _gamma(parameter: CalibratedParameter, generator: np.random.Generator) -> float:
    """A rate from its posterior under Jeffreys' prior."""
    count = parameter.observations
    assert parameter.estimate is not None
    scale = parameter.estimate / count if count else (parameter.high or 0.0) / 4
    return float(generator.gamma(count + 0.5, scale))


def _fault(fault: Fault, estimates: dict[str, CalibratedParameter], generator: np.random.Generator) -> Fault:
    parameter = estimates.get(f"faults.{fault.name}.rate")
    if parameter is None or parameter.estimate is None:
        return fault
    exposed = parameter.observations
    hits = round(parameter.estimate * exposed)
    return replace(fault, rate=float(generator.beta(hits + 0.5, exposed - hits + 0.5)))
