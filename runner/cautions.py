"""Warnings about a valid scenario: what in it can never happen. They change no exit code."""

from soak.runner.console import remark
from soak.schemas.errors import Problem
from soak.schemas.language.load import Loaded
from soak.simulation.doubts import doubts


def cautions(loaded: Loaded) -> tuple[Problem, ...]:
    """What in a scenario can never happen, each with its line and what to write instead."""
    return tuple(loaded.document.problem(each.where, each.what, each.remedy) for each in doubts(loaded.scenario))


def warn(loaded: Loaded) -> None:
    """Print the warnings on standard error."""
    for each in cautions(loaded):
        remark(f"warning: {each}")
