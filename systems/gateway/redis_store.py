"""Redis, for the locks of chains (`SET NX PX` with an owner, deleted by its owner only) and the tokens of buckets."""

import threading
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from soak.systems.gateway.database import Connection
from soak.systems.gateway.logs import log

_WITHIN_S = 1.0
_DELETE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_TAKE = """
local rate, burst, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local was = redis.call('hmget', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(was[1] or burst), tonumber(was[2] or now)
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local taken = tokens >= 1
if taken then tokens = tokens - 1 end
redis.call('hset', KEYS[1], 'tokens', tostring(tokens), 'at', ARGV[3])
redis.call('pexpire', KEYS[1], math.ceil(1000 * burst / rate) + 1000)
if taken then return '0' end
return tostring((1 - tokens) / rate)
"""


class RedisStore:
    """One process's connections to Redis. While it does not answer, nobody gets a lock, and limits are kept elsewhere.

    Locks are asked for in the thread that appends: that takes less time than in the event loop.
    """

    def __init__(self, url: str) -> None:
        self._url, self._threads, self._clients = url, threading.local(), list[redis.Redis]()
        # A connection may have been closed while it was idle: once more, at once.
        self._within: dict[str, Any] = {"socket_timeout": _WITHIN_S, "socket_connect_timeout": _WITHIN_S}
        self._buckets = redis.asyncio.Redis.from_url(
            url, retry=AsyncRetry(NoBackoff(), 1), decode_responses=True, **self._within
        )
        self._delete = redis.Redis().register_script(_DELETE)
        self._take = self._buckets.register_script(_TAKE)
        self._failing = False

    def _client(self) -> redis.Redis:
        """The one of this thread, with a connection of its own: half the work of a pool."""
        if not hasattr(self._threads, "client"):
            client = redis.Redis.from_url(
                self._url, single_connection_client=True, retry=Retry(NoBackoff(), 1), **self._within
            )
            self._threads.client = client
            self._clients.append(client)
        return self._threads.client  # type: ignore[no-any-return]

    def set(self, connection: Connection, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lock that nobody has; whether it was taken."""
        try:
            taken = bool(self._client().set(name, owner, nx=True, px=max(1, round(1000 * ttl_s))))
        except RedisError as error:
            self._fails(error)
            self.delete(connection, name, owner)  # it may have been set before the answer was lost
            return False
        self._failing = False
        return taken

    def delete(self, connection: Connection, name: str, owner: str) -> None:
        """Give it back, if it is still the owner's; whose ever it is, if `owner` is empty."""
        try:
            if owner:
                self._delete(keys=[name], args=[owner], client=self._client())
            else:
                self._client().delete(name)
        except RedisError as error:
            self._fails(error)  # it expires by itself

    async def take(self, name: str, rate: float, burst: float, now: float) -> float | None:
        """As `Bucket.take`; None when Redis does not answer."""
        try:
            answered: Any = await self._take(keys=[f"bucket:{name}"], args=[rate, burst, repr(now)])
        except RedisError as error:
            self._fails(error)
            return None
        self._failing = False
        return min(60.0, float(answered))

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()
        await self._buckets.aclose()

    def _fails(self, error: RedisError) -> None:
        if not self._failing:
            log(f"redis: {type(error).__name__}")
        self._failing = True
