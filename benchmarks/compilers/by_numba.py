"""See model.py: the same lines for Numba, which knows lists of tuples and heapq."""

from heapq import heappop, heappush

import numba
import numpy as np


@numba.njit(cache=True)
def run(servers, tries, arrival_s, service_s, wait_s, fails):  # noqa: D103
    count = len(arrival_s)
    ended_s, attempts = np.zeros(count), np.zeros(count, np.int64)
    events = [(arrival_s[task], task, -task - 1) for task in range(count)]
    number, free, first, last = count, servers, 0, 0
    waiting = np.empty(count * tries, np.int64)
    while events:
        now_s, _, what = heappop(events)
        if what < 0:
            waiting[last] = -what - 1
            last += 1
        else:
            free += 1
            draw = what * tries + attempts[what]
            attempts[what] += 1
            if fails[draw] and attempts[what] < tries:
                heappush(events, (now_s + wait_s[draw], number, -what - 1))
                number += 1
            else:
                ended_s[what] = now_s
        while free and first < last:
            task = waiting[first]
            first += 1
            free -= 1
            heappush(events, (now_s + service_s[task * tries + attempts[task]], number, task))
            number += 1
    return ended_s, attempts
