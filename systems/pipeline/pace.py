"""How long a process works on records, where the settings say so: a server that takes one after the other."""

import asyncio
import math
import random
import time

from soak.systems.pipeline.settings import Service

_AT_ONCE_S = 0.005
"""Records whose work takes no longer than that together are worked on together."""

_Z95 = 1.6448536269514722


class Pace:
    """Draws service times, and waits for them."""

    def __init__(self, service: Service, seed: str) -> None:
        self._service = service
        self._draws = random.Random(seed)
        self._free_s = 0.0
        self._drawn = 0.0
        self.none = service.distribution == "constant" and service.value == 0

    def take(self, records: int) -> int:
        """How many of that many records to work on next: at least one."""
        if self.none:
            return records
        self._drawn, number = self._draw(), 1
        while number < records and self._drawn < _AT_ONCE_S:
            self._drawn += self._draw()
            number += 1
        return number

    async def work(self) -> None:
        """As long as what was taken last needs, from when the process was free."""
        if self.none:
            return
        self._free_s = max(self._free_s, time.monotonic()) + self._drawn
        await asyncio.sleep(self._free_s - time.monotonic())

    def _draw(self) -> float:
        service = self._service
        match service.distribution:
            case "exponential":
                return self._draws.expovariate(1 / service.mean) if service.mean else 0.0
            case "uniform":
                return self._draws.uniform(service.low, service.high)
            case "lognormal":
                return self._draws.lognormvariate(
                    math.log(service.median), math.log(service.p95 / service.median) / _Z95
                )
        return service.value
