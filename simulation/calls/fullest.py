"""Memory samples show the fullest of several dependencies with a memory limit."""

from soak.schemas.stream.events import Kind


class Fullest:
    """The shares of their limits that dependencies use, as last reported by each; one object for each run."""

    def __init__(self) -> None:
        self._shares: dict[Kind, dict[str, float]] = {}

    def note(self, kind: Kind, dependency: str, share: float) -> float:
        """Update the share (0 to 1) of one dependency's limit; returns the largest of all."""
        shares = self._shares.setdefault(kind, {})
        shares[dependency] = share
        return max(shares.values())
