"""How a stream ends, by the events that say so."""

import numpy as np

from soak.schemas.evidence.verdict import End
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind

_ENDS = {
    Kind.RUN_ENDED: End.COMPLETED,
    Kind.RUN_DECIDED: End.DECIDED,
    Kind.RUN_ABORTED: End.ABORTED,
    Kind.RUN_INTERRUPTED: End.INTERRUPTED,
    Kind.RUN_RESUMED: End.CUT,
}


def end_after(block: Block, before: End = End.CUT) -> End:
    """How the stream ends up to this block: its last such event counts, since a resumed run has earlier ends."""
    said = block.kind[np.isin(block.kind, list(_ENDS))]
    return _ENDS[Kind(int(said[-1]))] if len(said) else before
