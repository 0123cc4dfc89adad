"""What `soak compare --parity` is asked."""

from pathlib import Path

from msgspec import Struct


class Request(Struct, frozen=True):
    """Do a simulated and a real run of one scenario and seed agree? `base` and `run` are run directories."""

    base: Path
    run: Path
    out: Path | None = None
