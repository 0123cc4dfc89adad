"""What `soak compare --parity` is asked."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """Do a simulated and a real run of one scenario and seed agree? `base` and `run` are run directories."""

    base: Path
    run: Path
    out: Path | None = None
