"""What is asked of a judge beside the verdict on objectives, laws, alerts and faults: what nobody asks for is not followed."""

from msgspec import Struct


class NotFollowedError(Exception):
    """Something in a block is none of a compiled follower's business: what it said of it must not be used."""


class Need(Struct, frozen=True):
    """findings: whether checkpoints are kept, and what explains a verdict. slis: whether every SLI has a value at the end.

    intervals: whether objectives have intervals on which their status does not depend. compiled: whether compiled code may be
    used for tasks.
    """

    findings: bool = True
    slis: bool = True
    intervals: bool = True
    compiled: bool = True


EVERYTHING = Need()
"""What a run is asked for."""
