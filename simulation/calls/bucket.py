"""A token bucket: a rate in the long run, and so many at once."""


class Bucket:
    """Tokens by time, computed. Whoever reserves a token takes it; it may have to be waited for."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        # Without a rate, no token follows the first ones: in so long a time no run ever comes to the next.
        self._every_s = 1 / rate_per_s if rate_per_s else 1e12
        self._slack_s = (burst - 1) * self._every_s if burst > 1 else 0.0
        self._next_s = 0.0
        """When the next token is there if tokens are taken as they come (the virtual scheduling of ITU-T I.371)."""

    def wait_s(self, now: float) -> float:
        """How long until there is a token."""
        return max(0.0, self._next_s - self._slack_s - now)

    def take(self, now: float) -> None:
        """Take a token, the next one that comes."""
        self._next_s = max(self._next_s, now) + self._every_s
