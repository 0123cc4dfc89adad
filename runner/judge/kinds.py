"""Sets of event kinds as arrays: to ask a whole block at once."""

import numpy as np

from soak.schemas.stream.block import Bools
from soak.schemas.stream.events import Kind


def kind_flags(*kinds: Kind) -> Bools:
    """An array that tells by kind whether it is one of `kinds`."""
    flags = np.zeros(len(Kind), dtype=np.bool_)
    flags[list(kinds)] = True
    return flags
