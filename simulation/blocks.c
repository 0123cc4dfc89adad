/* Rows of a model into columns of events in time order: what `_sorted_events` of recorder.py does in NumPy, to the last bit.

   A row is 7 doubles: t, kind or kind of row, task, attempt, worker, cause, value. Whatever is out of the ordinary (a kind
   that there is not, a time that is no number or beyond 71 years) is left to NumPy. */
#include "soak.h"

enum { T, KIND, TASK, ATTEMPT, WORKER, CAUSE, VALUE, WIDTH };
enum { DIGIT = 11, BUCKETS = 1 << DIGIT, FEW = 48 };

static const double LATEST = 2251799813685248.0; /* 2^51 ticks: below it, no two ticks are the same number of seconds */

/* By kind of row: how many events it stands for and where they begin in `kinds` and `is_end`; by kind: has it a value? */
typedef struct {
    int64_t row_kinds, end_row;
    const int64_t *length, *first, *kinds;
    const uint8_t *is_end, *valued;
} Tables;

typedef struct {
    uint64_t tick;
    uint32_t row, place;
} Event;

/* The number of events that the rows stand for; -1 if one is out of the ordinary. */
int64_t soak_events(const double *rows, int64_t n, const Tables *tables) {
    int64_t events = 0;
    for (const double *row = rows; row < rows + n * WIDTH; row += WIDTH) {
        double kind = row[KIND];
        if (!(kind >= 0 && kind < (double)tables->row_kinds)) return -1;
        if (!(fabs(row[T] * TICKS_PER_S) < LATEST)) return -1;
        events += tables->length[(int64_t)kind];
    }
    return n < UINT32_MAX ? events : -1;
}

static void sort_few(Event *events, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        Event moved = events[i];
        int64_t place = i;
        for (; place && events[place - 1].tick > moved.tick; place--) events[place] = events[place - 1];
        events[place] = moved;
    }
}

/* Stable, by the digits of the ticks from the lowest on; returns where the result is: `events` or `other`. */
static Event *sort_many(Event *events, Event *other, int64_t n, uint64_t largest) {
    for (int shift = 0; shift < 64 && largest >> shift; shift += DIGIT) {
        int64_t starts[BUCKETS] = {0};
        for (int64_t i = 0; i < n; i++) starts[events[i].tick >> shift & (BUCKETS - 1)]++;
        int64_t before = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            int64_t size = starts[bucket];
            starts[bucket] = before;
            before += size;
        }
        for (int64_t i = 0; i < n; i++) other[starts[events[i].tick >> shift & (BUCKETS - 1)]++] = events[i];
        Event *swapped = events;
        events = other;
        other = swapped;
    }
    return events;
}

static Event *in_time_order(Event *events, Event *other, int64_t n) {
    if (!n) return events;
    int64_t least = (int64_t)events[0].tick, most = least, last = least;
    int ordered = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t tick = (int64_t)events[i].tick;
        ordered &= tick >= last;
        last = tick;
        if (tick < least) least = tick;
        if (tick > most) most = tick;
    }
    if (ordered) return events;
    for (int64_t i = 0; i < n; i++) events[i].tick -= (uint64_t)least;
    if (n > FEW) return sort_many(events, other, n, (uint64_t)(most - least));
    sort_few(events, n);
    return events;
}

/* The columns of the events of rows, of which there are `total` (`soak_events`). Returns how many are in this block, -1 to
   leave it to NumPy.

   floats: t, value; ints: kind, task, attempt, worker, cause; each column has `total` places. scratch: room for 2 * `total`
   events of 16 bytes. running: the rows of attempts that end at `until_s` or later, of which there are `*n_running`. */
int64_t soak_block(const double *rows, int64_t n, double until_s, const Tables *tables, int64_t total, void *scratch,
                   double *const *floats, int64_t *const *ints, double *running, int64_t *n_running) {
    Event *events = scratch;
    int64_t size = 0, left = 0;
    for (int64_t r = 0; r < n; r++) {
        const double *row = rows + r * WIDTH;
        int64_t kind = (int64_t)row[KIND], first = tables->first[kind], length = tables->length[kind];
        int goes_on = 0;
        for (int64_t place = first; place < first + length; place++) {
            double t = tables->is_end[place] ? row[VALUE] : row[T];
            if (tables->is_end[place]) {
                if (!(fabs(t * TICKS_PER_S) < LATEST)) return -1;
                if (t >= until_s) {
                    goes_on = 1;
                    continue;
                }
            }
            int64_t tick = (int64_t)to_whole(t * TICKS_PER_S);
            events[size++] = (Event){(uint64_t)tick, (uint32_t)r, (uint32_t)place};
        }
        if (goes_on) {
            double *kept = running + left++ * WIDTH;
            memcpy(kept, row, WIDTH * sizeof *row);
            kept[KIND] = (double)tables->end_row;
        }
    }
    *n_running = left;
    Event *sorted = in_time_order(events, events + total, size);
    double *times = floats[0], *values = floats[1];
    int64_t *kinds = ints[0], *tasks = ints[1], *attempts = ints[2], *workers = ints[3], *causes = ints[4];
    for (int64_t i = 0; i < size; i++) {
        const double *row = rows + (int64_t)sorted[i].row * WIDTH;
        int64_t place = sorted[i].place, kind = tables->kinds[place];
        int is_end = tables->is_end[place];
        double value = tables->valued[kind] ? row[VALUE] : NAN;
        times[i] = quantised(is_end ? row[VALUE] : row[T]);
        values[i] = quantised(is_end ? value - row[T] : value);
        kinds[i] = kind;
        tasks[i] = (int64_t)row[TASK];
        attempts[i] = (int64_t)row[ATTEMPT];
        workers[i] = (int64_t)row[WORKER];
        causes[i] = (int64_t)row[CAUSE];
    }
    return size;
}
