"""What a SimPy process of this model yields."""

from collections.abc import Generator
from typing import Any, TypeAlias

from simpy import Event

Steps: TypeAlias = Generator[Event, Any, None]
"""A SimPy process."""
