"""The kernel in Python: a queue of `servers` with retries, from drawn arrays. Every other source here is a translation of it.

arrival_s: by task, ascending. service_s, wait_s, fails: by task and attempt, row after row. Returns by task when it ended and
after how many attempts. `compare.py` compiles this file with mypyc, too.
"""

from heapq import heappop, heappush


def run(
    servers: int, tries: int, arrival_s: list[float], service_s: list[float], wait_s: list[float], fails: list[int]
) -> tuple[list[float], list[int]]:
    """Events are tuples of time, number and task; a task that waits for its turn or its next attempt is minus task - 1."""
    count = len(arrival_s)
    ended_s, attempts = [0.0] * count, [0] * count
    events: list[tuple[float, int, int]] = [(at_s, task, -task - 1) for task, at_s in enumerate(arrival_s)]
    number, free, first = count, servers, 0
    waiting: list[int] = []
    while events:
        now_s, _, what = heappop(events)
        if what < 0:
            waiting.append(-what - 1)
        else:
            free += 1
            draw = what * tries + attempts[what]
            attempts[what] += 1
            if fails[draw] and attempts[what] < tries:
                heappush(events, (now_s + wait_s[draw], number, -what - 1))
                number += 1
            else:
                ended_s[what] = now_s
        while free and first < len(waiting):
            task = waiting[first]
            first += 1
            free -= 1
            heappush(events, (now_s + service_s[task * tries + attempts[task]], number, task))
            number += 1
    return ended_s, attempts
