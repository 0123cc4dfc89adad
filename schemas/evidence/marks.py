"""What operators said during a run."""

import msgspec


class Mark(msgspec.Struct, frozen=True):
    """What an operator said during the run: when, what and who. stop: that it should stop."""

    at_s: float
    text: str
    by: str
    stop: bool = False
