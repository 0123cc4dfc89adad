"""Whether this process is `soak`, and not one of somebody who imports it: then what only others need is left out."""

import os

_ours = False
_THREADS = "OPENBLAS_NUM_THREADS"


def claim() -> None:
    """This process does nothing but run one command."""
    global _ours  # noqa: PLW0603 - a process is ours or not, for its whole life
    _ours = True


def is_ours() -> bool:
    """Whether nobody else has code in this process."""
    return _ours


def import_numpy() -> None:
    """Import NumPy without the threads of its linear algebra, in a process of our own.

    Nothing here is large enough for them, and at first they wait busily, which costs as much as a simulation. What this process
    starts has the environment as it was.
    """
    if not _ours or _THREADS in os.environ:
        return
    os.environ[_THREADS] = "1"
    try:
        import numpy  # noqa: F401
    finally:
        del os.environ[_THREADS]
