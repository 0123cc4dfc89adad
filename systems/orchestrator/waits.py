"""How long a task waits before it is tried again: a list of waits, and what jitter makes of them.

After Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
"""

import random

from soak.systems.orchestrator.settings import Settings

_GROWTH = 3.0


def wait_s(settings: Settings, key: str, attempt: int) -> float:
    """The wait in seconds after attempt number `attempt` at a task, in real time; drawn by key and attempt."""
    if settings.decorrelated:
        first_s = waited_s = settings.backoff_s[0]
        for each in range(1, attempt + 1):
            drawn_s = first_s + (_GROWTH * waited_s - first_s) * _uniform(key, each)
            waited_s = min(settings.backoff_max_s, drawn_s)
        return waited_s
    full_s = settings.backoff_s[min(attempt, len(settings.backoff_s)) - 1]
    return full_s * (1 - settings.jitter * _uniform(key, attempt)) if settings.jitter else full_s


def _uniform(key: str, attempt: int) -> float:
    return random.Random(f"backoff:{key}:{attempt}").random()
