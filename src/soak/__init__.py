"""Soak scenarios from Python: load one, simulate it, run it, open a run directory.

The public API is this module, `soak.contract`, `soak.body` and `soak.testing`; everything else may change without notice.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soak.runner.api import simulate_scenario
    from soak.schemas.language.load import Loaded, load

__all__ = ["Loaded", "load", "simulate_scenario"]

_WHERE = {
    "Loaded": "soak.schemas.language.load",
    "load": "soak.schemas.language.load",
    "simulate_scenario": "soak.runner.api",
}


def __getattr__(name: str) -> Any:
    """Public names, imported on first use, so that workers of a system under test only load the task body."""
    if name not in _WHERE:
        raise AttributeError(f"module 'soak' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
