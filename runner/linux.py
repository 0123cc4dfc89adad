"""What needs Linux: real processes and their faults. All else (simulations, reports, gates) runs wherever Python does."""

import sys
from importlib.util import find_spec

from soak.schemas.errors import UsageError

_MODULES = ("fcntl", "resource")
"""What a Python on Linux has of the system, and some are built without."""


def refuse_elsewhere(what: str, remedy: str = "run it on Linux, or in a container") -> None:
    """Raise UsageError where `what`, which starts real processes, cannot be done."""
    if sys.platform != "linux":
        where = f"this is {sys.platform}"
    elif missing := [name for name in _MODULES if find_spec(name) is None]:
        where = f"this Python lacks {', '.join(missing)}"
    else:
        return
    raise UsageError(f"{what} needs Linux, for its processes and their faults; {where} ({remedy})")
