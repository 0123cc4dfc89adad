"""Warnings about a scenario that can run: what of it will not happen. They change no exit code."""

from soak.runner.console import remark
from soak.schemas.errors import Problem
from soak.schemas.language.load import Loaded
from soak.simulation.doubts import doubts


def cautions(loaded: Loaded) -> tuple[Problem, ...]:
    """What of a scenario will not happen, each with where it says so and what to write instead."""
    return tuple(loaded.document.problem(each.where, each.what, each.remedy) for each in doubts(loaded.scenario))


def warn(loaded: Loaded) -> None:
    """Say it on standard error."""
    for each in cautions(loaded):
        remark(f"warning: {each}")
