"""A token bucket: a sustained rate, and a burst size."""


class Bucket:
    """Tokens by time, computed. Reserving a token may require waiting for it."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        # Without a rate, no token follows the first ones: this is longer than any run.
        self._every_s = 1 / rate_per_s if rate_per_s else 1e12
        self._slack_s = (burst - 1) * self._every_s if burst > 1 else 0.0
        self._next_s = 0.0
        """When the next token is there if tokens are taken as they come (the virtual scheduling of ITU-T I.371)."""

    def wait_s(self, now: float) -> float:
        """Time until a token is available."""
        return max(0.0, self._next_s - self._slack_s - now)

    def take(self, now: float) -> None:
        """Reserve the next token."""
        self._next_s = max(self._next_s, now) + self._every_s
