"""The system `gateway` for real: a service at a URL, the bundled one, and what a target file describes."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.targets.base import Target
from soak.runner.targets.room import Named, Need, Room
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.trials import Trials
    from soak.schemas.target.load import LoadedTarget

_FOLDER = Path(__file__).parents[3] / "systems" / "gateway"
_SLOW_S = 1.0
"""Requests that arrive at a rate: as many are open as arrive in this time, in real seconds, or fewer."""


def _at_url(speed: float) -> Target:
    from soak.runner.targets.gateway.target import UrlTarget

    return UrlTarget(speed)


def _sqlite(speed: float) -> Target:
    return _bundled("target.yaml", speed)


def _postgres(speed: float) -> Target:
    return _bundled("postgres.yaml", speed)


def _bundled(name: str, speed: float) -> Target:
    from soak.runner.targets.gateway.target import FileTarget
    from soak.schemas.target.load import load_target

    return FileTarget(load_target(_FOLDER / name), speed, bundled=True)


def _of_file(loaded: "LoadedTarget", speed: float, bundled: bool) -> Target:
    from soak.runner.targets.gateway.target import FileTarget

    return FileTarget(loaded, speed, bundled=bundled)


def _trials() -> "Trials":
    from soak.runner.targets.gateway.trials import TRIALS

    return TRIALS


def _needs(plan: Plan) -> Iterator[Need]:
    """A connection for each request that is open, in the process that sends them."""
    if plan.users:
        yield Need(open_files=plan.users.count, who=f"{plan.users.count:,} users")
    else:
        at_a_time = math.ceil(plan.rate.highest_per_s * _SLOW_S)
        yield Need(open_files=at_a_time, who=f"{at_a_time:,} requests at a time")


ROOM = Room(
    named=(
        Named("http", _at_url),
        Named("gateway", _sqlite, trials=_trials),
        Named("gateway-postgres", _postgres, trials=_trials),
    ),
    from_file=_of_file,
    told_by="url",
    files_resumable=False,
    needs=_needs,
    advice="--target http (with http.url), --target gateway, or a target file of your own",
)
