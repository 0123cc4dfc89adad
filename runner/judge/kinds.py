"""Sets of event kinds as lookup arrays, for vectorised tests."""

import numpy as np

from soak.schemas.stream.block import Bools
from soak.schemas.stream.events import Kind


def kind_flags(*kinds: Kind) -> Bools:
    """A boolean array by kind: whether it is one of `kinds`."""
    flags = np.zeros(len(Kind), dtype=np.bool_)
    flags[list(kinds)] = True
    return flags
