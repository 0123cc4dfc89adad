"""Checks of the conditions of alerts and abort entries, alone and combined."""

from collections.abc import Iterator, Mapping
from typing import Any

from soak.schemas.errors import Problem, Where
from soak.schemas.language.comparison import Context, condition
from soak.schemas.language.expression import UnclearError, parse_expression
from soak.schemas.language.view import View

MODES = ("when", "all", "any")


def conditions(
    view: View, where: Where, entry: Mapping[str, Any], context: Context, broken: set[str]
) -> Iterator[Problem]:
    """What is wrong with an entry, and with the conditions it combines; `broken`: SLIs whose definition is wrong."""
    modes = [mode for mode in MODES if mode in entry]
    if len(modes) > 1:
        what = f"has {' and '.join(modes)}"
        yield view.problem((*where, modes[1]), what, f"keep one of {', '.join(MODES)}", at_key=True)
        return
    if modes and modes[0] != "when":
        yield from _together(view, where, entry, modes[0])
        for place, part in view.entries(*where, modes[0]):
            yield from conditions(view, place, part, context, broken)
        return
    text = entry.get("when")
    if isinstance(text, str) and text:
        try:
            if parse_expression(text).sli not in broken:
                condition(text, context, window="window" in entry)
        except UnclearError as error:
            yield view.problem((*where, "when"), error.what, error.remedy)


def _together(view: View, where: Where, entry: Mapping[str, Any], mode: str) -> Iterator[Problem]:
    """Keys that belong to each of the conditions; the default of `min_samples` says nothing."""
    wrong = ["window"] * ("window" in entry) + ["min_samples"] * (entry.get("min_samples", 1) != 1)
    for key in wrong:
        yield view.problem((*where, key), f"is not allowed beside {mode}", f"write {key} in each entry of {mode}")
