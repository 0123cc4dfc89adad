# cython: language_level=3, boundscheck=False, wraparound=False
"""See model.py: typed, with a heap of its own."""
import numpy as np
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

cdef struct Event:
    double at_s
    int64_t number, what

cdef inline bint before(Event a, Event b) noexcept nogil:
    return a.at_s < b.at_s or (a.at_s == b.at_s and a.number < b.number)

cdef void push(Event* heap, int64_t* size, double at_s, int64_t number, int64_t what) noexcept nogil:
    cdef Event event = Event(at_s, number, what)
    cdef int64_t at = size[0]
    size[0] += 1
    while at and before(event, heap[(at - 1) >> 1]):
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = event

cdef Event pop(Event* heap, int64_t* size) noexcept nogil:
    cdef Event top = heap[0]
    size[0] -= 1
    cdef Event last = heap[size[0]]
    cdef int64_t at = 0, child = 1
    while child < size[0]:
        if child + 1 < size[0] and before(heap[child + 1], heap[child]):
            child += 1
        if not before(heap[child], last):
            break
        heap[at] = heap[child]
        at = child
        child = 2 * at + 1
    heap[at] = last
    return top

def run(int64_t servers, int64_t tries, double[::1] arrival_s, double[::1] service_s, double[::1] wait_s, int64_t[::1] fails):
    cdef int64_t count = len(arrival_s), size = 0, number = count, idle = servers, first = 0, last = 0, task, draw
    cdef double[::1] ended_s = np.zeros(count)
    cdef int64_t[::1] attempts = np.zeros(count, np.int64), waiting = np.empty(count * tries, np.int64)
    cdef Event* events = <Event*>malloc((count + servers) * sizeof(Event))
    cdef Event event
    for task in range(count):
        push(events, &size, arrival_s[task], task, -task - 1)
    while size:
        event = pop(events, &size)
        if event.what < 0:
            waiting[last] = -event.what - 1
            last += 1
        else:
            idle += 1
            draw = event.what * tries + attempts[event.what]
            attempts[event.what] += 1
            if fails[draw] and attempts[event.what] < tries:
                push(events, &size, event.at_s + wait_s[draw], number, -event.what - 1)
                number += 1
            else:
                ended_s[event.what] = event.at_s
        while idle and first < last:
            task = waiting[first]
            first += 1
            idle -= 1
            push(events, &size, event.at_s + service_s[task * tries + attempts[task]], number, task)
            number += 1
    free(events)
    return np.asarray(ended_s), np.asarray(attempts)
