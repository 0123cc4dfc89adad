"""How the processes of a pipeline are kept alive where soak does it: as the scenario says, in real seconds."""

from soak.runner.targets.processes.supervising import Policy, When
from soak.schemas.systems.pipeline.settings import Supervisor as Supervision


def policy_of(supervision: Supervision, speed: float) -> Policy:
    """How soak keeps processes alive, in real seconds."""
    health, restart = supervision.health, supervision.restart
    return Policy(
        When(restart.when.value),
        lambda number: restart.backoff.full_s(number) / speed,
        restart.max_restarts,
        within_s=restart.within_s / speed,
        reset_after_s=restart.reset_after_s / speed,
        start_timeout_s=max(health.start_timeout_s / speed, 5.0),
        health_every_s=health.every_s / speed,
        grace_s=max(supervision.grace_s / speed, 2.0),
        order=supervision.order,
        unhealthy_after=health.unhealthy_after,
    )
