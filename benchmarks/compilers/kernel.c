/* See model.py. */
#include <stdint.h>
#include <stdlib.h>

typedef struct { double at_s; int64_t number, what; } Event;

static int before(Event a, Event b) { return a.at_s < b.at_s || (a.at_s == b.at_s && a.number < b.number); }

static void push(Event *heap, int64_t *size, double at_s, int64_t number, int64_t what) {
    Event event = {at_s, number, what};
    int64_t at = (*size)++;
    for (; at && before(event, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = event;
}

static Event pop(Event *heap, int64_t *size) {
    Event top = heap[0], last = heap[--*size];
    int64_t at = 0, child;
    for (; (child = 2 * at + 1) < *size; at = child) {
        if (child + 1 < *size && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

int run(int64_t servers, int64_t tries, int64_t count, const double *arrival_s, const double *service_s, const double *wait_s,
        const int64_t *fails, double *ended_s, int64_t *attempts) {
    Event *events = malloc((size_t)(count + servers) * sizeof *events);
    int64_t *waiting = malloc((size_t)(count * tries) * sizeof *waiting);
    int64_t size = 0, number = count, free_now = servers, first = 0, last = 0;
    if (!events || !waiting) return 1;
    for (int64_t task = 0; task < count; task++) push(events, &size, arrival_s[task], task, -task - 1);
    while (size) {
        Event event = pop(events, &size);
        if (event.what < 0) waiting[last++] = -event.what - 1;
        else {
            int64_t task = event.what, draw = task * tries + attempts[task]++;
            free_now++;
            if (fails[draw] && attempts[task] < tries) push(events, &size, event.at_s + wait_s[draw], number++, -task - 1);
            else ended_s[task] = event.at_s;
        }
        for (; free_now && first < last; free_now--) {
            int64_t task = waiting[first++];
            push(events, &size, event.at_s + service_s[task * tries + attempts[task]], number++, task);
        }
    }
    free(events);
    free(waiting);
    return 0;
}
