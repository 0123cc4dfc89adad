/* Rows of a model into columns of events in time order: what `_sorted_events` of recorder.py does in NumPy, to the last bit.

   Rows come in pieces, one after the other; before them stand tasks that are enqueued the moment they are due. A row is 7 doubles: t,
   kind or kind of row, task, attempt, worker, cause, value. Whatever is out of the ordinary (a kind
   that there is not, a time that is no number or beyond 71 years) is left to NumPy. */
#include "soak.h"

enum { T, KIND, TASK, ATTEMPT, WORKER, CAUSE, VALUE, WIDTH };
enum { DIGIT = 11, DIGITS = 1 << DIGIT, FEW = 48, CROWDED = 64 };

static const double LATEST = 2251799813685248.0; /* 2^51 ticks: below it, no two ticks are the same number of seconds */

/* By kind of row: how many events it stands for, how many of them come at its own time (the others when the attempt ends), and
   where they begin in `kinds`; by kind: has it a value? */
typedef struct {
    int64_t row_kinds, end_row, enqueued;
    const int64_t *length, *own, *first, *kinds;
    const uint8_t *valued;
} Tables;

typedef struct {
    const double *rows;
    int64_t size;
} Piece;

/* Events of one row at one time, one after the other: how many, and where they begin in `kinds`. row: of a task that is
   enqueued, the time at which it is due. */
typedef struct {
    uint64_t tick;
    const double *row;
    int32_t place;
    int16_t size, is_end;
} Events;

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

static void sort_few(Events *events, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        Events moved = events[i];
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
static Events *sort_digits(Events *events, Events *other, int64_t n, uint64_t largest) {
    for (int shift = 0; shift < 64 && largest >> shift; shift += DIGIT) {
        uint32_t starts[DIGITS] = {0};
        for (int64_t i = 0; i < n; i++) starts[events[i].tick >> shift & (DIGITS - 1)]++;
        begin_each(starts, DIGITS);
        for (int64_t i = 0; i < n; i++) other[starts[events[i].tick >> shift & (DIGITS - 1)]++] = events[i];
        Events *swapped = events;
        events = other;
        other = swapped;
    }
    return events;
}

/* Stable: by about as many equal intervals as there are events, in which few are left to be sorted; where one is crowded, by
   digits. starts: room for as many numbers as there are of them, and 1 more. */
static Events *sort_many(Events *events, Events *other, uint32_t *starts, int64_t n, uint64_t largest) {
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

static Events *in_time_order(Events *events, Events *other, uint32_t *starts, int64_t n) {
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

static Events events_at(double t, const double *row, int64_t place, int64_t size, int is_end) {
    return (Events){(uint64_t)(int64_t)to_whole(t * TICKS_PER_S), row, (int32_t)place, (int16_t)size, (int16_t)is_end};
}

/* The columns of the events, of which there are `total` (`soak_events`). Returns how many are in this block, -1 to leave it to
   NumPy.

   due, number: of tasks that are enqueued when they are due. floats: t, value; ints: kind, task, attempt, worker, cause, label;
   each column has `total` places. scratch: room for 2 * `total` + 1 `Events` and as many numbers of 4 bytes. running: the rows of
   attempts that end at `until_s` or later, of which there are `*n_running`. */
int64_t soak_block(const double *due, const int64_t *number, int64_t due_size, const Piece *pieces, int64_t piece_count,
                   double until_s, const Tables *tables, int64_t total, void *scratch, double *const *floats,
                   int64_t *const *ints, double *running, int64_t *n_running) {
    Events *events = scratch, *other = events + total;
    int64_t size = 0, left = 0;
    for (int64_t i = 0; i < due_size; i++) events[size++] = events_at(due[i], due + i, 0, 0, 0);
    for (const Piece *piece = pieces; piece < pieces + piece_count; piece++) {
        for (const double *row = piece->rows; row < piece->rows + piece->size * WIDTH; row += WIDTH) {
            int64_t kind = (int64_t)row[KIND], first = tables->first[kind], own = tables->own[kind];
            if (own) events[size++] = events_at(row[T], row, first, own, 0);
            int64_t later = tables->length[kind] - own;
            if (!later) continue;
            if (!is_ordinary(row[VALUE])) return -1;
            if (row[VALUE] < until_s) {
                events[size++] = events_at(row[VALUE], row, first + own, later, 1);
                continue;
            }
            double *kept = running + left++ * WIDTH;
            memcpy(kept, row, WIDTH * sizeof *row);
            kept[KIND] = (double)tables->end_row;
        }
    }
    *n_running = left;
    Events *sorted = in_time_order(events, other, (uint32_t *)(other + total), size);
    double *times = floats[0], *values = floats[1];
    int64_t *kinds = ints[0], *tasks = ints[1], *attempts = ints[2], *workers = ints[3], *causes = ints[4], *labels = ints[5];
    int64_t made = 0;
    for (Events *each = sorted; each < sorted + size; each++) {
        const double *row = each->row;
        if (!each->size) {
            times[made] = quantised(*row);
            values[made] = tables->valued[tables->enqueued] ? times[made] : NAN;
            kinds[made] = tables->enqueued;
            tasks[made] = number[row - due];
            attempts[made] = causes[made] = 0;
            workers[made] = labels[made] = -1;
            made++;
            continue;
        }
        double t = quantised(each->is_end ? row[VALUE] : row[T]);
        double value = quantised(each->is_end ? row[VALUE] - row[T] : row[VALUE]);
        int64_t task = (int64_t)row[TASK], attempt = (int64_t)row[ATTEMPT];
        int64_t worker = (int64_t)row[WORKER], cause = (int64_t)row[CAUSE];
        for (int place = each->place; place < each->place + each->size; place++, made++) {
            times[made] = t;
            values[made] = tables->valued[tables->kinds[place]] ? value : NAN;
            kinds[made] = tables->kinds[place];
            tasks[made] = task;
            attempts[made] = attempt;
            workers[made] = worker;
            causes[made] = cause;
            labels[made] = -1;
        }
    }
    return made;
}

SHARED(CONSTANT(WIDTH) SIZE(Tables) SIZE(Piece) SIZE(Events))
