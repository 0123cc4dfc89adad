"""The request rates of tenants: a bucket in the mapped file, or in Redis, for all processes together."""

import time
from typing import Protocol

from soak.systems.gateway.defects import Defect
from soak.systems.gateway.settings import Settings
from soak.systems.gateway.shared import Bucket, Shared

_SHARED_RATE = 50.0


class Tokens(Protocol):
    """Where the tokens of buckets are, if not in the mapped file."""

    async def take(self, name: str, rate: float, burst: float, now: float) -> float | None:
        """As `Bucket.take`; None when there is no answer."""


class Limits:
    """One limit for each tenant. The limits themselves are in the mapped file, wherever their tokens are."""

    def __init__(self, settings: Settings, shared: Shared, tokens: Tokens | None) -> None:
        self._shared, self._tokens = shared, tokens
        self._is_common = settings.has(Defect.QUIET_THROTTLED)

    def _bucket(self, tenant: str) -> tuple[str, Bucket]:
        name = "" if self._is_common else tenant
        return name, self._shared.buckets[name]

    async def take(self, tenant: str) -> float:
        """0 if a request is let through, otherwise in how many seconds the next one may be."""
        name, bucket = self._bucket(tenant)
        rate, burst = bucket.limit()
        if rate is None:
            return 0.0
        if self._tokens and rate > 0:
            wait_s = await self._tokens.take(name, rate, burst, time.time())
            if wait_s is not None:
                return wait_s
        return bucket.take()

    def set(self, tenant: str, rate: float | None, burst: float | None) -> None:
        """Set a tenant's limit, for all processes at once."""
        self._bucket(tenant)[1].set(rate, burst)

    def limit(self, tenant: str) -> tuple[float | None, float]:
        """Rate (None: no limit) and burst of a tenant."""
        return self._bucket(tenant)[1].limit()


def set_first_limits(settings: Settings, shared: Shared) -> None:
    """What the settings say, when a gateway starts."""
    for tenant in settings.tenants:
        own = tenant.rate is not None
        rate, burst = (tenant.rate, tenant.burst) if own else (settings.rate, settings.burst)
        shared.buckets[tenant.name].set(rate, burst)
    shared.buckets[""].set(settings.rate if settings.rate is not None else _SHARED_RATE, settings.burst)
