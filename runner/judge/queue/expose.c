/* What faults of attempts at tasks of a queue could have struck: see `runner.judge.queue.exposure.Attempts`. Attempts are counted
   by which faults could have applied to them, a bit for each. */
#include "soak.h"

enum { DISPATCHED = 1, RETRY = 2 };
enum { OK = 0, NO_MEMORY = 1 };

enum { FAULTS = 10, MOST_ATTEMPTS = 255 };

typedef struct {
    const double *edges;
    int64_t edge_count;
    int64_t is_budget, windowed;
    const uint8_t *shows;
    uint8_t *since, *within;
} Fault;

typedef struct {
    Fault faults[FAULTS];
    int64_t fault_count;
    const uint8_t *kinds;
    int64_t size;
    int64_t counts[1 << FAULTS];
} Expose;

Expose *expose_new(void) { return calloc(1, sizeof(Expose)); }

void expose_free(Expose *x) {
    for (int each = 0; each < FAULTS; each++) { free(x->faults[each].since); free(x->faults[each].within); }
    free(x);
}

/* The arrays stay the caller's, and must last as long as `x`. edges: beginnings and ends of windows, in turn. */
void expose_fault(Expose *x, const double *edges, int64_t edge_count, int64_t is_budget) {
    Fault *fault = &x->faults[x->fault_count++];
    fault->edges = edges; fault->edge_count = edge_count; fault->is_budget = is_budget; fault->windowed = edge_count > 0;
}

void expose_kinds(Expose *x, const uint8_t *kinds) { x->kinds = kinds; }

/* shows: by cause, whether what ended an attempt with it would have come after this fault. */
void expose_shows(Expose *x, int64_t place, const uint8_t *shows) { x->faults[place].shows = shows; }

int64_t *expose_counts(Expose *x) { return x->counts; }

static int lengthened(uint8_t **array, int64_t size, int64_t more) {
    uint8_t *longer = realloc(*array, (size_t)more);
    if (!longer) return NO_MEMORY;
    memset(longer + size, 0, (size_t)(more - size));
    *array = longer;
    return OK;
}

static int make_room(Expose *x, int64_t number) {
    if (number < x->size) return OK;
    int64_t more = x->size ? x->size * 2 : 1024;
    while (more <= number) more *= 2;
    for (int64_t each = 0; each < x->fault_count; each++) {
        Fault *fault = &x->faults[each];
        if (fault->is_budget && (lengthened(&fault->since, x->size, more) || lengthened(&fault->within, x->size, more)))
            return NO_MEMORY;
    }
    x->size = more;
    return OK;
}

/* Whether a fault is active: inside one of its windows, or always where it has none. */
static int holds(const Fault *fault, double t_s) {
    if (!fault->edge_count) return 1;
    int64_t low = 0, high = fault->edge_count;
    while (low < high) {
        int64_t middle = (low + high) >> 1;
        if (fault->edges[middle] <= t_s) low = middle + 1; else high = middle;
    }
    return (int)(low & 1);
}

/* Whether the task may turn out to be over its budget in an attempt; notes what the event shows. */
static int could(Fault *fault, int64_t number, int64_t attempt, int64_t cause, int starts, int held) {
    if (starts && !(attempt > 1 || (held && fault->windowed))) return 1;
    if (attempt > MOST_ATTEMPTS) attempt = MOST_ATTEMPTS;
    int shown = fault->shows[cause] && !starts;
    if (fault->windowed) {
        if (!fault->since[number] && starts && held) fault->since[number] = (uint8_t)attempt;
        shown = shown && fault->since[number] > 0 && fault->since[number] <= attempt;
    }
    if (shown && !fault->within[number]) fault->within[number] = (uint8_t)attempt;
    return !fault->within[number] || attempt <= fault->within[number];
}

int64_t expose(Expose *x, int64_t count, const double *t, const int64_t *kind, const int64_t *task, const int64_t *attempt,
           const int64_t *cause) {
    for (int64_t place = 0; place < count; place++) {
        uint8_t what = x->kinds[kind[place]];
        if (!what) continue;
        if (make_room(x, task[place])) return NO_MEMORY;
        int64_t code = 0;
        for (int64_t each = 0; each < x->fault_count; each++) {
            Fault *fault = &x->faults[each];
            int starts = what == DISPATCHED, can = starts && holds(fault, t[place]);
            if (fault->is_budget && task[place] >= 0) can &= could(fault, task[place], attempt[place], cause[place], starts, can);
            code |= (int64_t)can << each;
        }
        if (what == DISPATCHED) x->counts[code]++;
    }
    return OK;
}

SHARED(CONSTANT(FAULTS) CONSTANT(MOST_ATTEMPTS) CONSTANT(DISPATCHED) CONSTANT(RETRY))
