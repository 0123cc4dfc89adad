"""What is known of each kind of event, as arrays: to ask a whole block at once."""

from collections.abc import Callable

import numpy as np

from soak.schemas.stream.block import Bools
from soak.schemas.stream.events import SPECS, Kind, Spec, on_register


def flags_by_kind(ask: Callable[[Kind, Spec], bool]) -> Bools:
    """An array that tells by kind what `ask` says of it; kinds that are registered later are filled in."""
    flags = np.zeros(len(Kind), dtype=np.bool_)

    def fill() -> None:
        for kind, spec in SPECS.items():
            flags[kind] = ask(kind, spec)

    fill()
    on_register(fill)
    return flags


def kind_flags(*kinds: Kind) -> Bools:
    """A boolean array by kind: whether it is one of `kinds`."""
    flags = np.zeros(len(Kind), dtype=np.bool_)
    flags[list(kinds)] = True
    return flags
