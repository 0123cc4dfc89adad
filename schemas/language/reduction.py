"""A scenario without some of its faults, as if it had been written so."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from soak.schemas.errors import Mark, ScenarioError, Where
from soak.schemas.language.build import build_scenario
from soak.schemas.language.document import Document
from soak.schemas.language.load import Loaded, scenario_problems
from soak.schemas.language.systems import completed

_FAULTS = "faults"


def without_faults(loaded: Loaded, names: Collection[str]) -> Loaded:
    """`loaded` without the faults of these names. Raises ScenarioError for what cannot be without them."""
    document = _without(loaded.document, names)
    if problems := scenario_problems(document, loaded.folders):
        without = f"without {', '.join(names)}, which {'does' if len(names) == 1 else 'do'} not apply to this target: "
        raise ScenarioError([replace(each, what=without + each.what) for each in problems])
    scenario = build_scenario(completed(document.data), loaded.folders)
    return replace(loaded, scenario=scenario, document=document, overridden=True)


def _without(document: Document, names: Collection[str]) -> Document:
    data: Any = document.data
    kept = [place for place, each in enumerate(data[_FAULTS]) if each["name"] not in names]
    others = {key: value for key, value in data.items() if key != _FAULTS}
    faults = [data[_FAULTS][place] for place in kept]
    moved = {place: number for number, place in enumerate(kept)}

    def marks(known: dict[Where, Mark]) -> dict[Where, Mark]:
        return {place: mark for where, mark in known.items() if (place := _moved(where, moved)) is not None}

    return replace(
        document,
        data={**others, **({_FAULTS: faults} if faults else {})},
        marks=marks(document.marks),
        keys=marks(document.keys),
    )


def _moved(where: Where, moved: dict[int, int]) -> Where | None:
    """The place after the removal; None for what is gone."""
    if len(where) < 2 or where[0] != _FAULTS:
        return where
    place = where[1]
    return (_FAULTS, moved[place], *where[2:]) if isinstance(place, int) and place in moved else None
