/* Rows of a model into columns of events in time order: what `_sorted_events` of recorder.py does in NumPy, to the last bit.

   Rows come in pieces, one after the other; before them stand tasks that are enqueued the moment they are due. A row is 7 doubles: t,
   kind or kind of row, task, attempt, worker, cause, value. Whatever is out of the ordinary (a kind
   that there is not, a time that is no number or beyond 71 years) is left to NumPy. */
#include "soak.h"

enum { T, KIND, TASK, ATTEMPT, WORKER, CAUSE, VALUE, WIDTH };
enum { DIGIT = 11, DIGITS = 1 << DIGIT, FEW = 48, CROWDED = 64 };

static const double LATEST = 2251799813685248.0; /* 2^51 ticks: below it, no two ticks are the same number of seconds */

/* By kind of row: how many events it stands for and where they begin in `kinds` and `is_end`; by kind: has it a value? */
typedef struct {
    int64_t row_kinds, end_row, enqueued;
    const int64_t *length, *first, *kinds;
    const uint8_t *is_end, *valued;
} Tables;

typedef struct {
    const double *rows;
    int64_t size;
} Piece;

/* row: of a task that is enqueued, the time at which it is due. */
typedef struct {
    uint64_t tick;
    const double *row;
    int64_t place;
} Event;

static int is_ordinary(double t) { return fabs(t * TICKS_PER_S) < LATEST; }

/* The number of events that tasks due and rows stand for; -1 if one is out of the ordinary. */
int64_t soak_events(const double *due, int64_t due_size, const Piece *pieces, int64_t piece_count, const Tables *tables) {
    int64_t events = due_size;
    for (int64_t i = 0; i < due_size; i++)
        if (!is_ordinary(due[i])) return -1;
    for (const Piece *piece = pieces; piece < pieces + piece_count; piece++) {
        for (const double *row = piece->rows; row < piece->rows + piece->size * WIDTH; row += WIDTH) {
            double kind = row[KIND];
            if (!(kind >= 0 && kind < (double)tables->row_kinds) || !is_ordinary(row[T])) return -1;
            events += tables->length[(int64_t)kind];
        }
    }
    return events < UINT32_MAX ? events : -1;
}

static void sort_few(Event *events, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        Event moved = events[i];
        int64_t place = i;
        for (; place && events[place - 1].tick > moved.tick; place--) events[place] = events[place - 1];
        events[place] = moved;
    }
}

/* Turns how many there are of each into where each begins. */
static void begin_each(uint32_t *counts, int64_t n) {
    uint32_t before = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t size = counts[i];
        counts[i] = before;
        before += size;
    }
}

/* Stable, by the digits of the ticks from the lowest on; returns where the result is: `events` or `other`. */
static Event *sort_digits(Event *events, Event *other, int64_t n, uint64_t largest) {
    for (int shift = 0; shift < 64 && largest >> shift; shift += DIGIT) {
        uint32_t starts[DIGITS] = {0};
        for (int64_t i = 0; i < n; i++) starts[events[i].tick >> shift & (DIGITS - 1)]++;
        begin_each(starts, DIGITS);
        for (int64_t i = 0; i < n; i++) other[starts[events[i].tick >> shift & (DIGITS - 1)]++] = events[i];
        Event *swapped = events;
        events = other;
        other = swapped;
    }
    return events;
}

/* Stable: by about as many equal intervals as there are events, in which few are left to be sorted; where one is crowded, by
   digits. starts: room for as many numbers as there are events, and 1 more. */
static Event *sort_many(Event *events, Event *other, uint32_t *starts, int64_t n, uint64_t largest) {
    int shift = 0;
    while (largest >> shift > (uint64_t)n) shift++;
    int64_t intervals = (int64_t)(largest >> shift) + 1;
    uint32_t most = 0;
    memset(starts, 0, (size_t)intervals * sizeof *starts);
    for (int64_t i = 0; i < n; i++) {
        uint32_t size = ++starts[events[i].tick >> shift];
        if (size > most) most = size;
    }
    if (most > CROWDED) return sort_digits(events, other, n, largest);
    begin_each(starts, intervals);
    for (int64_t i = 0; i < n; i++) other[starts[events[i].tick >> shift]++] = events[i];
    sort_few(other, n);
    return other;
}

static Event *in_time_order(Event *events, Event *other, uint32_t *starts, int64_t n) {
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
    if (n > FEW) return sort_many(events, other, starts, n, (uint64_t)(most - least));
    sort_few(events, n);
    return events;
}

static Event event_at(double t, const double *row, int64_t place) {
    return (Event){(uint64_t)(int64_t)to_whole(t * TICKS_PER_S), row, place};
}

/* The columns of the events, of which there are `total` (`soak_events`). Returns how many are in this block, -1 to leave it to
   NumPy.

   due, number: of tasks that are enqueued when they are due. floats: t, value; ints: kind, task, attempt, worker, cause, label;
   each column has `total` places. scratch: room for 2 * `total` + 1 events of 24 bytes and as many numbers of 4. running: the
   rows of attempts that end at `until_s` or later, of which there are `*n_running`. */
int64_t soak_block(const double *due, const int64_t *number, int64_t due_size, const Piece *pieces, int64_t piece_count,
                   double until_s, const Tables *tables, int64_t total, void *scratch, double *const *floats,
                   int64_t *const *ints, double *running, int64_t *n_running) {
    Event *events = scratch, *other = events + total;
    int64_t size = 0, left = 0;
    for (int64_t i = 0; i < due_size; i++) events[size++] = event_at(due[i], due + i, -1);
    for (const Piece *piece = pieces; piece < pieces + piece_count; piece++) {
        for (const double *row = piece->rows; row < piece->rows + piece->size * WIDTH; row += WIDTH) {
            int64_t kind = (int64_t)row[KIND], first = tables->first[kind], length = tables->length[kind];
            int goes_on = 0;
            for (int64_t place = first; place < first + length; place++) {
                double t = tables->is_end[place] ? row[VALUE] : row[T];
                if (tables->is_end[place]) {
                    if (!is_ordinary(t)) return -1;
                    if (t >= until_s) {
                        goes_on = 1;
                        continue;
                    }
                }
                events[size++] = event_at(t, row, place);
            }
            if (goes_on) {
                double *kept = running + left++ * WIDTH;
                memcpy(kept, row, WIDTH * sizeof *row);
                kept[KIND] = (double)tables->end_row;
            }
        }
    }
    *n_running = left;
    Event *sorted = in_time_order(events, other, (uint32_t *)(other + total), size);
    double *times = floats[0], *values = floats[1];
    int64_t *kinds = ints[0], *tasks = ints[1], *attempts = ints[2], *workers = ints[3], *causes = ints[4], *labels = ints[5];
    for (int64_t i = 0; i < size; i++) {
        const double *row = sorted[i].row;
        int64_t place = sorted[i].place;
        labels[i] = -1;
        if (place < 0) {
            times[i] = quantised(*row);
            values[i] = tables->valued[tables->enqueued] ? times[i] : NAN;
            kinds[i] = tables->enqueued;
            tasks[i] = number[row - due];
            attempts[i] = causes[i] = 0;
            workers[i] = -1;
            continue;
        }
        int64_t kind = tables->kinds[place];
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
