/* The queue as a loop in C that knows nothing else: a heap of what is to come, a ring of what waits, no log and no judge.
   It is the least that a model of this queue can cost; numbers come from xoshiro256+ (Blackman and Vigna 2021). */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { END = 0, READY = 1 };

typedef struct { double t, due; uint64_t order; double met; int attempt, kind; } Event;
typedef struct { Event *at; long size, room; } Heap;
typedef struct { Event *at; long first, size, room; } Ring;

static uint64_t state[4];

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static double uniform(void) {
    uint64_t result = state[0] + state[3], t = state[1] << 17;
    state[2] ^= state[0]; state[3] ^= state[1]; state[1] ^= state[2]; state[0] ^= state[3];
    state[2] ^= t;
    state[3] = (state[3] << 45) | (state[3] >> 19);
    return ((result >> 11) + 0.5) * 0x1.0p-53;
}

/* Marsaglia's polar method. */
static double normal(void) {
    static double kept;
    static int has_kept;
    double x, y, s;
    if (has_kept) { has_kept = 0; return kept; }
    do { x = 2 * uniform() - 1; y = 2 * uniform() - 1; s = x * x + y * y; } while (s >= 1 || s == 0);
    s = sqrt(-2 * log(s) / s);
    kept = y * s; has_kept = 1;
    return x * s;
}

static int before(const Event *a, const Event *b) { return a->t < b->t || (a->t == b->t && a->order < b->order); }

static void push(Heap *heap, Event event) {
    if (heap->size == heap->room) heap->at = realloc(heap->at, sizeof(Event) * (heap->room = heap->room ? 2 * heap->room : 256));
    long place = heap->size++;
    while (place && before(&event, &heap->at[(place - 1) / 2])) {
        heap->at[place] = heap->at[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->at[place] = event;
}

static Event pop(Heap *heap) {
    Event top = heap->at[0], last = heap->at[--heap->size];
    long place = 0, child;
    while ((child = 2 * place + 1) < heap->size) {
        if (child + 1 < heap->size && before(&heap->at[child + 1], &heap->at[child])) child++;
        if (!before(&heap->at[child], &last)) break;
        heap->at[place] = heap->at[child];
        place = child;
    }
    heap->at[place] = last;
    return top;
}

static void append(Ring *ring, Event event) {
    if (ring->size == ring->room) {
        long room = ring->room ? 2 * ring->room : 256;
        Event *at = malloc(sizeof(Event) * room);
        for (long i = 0; i < ring->size; i++) at[i] = ring->at[(ring->first + i) % ring->room];
        free(ring->at);
        ring->at = at; ring->room = room; ring->first = 0;
    }
    ring->at[(ring->first + ring->size++) % ring->room] = event;
}

static Event take(Ring *ring) {
    Event event = ring->at[ring->first];
    ring->first = (ring->first + 1) % ring->room;
    ring->size--;
    return event;
}

/* When the next task is due: a unit-rate Poisson process through the inverse of the integrated rate. */
static double arrival(double *mark, double times, double rate, double burst_rate, double burst_s) {
    const double in_burst = burst_s * burst_rate, in_hour = in_burst + (3600 - burst_s) * rate;
    *mark += -log(uniform()) / times;
    double hours = floor(*mark / in_hour), rest = *mark - hours * in_hour;
    return hours * 3600 + (rest < in_burst ? rest / burst_rate : burst_s + (rest - in_burst) / rate);
}

/* given: seed, until_s, drain_s, times, plain, workers, mu, sigma, rate, burst rate, burst_s, three waits, busy timeout,
   three upper ends. told: tasks, attempts, done, retries, sum of latencies. */
void simulate(const double *given, double *told) {
    uint64_t seed = (uint64_t)given[0], order = 0;
    for (int i = 0; i < 4; i++) state[i] = splitmix(&seed);
    const double until_s = given[1], drain_s = given[2], times = given[3], mu = given[6], sigma = given[7];
    const double rate = given[8], burst_rate = given[9], burst_s = given[10], *waits = given + 11, held_s = given[14];
    const double transient = given[15], db_lock = given[16], blocked = given[17];
    const int plain = given[4] != 0;
    long free_workers = (long)given[5];
    double mark = 0, next_due, now;
    Heap heap = {0};
    Ring waiting = {0};
    for (int i = 0; i < 5; i++) told[i] = 0;
    next_due = arrival(&mark, times, rate, burst_rate, burst_s);
    for (;;) {
        const double next_event = heap.size ? heap.at[0].t : INFINITY;
        if (next_due < until_s && next_due <= next_event) {
            now = next_due;
            told[0]++;
            append(&waiting, (Event){now, now, 0, 0, 0, READY});
            next_due = arrival(&mark, times, rate, burst_rate, burst_s);
        } else if (next_event < drain_s) {
            Event event = pop(&heap);
            now = event.t;
            if (event.kind == READY) {
                append(&waiting, event);
            } else {
                free_workers++;
                told[1]++;
                if (event.met >= blocked) {
                    told[2]++;
                    told[4] += now - event.due;
                } else if (event.met < db_lock && event.attempt < 3) {
                    told[3]++;
                    push(&heap, (Event){now + waits[event.attempt], event.due, order++, 0, event.attempt + 1, READY});
                }
            }
        } else {
            break;
        }
        while (free_workers && waiting.size) {
            Event event = take(&waiting);
            double met = plain ? 1 : uniform();
            double end = ceil(now) + exp(mu + sigma * normal()) + (met >= transient && met < db_lock ? held_s : 0);
            free_workers--;
            push(&heap, (Event){end, event.due, order++, met, event.attempt, END});
        }
    }
    free(heap.at);
    free(waiting.at);
}
