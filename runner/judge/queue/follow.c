/* Follows tasks of a queue through a block of events, in time order: the series of `runner.judge.lifecycle` and
   `runner.judge.queue.tracker`, to the last bit. What is followed of open tasks lies in a ring over the numbers from the oldest
   open task on; states, labels and what was ever DONE are kept for good. Before a block is followed that may have to be taken
   back, `follow_begin` makes a mark: from then on the first change of each task that was known before keeps what it was. */
#include "soak.h"

#define TICK_S 2e-6
/* The last of ATTEMPTS stands for all further ones. */
enum { ATTEMPTS = 101, STATES = 9, COLUMNS = 13 };
/* After so many events it is looked what can be dropped. */
#define OFTEN 512

/* What an event is, by kind. */
enum {
    ENQUEUED = 1, DEFERRED = 1 << 1, DISPATCHED = 1 << 2, RETRY = 1 << 3, DONE = 1 << 4, FAILED = 1 << 5, EXPIRED = 1 << 6,
    DEAD_LETTERED = 1 << 7, STARTED = 1 << 8, ENDED = 1 << 9, SKIPPED = 1 << 10, CONTENDED = 1 << 11, EXITED = 1 << 12,
    CLOSING = 1 << 13, UNBLOCKED = 1 << 14, OVER = 1 << 15, ALIVE = 1 << 16
};
#define ARRIVAL (ENQUEUED | DEFERRED)
#define RESULT (DONE | FAILED)
#define LEDGER (STARTED | ENDED | DONE)
/* Each of the usual kinds has code of its own. */
#define INLINE static inline __attribute__((always_inline))
#define USUAL(what) ((what) | ALIVE)

/* What an event's cause says of it. */
enum { TRANSIENT = 1, OVER_BUDGET = 2, DEADLY = 4 };

/* What is true of a state. */
enum { OPEN = 1, WAITING = 2, SETTLED = 4, ACTIVE = 8, COMPLETED = 16 };

/* What is noted of an event: what it violates, and whether its latency is among the largest. */
enum {
    ACCEPTED_AGAIN = 1, ILLEGAL = 1 << 1, NOT_DONE = 1 << 2, NOT_RECOVERED = 1 << 3, SLOW = 1 << 4, LEASES_LOST = 1 << 5,
    NOT_BLOCKED = 1 << 6, MISMATCHED = 1 << 7, LETTERED = 1 << 8, EXCESS = 1 << 9, EARLY = 1 << 10, CLAIM_LOST = 1 << 11,
    AGAIN = 1 << 12, OTHER_DONE = 1 << 13
};

/* The series, in the order in which `follow.py` names them. */
enum {
    S_DUPLICATE_BLOCK, S_ILLEGAL, S_MOVED, S_LOST, S_SUCCESS, S_LATENCY, S_RECOVERY, S_WAIT, S_LAG, S_EXECUTIONS, S_CONTENTIONS,
    S_LEASES, S_UNBLOCKED, S_EXCESS, S_BACKOFF, S_DEAD_LETTERED, S_DEATHS, S_GAPS, S_STALLS, SERIES
};

enum { OK = 0, NO_MEMORY = 1, NOT_FOLLOWED = 2 };

typedef struct {
    double due, ready, since, entered, wait, failed_at, not_before;
    int64_t failed_body, running;
    int32_t transient, expired, over_budget;
    /* The blocks in which it last changed, and in which an execution of its key last started or ended. */
    uint32_t touched, executed;
    uint8_t accepted;
} Task;

/* What is kept for good beside states: of a key, whether it was ever DONE; of a task, whether its last execution died. */
enum { WAS_DONE = 1, IS_DEAD = 2 };

typedef struct { int64_t number; Task task; int32_t label; uint8_t state, flags; } Kept;
typedef struct { double since; int64_t number; } Waiting;
#define EARLIER(a, b) ((a).since < (b).since)
HEAP(Line, Waiting, EARLIER)

typedef struct { double *t, *value, *weight; int64_t *label; int64_t size, room; } Series;
typedef struct { int64_t place, what, before, label; double latency_s, expired, not_before; } Noted;
typedef struct { Noted *at; int64_t size, room; } NotedEvents;
typedef struct { int64_t *at, size, room; } Places;

/* All that a block may change beside tasks. */
typedef struct {
    double changed_s, seen_s, last_s, area, sojourn_s, until_s;
    int64_t base, end, accepted, offered, in_system, mismatches;
} Totals;

typedef struct {
    const int32_t *kinds;
    const int8_t *after;
    int64_t kind_count;
    uint8_t state[STATES], legal[STATES][STATES];
    const uint8_t *causes;
    int64_t cause_count;
    const double *backoff;
    const int64_t *most;
    int64_t longest, by_label, phases, drawn;
    int64_t labelled, label_count, phase_count;
    const double *phase_start, *phase_end;
    double stall_floor_s, gap_floor_s;
    uint64_t wanted, weighted;
    uint8_t *states, *flags;
    int32_t *labels;
    int64_t size;
    Task *ring;
    int64_t ring_size;
    Line line;
    Totals now, before;
    uint32_t block;
    int marked;
    Kept *kept;
    int64_t kept_size, kept_room;
    double longest_stall, longest_gap;
    Series series[SERIES];
    int64_t wanted_notes;
    double slow_s;
    NotedEvents noted;
    Places starts;
    int64_t *counts, counts_size;
    int64_t retries[ATTEMPTS];
} Follow;

/* As numpy.maximum: what is not a number stays so. */
static inline double larger(double a, double b) { return a != a || a > b ? a : b; }

Follow *follow_new(void) {
    Follow *f = calloc(1, sizeof *f);
    if (f) f->block = 1;
    return f;
}

void follow_free(Follow *f) {
    for (int each = 0; each < SERIES; each++) {
        Series *s = &f->series[each];
        free(s->t); free(s->value); free(s->weight); free(s->label);
    }
    free(f->states); free(f->flags); free(f->labels); free(f->ring); free(f->line.at); free(f->kept); free(f->counts);
    free(f->noted.at); free(f->starts.at);
    free(f);
}

/* The arrays stay the caller's, and must last as long as `f`. */
void follow_rules(Follow *f, const int32_t *kinds, const int8_t *after, int64_t kind_count, const uint8_t *state,
                 const uint8_t *legal, double stall_floor_s, double gap_floor_s, uint64_t wanted, uint64_t weighted) {
    f->kinds = kinds; f->after = after; f->kind_count = kind_count;
    memcpy(f->state, state, sizeof f->state);
    memcpy(f->legal, legal, sizeof f->legal);
    f->stall_floor_s = stall_floor_s; f->gap_floor_s = gap_floor_s; f->wanted = wanted; f->weighted = weighted;
}

void follow_attempts(Follow *f, const double *backoff, const int64_t *most, int64_t longest, int64_t by_label, int64_t drawn) {
    f->backoff = backoff; f->most = most; f->longest = longest; f->by_label = by_label; f->drawn = drawn;
}

void follow_labels(Follow *f, int64_t label_count, int64_t phase_count, const double *phase_start, const double *phase_end) {
    f->labelled = 1; f->label_count = label_count; f->phase_count = phase_count;
    f->phase_start = phase_start; f->phase_end = phase_end;
}

int follow_causes(Follow *f, const uint8_t *causes, int64_t count) {
    free(f->counts);
    f->counts_size = f->kind_count * count;
    f->counts = malloc((size_t)f->counts_size * sizeof *f->counts);
    f->causes = causes; f->cause_count = count;
    return f->counts ? OK : NO_MEMORY;
}

static inline int64_t unknown_label(const Follow *f) { return (f->label_count + 1) * (f->phase_count + 1) - 1; }

static int64_t label_of(const Follow *f, int64_t label, double due_s) {
    int64_t phase = f->phase_count;
    for (int64_t each = f->phase_count - 1; each >= 0; each--)
        if (due_s >= f->phase_start[each] && due_s < f->phase_end[each]) { phase = each; break; }
    return (label < 0 ? f->label_count : label) * (f->phase_count + 1) + phase;
}

static int longer(const Follow *f, int which, Series *s) {
    int64_t room = s->room, needed = s->size + 1;
    if (!grown((void **)&s->t, &room, needed, sizeof(double))) return NO_MEMORY;
    room = s->room;
    if (!grown((void **)&s->value, &room, needed, sizeof(double))) return NO_MEMORY;
    if (f->weighted >> which & 1) {
        room = s->room;
        if (!grown((void **)&s->weight, &room, needed, sizeof(double))) return NO_MEMORY;
    }
    if (f->labelled) {
        room = s->room;
        if (!grown((void **)&s->label, &room, needed, sizeof(int64_t))) return NO_MEMORY;
    }
    s->room = room;
    return OK;
}

static inline int put(Follow *f, int which, double t, double value, double weight, int64_t label) {
    if (!(f->wanted >> which & 1)) return OK;
    Series *s = &f->series[which];
    if (s->size == s->room && longer(f, which, s)) return NO_MEMORY;
    s->t[s->size] = t;
    s->value[s->size] = value;
    if (f->weighted >> which & 1) s->weight[s->size] = weight;
    if (f->labelled) s->label[s->size] = label;
    s->size++;
    return OK;
}
#define PUT(which, t, value, weight, label) do { if (put(f, which, t, value, weight, label)) return NO_MEMORY; } while (0)

/* Room for what is kept of every task for good. */
static int lengthened(Follow *f, int64_t size) {
    if (size <= f->size) return OK;
    int64_t more = f->size ? f->size + f->size / 4 : 1024;
    if (more < size) more = size;
    uint8_t *states = realloc(f->states, (size_t)more);
    if (!states) return NO_MEMORY;
    f->states = states;
    uint8_t *flags = realloc(f->flags, (size_t)more);
    if (!flags) return NO_MEMORY;
    f->flags = flags;
    memset(states + f->size, 0, (size_t)(more - f->size));
    memset(flags + f->size, 0, (size_t)(more - f->size));
    if (f->labelled) {
        int32_t *labels = realloc(f->labels, (size_t)more * sizeof *labels);
        if (!labels) return NO_MEMORY;
        f->labels = labels;
        for (int64_t each = f->size; each < more; each++) labels[each] = (int32_t)unknown_label(f);
    }
    f->size = more;
    return OK;
}

/* Makes the ring hold the numbers from `base` up to `end`. */
static int widened(Follow *f, int64_t base, int64_t end) {
    Totals *now = &f->now;
    if (end - base > f->ring_size) {
        int64_t size = f->ring_size ? f->ring_size : 1024;
        while (size < end - base) size *= 2;
        Task *ring = malloc((size_t)size * sizeof *ring);
        if (!ring) return NO_MEMORY;
        for (int64_t each = now->base; each < now->end; each++) ring[each & (size - 1)] = f->ring[each & (f->ring_size - 1)];
        free(f->ring);
        f->ring = ring;
        f->ring_size = size;
    }
    for (int64_t each = base; each < now->base; each++) memset(&f->ring[each & (f->ring_size - 1)], 0, sizeof(Task));
    for (int64_t each = now->end; each < end; each++) memset(&f->ring[each & (f->ring_size - 1)], 0, sizeof(Task));
    now->base = base;
    now->end = end;
    return OK;
}

/* The task of a number, with room made for it and its copy; NULL without memory. */
static Task *known(Follow *f, int64_t number) {
    int64_t low = number & ~(int64_t)1, high = low + 2;
    if (low < f->now.base || high > f->now.end) {
        if (f->now.base == f->now.end && low > f->now.end) f->now.base = f->now.end = low;
        if (lengthened(f, high)) return NULL;
        if (widened(f, low < f->now.base ? low : f->now.base, high > f->now.end ? high : f->now.end)) return NULL;
    }
    return &f->ring[number & (f->ring_size - 1)];
}

/* Keeps what a task was before the block, once. */
static int touched(Follow *f, Task *task, int64_t number) {
    if (task->touched == f->block) return OK;
    if (f->marked && number < f->before.end) {
        if (!RESERVE(f->kept, f->kept_size, f->kept_room)) return NO_MEMORY;
        Kept *kept = &f->kept[f->kept_size++];
        kept->number = number; kept->task = *task; kept->state = f->states[number]; kept->flags = f->flags[number];
        kept->label = f->labelled ? f->labels[number] : 0;
    }
    task->touched = f->block;
    return OK;
}

static void begin_life(Task *task) {
    task->due = task->ready = task->since = task->entered = task->wait = task->failed_at = task->not_before = 0.0;
    task->failed_body = 0;
    task->transient = task->expired = task->over_budget = 0;
    task->accepted = 0;
}

/* Whether work still waits as it did when it was put in line: nothing is taken out of its middle. */
static int waits(const Follow *f, Waiting work) {
    return work.number >= f->now.base && work.number < f->now.end && f->state[f->states[work.number]] & WAITING
           && f->ring[work.number & (f->ring_size - 1)].since == work.since;
}

/* Puts work in line. Where that is full, what waits no longer is dropped first, and it grows if half of it waits still. */
static int put_in_line(Follow *f, Waiting work) {
    Line *line = &f->line;
    if (line->size == line->room) {
        int64_t size = line->size;
        line->size = 0;
        for (int64_t each = 0; each < size; each++)
            if (waits(f, line->at[each])) Line_push(line, line->at[each]);
        int full = 2 * line->size >= line->room;
        if (full && !grown((void **)&line->at, &line->room, line->room + 1, sizeof *line->at)) return NO_MEMORY;
    }
    Line_push(line, work);
    return OK;
}

/* From when on the work waits that has waited longest; infinite where none does. */
static double waiting_since(Follow *f) {
    for (; f->line.size; Line_pop(&f->line))
        if (waits(f, f->line.at[0])) return f->line.at[0].since;
    return INFINITY;
}

/* A stretch that ends at `end_s`: kept where it is long enough, or as long as any so far. */
static inline int stretch(Follow *f, int which, double start_s, double end_s, double floor_s, double *longest) {
    double length = end_s - start_s;
    // Rounding moves it by less than a tick.
    if (length + TICK_S < *longest && length + TICK_S < floor_s) return OK;
    length = quantised(length);
    if (!(length > 0)) return OK;
    if (length > *longest) *longest = length;
    if (length >= floor_s || length == *longest) PUT(which, start_s, end_s, length, 1);
    return OK;
}

static int gap_in_changes(Follow *f, double t_s) {
    double start = larger(f->now.changed_s, waiting_since(f));
    f->now.changed_s = t_s;
    return stretch(f, S_STALLS, start, t_s, f->stall_floor_s, &f->longest_stall);
}

static inline int sign_of_life(Follow *f, double t_s) {
    double start = f->now.seen_s;
    f->now.seen_s = t_s;
    return stretch(f, S_GAPS, start, t_s, f->gap_floor_s, &f->longest_gap);
}

typedef struct {
    double t, value;
    int64_t number, attempt, cause, label, place;
    uint8_t before, after;
    int64_t noted;
    double latency_s;
} Event;

static int note(Follow *f, Noted noted) {
    if (!RESERVE(f->noted.at, f->noted.size, f->noted.room)) return NO_MEMORY;
    f->noted.at[f->noted.size++] = noted;
    return OK;
}

static inline int noted(Follow *f, const Task *task, const Event *e) {
    if (!(e->noted & f->wanted_notes)) return OK;
    return note(f, (Noted){e->place, e->noted, e->before, e->label, e->latency_s, task->expired, task->not_before});
}

/* The execution ledger: executions of both tasks of a key. */
INLINE int ledger(Follow *f, Event *e, int32_t what) {
    int64_t key = e->number & ~(int64_t)1;
    Task *task = &f->ring[key & (f->ring_size - 1)];
    if (touched(f, task, key)) return NO_MEMORY;
    if (what & STARTED) {
        int again = task->running > 0 || f->flags[key] & WAS_DONE;
        PUT(S_EXECUTIONS, e->t, again, 1.0, e->label);
        if (again) e->noted |= AGAIN | (f->state[f->states[e->number ^ 1]] & COMPLETED ? OTHER_DONE : 0);
        if (f->wanted_notes & AGAIN) {
            if (!RESERVE(f->starts.at, f->starts.size, f->starts.room)) return NO_MEMORY;
            f->starts.at[f->starts.size++] = e->place;
        }
        task->running++;
        task->executed = f->block;
    } else if (what & ENDED) {
        if (task->running > 0) task->running--;
        task->executed = f->block;
    } else {
        f->flags[key] |= WAS_DONE;
    }
    if (!(what & DONE)) f->now.last_s = e->t;
    return OK;
}

static int second_enqueue(Follow *f, const Event *e, int64_t own_label, int32_t what) {
    int64_t label = f->labelled ? label_of(f, own_label, e->t) : 0;
    if (what & SKIPPED) {
        PUT(S_DUPLICATE_BLOCK, e->t, 1.0, 1.0, label);
        return OK;
    }
    uint8_t state = f->states[e->number & ~(int64_t)1];
    if (!(f->state[state] & ACTIVE)) return OK;
    PUT(S_DUPLICATE_BLOCK, e->t, 0.0, 1.0, label);
    return f->wanted_notes & ACCEPTED_AGAIN ? note(f, (Noted){e->place, ACCEPTED_AGAIN, state, label, 0.0, 0.0, 0.0}) : OK;
}

/* Series of tasks of any system. */
INLINE int life(Follow *f, Task *task, Event *e, int cause, int32_t what) {
    uint8_t was = f->state[e->before], is = e->after ? f->state[e->after] : 0;
    if (what & ENQUEUED) { task->accepted = 1; task->due = e->value; PUT(S_LOST, e->t, 0.0, 1.0, e->label); }
    if (e->after) {
        int illegal = !f->legal[e->before][e->after];
        PUT(S_ILLEGAL, e->t, illegal, 1.0, e->label);
        if (illegal) e->noted |= ILLEGAL;
        if (!(what & ARRIVAL)) PUT(S_MOVED, e->t, 1.0, 1.0, e->label);
    }
    if (what & (RETRY | FAILED) && cause & TRANSIENT) task->transient++;
    if (is & WAITING) task->ready = e->value;
    if (what & DISPATCHED && was & WAITING)
        task->wait = quantised(task->wait + larger(e->t - task->ready, 0.0));
    if (what & RESULT) {
        double done = what & DONE ? 1.0 : 0.0;
        PUT(S_SUCCESS, e->t, done, 1.0, e->label);
        if (task->accepted) {
            e->latency_s = quantised(e->t - task->due);
            PUT(S_LATENCY, e->t, e->latency_s, 1.0, e->label);
            if (e->latency_s >= f->slow_s) e->noted |= SLOW;
        }
        if (task->transient > 0) PUT(S_RECOVERY, e->t, done, 1.0, e->label);
        if (!(what & DONE)) e->noted |= task->transient > 0 ? NOT_DONE | NOT_RECOVERED : NOT_DONE;
        if (task->accepted) PUT(S_WAIT, e->t, task->wait, 1.0, e->label);
    }
    if (what & ARRIVAL && !e->before && !(e->number & 1)) {
        f->now.offered++;
        PUT(S_LAG, e->t, quantised(e->t - e->value), 1.0, e->label);
    }
    if (!e->after) return OK;
    if (!(was & OPEN) && is & OPEN) { task->entered = e->t; f->now.in_system++; f->now.area += f->now.until_s - e->t; }
    if (was & OPEN && !(is & OPEN)) {
        f->now.in_system--;
        f->now.area -= f->now.until_s - e->t;
        f->now.sojourn_s += e->t - task->entered;
    }
    if (!(was & WAITING) && is & WAITING) {
        task->since = larger(e->t, e->value);
        if (put_in_line(f, (Waiting){task->since, e->number})) return NO_MEMORY;
    }
    return OK;
}

/* Leases, backoffs and budgets. */
INLINE int attempts(Follow *f, Task *task, Event *e, int cause, int32_t what) {
    if (what & EXPIRED) task->expired++;
    if (what & ENDED && cause & OVER_BUDGET) task->over_budget++;
    else if (what & ENDED && e->cause) { task->failed_body = e->attempt; task->failed_at = e->t; }
    if (what & CLOSING) {
        if (task->expired > 0)
            PUT(S_LEASES, e->t, what & DONE ? task->expired : 0.0, task->expired, e->label);
        if (task->over_budget > 0) PUT(S_UNBLOCKED, e->t, what & UNBLOCKED ? 1.0 : 0.0, 1.0, e->label);
        if (task->expired > 0 && !(what & DONE)) e->noted |= LEASES_LOST;
    }
    if (what & UNBLOCKED && task->over_budget > 0) e->noted |= NOT_BLOCKED;
    if (what & DONE && task->failed_body == e->attempt) {
        f->now.mismatches++;
        e->noted |= MISMATCHED;
    }
    if (what & (CLOSING | DEAD_LETTERED)) PUT(S_DEAD_LETTERED, e->t, what & DEAD_LETTERED ? 1.0 : 0.0, 1.0, e->label);
    if (what & DEAD_LETTERED) e->noted |= LETTERED;
    int64_t row = f->by_label ? e->label / (f->phase_count + 1) : 0;
    if (what & RETRY) {
        int64_t place = e->attempt < 0 ? 0 : e->attempt >= f->longest ? f->longest - 1 : e->attempt;
        double over_s = task->failed_body == e->attempt ? task->failed_at : e->t;
        over_s += cause & TRANSIENT ? f->backoff[row * f->longest + place] : 0.0;
        task->not_before = f->drawn ? larger(over_s, e->value) : over_s;
    }
    if (what & STARTED && task->not_before > 0) {
        int early = e->t < task->not_before - TICK_S;
        PUT(S_BACKOFF, e->t, early, 1.0, e->label);
        if (early) e->noted |= EARLY;
    }
    if (what & DISPATCHED) {
        int excess = e->attempt > f->most[row];
        PUT(S_EXCESS, e->t, excess, 1.0, e->label);
        if (excess) e->noted |= EXCESS;
    }
    return OK;
}

/* Places of what concerns work whose worker died. */
INLINE int deaths(Follow *f, const Event *e, int cause, int32_t what) {
    int died = what & ENDED && cause & DEADLY;
    if (died || (f->flags[e->number] & IS_DEAD && what & OVER)) {
        PUT(S_DEATHS, e->t, (double)e->place, 1.0, e->label);
        f->flags[e->number] = (uint8_t)((f->flags[e->number] & ~IS_DEAD) | (died ? IS_DEAD : 0));
    }
    return OK;
}

INLINE int event(Follow *f, Event *e, int64_t own_label, int32_t what) {
    if (what & SKIPPED) return second_enqueue(f, e, own_label, what);
    Task *task = known(f, e->number);
    if (!task || touched(f, task, e->number)) return NO_MEMORY;
    int cause = f->causes[e->cause];
    e->before = f->states[e->number];
    if (what & ENQUEUED) {
        f->now.accepted++;
        if (f->labelled && f->labels[e->number] == unknown_label(f))
            f->labels[e->number] = (int32_t)label_of(f, own_label, e->value);
    }
    e->label = f->labelled ? f->labels[e->number] : 0;
    if (what & ENQUEUED && e->number & 1 && second_enqueue(f, e, own_label, what)) return NO_MEMORY;
    if (what & (CONTENDED | DISPATCHED))
        PUT(S_CONTENTIONS, e->t, what & CONTENDED ? e->value : 0.0, what & DISPATCHED ? 1.0 : 0.0, e->label);
    if (what & CONTENDED && e->value > 0) e->noted |= CLAIM_LOST;
    if (what & LEDGER && ledger(f, e, what)) return NO_MEMORY;
    if (deaths(f, e, cause, what)) return NO_MEMORY;
    int followed = e->after || what & (EXPIRED | DEAD_LETTERED) || (what & STARTED && e->attempt > 1)
                   || (what & ENDED && e->cause);
    if (!followed) return noted(f, task, e);
    if (f->state[e->before] & SETTLED) begin_life(task);
    if (e->after && !(what & ARRIVAL) && gap_in_changes(f, e->t)) return NO_MEMORY;
    if (life(f, task, e, cause, what) || attempts(f, task, e, cause, what)) return NO_MEMORY;
    if (e->after) f->states[e->number] = e->after;
    return noted(f, task, e);
}

/* A mark: what is followed from here on can be taken back. Latencies from `slow_s` on are noted, if they are among `notes`. */
void follow_begin(Follow *f, int64_t marked, int64_t notes, double slow_s) {
    f->block++;
    f->marked = (int)marked;
    f->wanted_notes = notes;
    f->slow_s = slow_s;
    f->kept_size = 0;
    f->before = f->now;
}

/* Back to the mark. */
int follow_take_back(Follow *f) {
    const Totals *before = &f->before;
    for (int64_t number = before->end; number < f->now.end; number++) {
        f->states[number] = f->flags[number] = 0;
        if (f->labelled) f->labels[number] = (int32_t)unknown_label(f);
    }
    // What was dropped since, and had not changed, was settled before.
    int64_t dropped = f->now.base < before->end ? f->now.base : before->end;
    for (int64_t number = before->base; number < dropped; number++)
        memset(&f->ring[number & (f->ring_size - 1)], 0, sizeof(Task));
    f->now = *before;
    for (int64_t each = 0; each < f->kept_size; each++) {
        Kept *kept = &f->kept[each];
        f->states[kept->number] = kept->state;
        f->flags[kept->number] = kept->flags;
        if (f->labelled) f->labels[kept->number] = kept->label;
        if (kept->number >= f->now.base) f->ring[kept->number & (f->ring_size - 1)] = kept->task;
    }
    f->kept_size = 0;
    f->line.size = 0;
    for (int64_t number = f->now.base; number < f->now.end; number++)
        if (f->state[f->states[number]] & WAITING
            && !Line_push(&f->line, (Waiting){f->ring[number & (f->ring_size - 1)].since, number})) return NO_MEMORY;
    return OK;
}

/* Drops what was settled before the oldest open task. */
static void forget(Follow *f) {
    Totals *now = &f->now;
    while (now->base < now->end && f->state[f->states[now->base]] & SETTLED
           && f->ring[now->base & (f->ring_size - 1)].running <= 0)
        now->base++;
}

int follow(Follow *f, int64_t count, const double *t, const int64_t *kind, const int64_t *task, const int64_t *attempt,
           const int64_t *cause, const int64_t *label, const double *value, double until_s) {
    for (int each = 0; each < SERIES; each++) f->series[each].size = 0;
    f->noted.size = f->starts.size = 0;
    memset(f->counts, 0, (size_t)f->counts_size * sizeof *f->counts);
    memset(f->retries, 0, sizeof f->retries);
    f->longest_stall = f->longest_gap = 0.0;
    f->now.area += (until_s - f->now.until_s) * (double)f->now.in_system;
    f->now.until_s = until_s;
    for (int64_t place = 0; place < count; place++) {
        if (!(place & (OFTEN - 1))) forget(f);
        int32_t what = f->kinds[kind[place]];
        f->counts[kind[place] * f->cause_count + cause[place]]++;
        if (what & RETRY) f->retries[attempt[place] < ATTEMPTS - 1 ? attempt[place] < 0 ? 0 : attempt[place] : ATTEMPTS - 1]++;
        if (what & ALIVE && sign_of_life(f, t[place])) return NO_MEMORY;
        if (what & EXITED) PUT(S_DEATHS, t[place], (double)place, 1.0, 0);
        int8_t after = f->after[kind[place]];
        if (!after && !(what & (EXPIRED | DEAD_LETTERED | STARTED | ENDED | SKIPPED | CONTENDED))) continue;
        if (task[place] < 0) return NOT_FOLLOWED;
        Event e = {t[place], value[place], task[place], attempt[place], cause[place], 0, place, 0, (uint8_t)after, 0, 0.0};
        int failed;
        // The usual kinds one by one: what they are is known to the compiler then.
        switch (what) {
        case USUAL(ENQUEUED): failed = event(f, &e, label[place], USUAL(ENQUEUED)); break;
        case USUAL(DISPATCHED): failed = event(f, &e, label[place], USUAL(DISPATCHED)); break;
        case USUAL(STARTED | OVER): failed = event(f, &e, label[place], USUAL(STARTED | OVER)); break;
        case USUAL(ENDED): failed = event(f, &e, label[place], USUAL(ENDED)); break;
        case USUAL(DONE | CLOSING | UNBLOCKED | OVER):
            failed = event(f, &e, label[place], USUAL(DONE | CLOSING | UNBLOCKED | OVER));
            break;
        case USUAL(RETRY): failed = event(f, &e, label[place], USUAL(RETRY)); break;
        default: failed = event(f, &e, label[place], what);
        }
        if (failed) return NO_MEMORY;
    }
    double start = larger(f->now.changed_s, waiting_since(f)), length = quantised(until_s - start);
    // Of what still lasts the length has a sign.
    if (length > 0) PUT(S_STALLS, start, until_s, -length, 0);
    length = quantised(until_s - f->now.seen_s);
    if (length > 0) PUT(S_GAPS, f->now.seen_s, until_s, -length, 0);
    forget(f);
    int64_t size = f->starts.size;
    f->starts.size = 0;
    for (int64_t each = 0; each < size; each++) {
        int64_t key = task[f->starts.at[each]] & ~(int64_t)1;
        if (key >= f->now.base && f->ring[key & (f->ring_size - 1)].running > 0)
            f->starts.at[f->starts.size++] = f->starts.at[each];
    }
    return OK;
}

/* What is known now. */

const Totals *follow_totals(const Follow *f) { return &f->now; }
const int64_t *follow_counts(const Follow *f) { return f->counts; }
const int64_t *follow_retries(const Follow *f) { return f->retries; }
const Series *follow_series(const Follow *f, int64_t which) { return &f->series[which]; }
const NotedEvents *follow_noted(const Follow *f) { return &f->noted; }
const Places *follow_starts(const Follow *f) { return &f->starts; }
const uint8_t *follow_states(const Follow *f) { return f->states; }
const int32_t *follow_kept_labels(const Follow *f) { return f->labels; }
int64_t follow_size(const Follow *f) { return f->size; }

/* Whether executions of these keys, which ran before the last block, started or ended in it: those that were dropped did. */
void follow_executed(const Follow *f, const int64_t *keys, int64_t count, uint8_t *executed) {
    for (int64_t each = 0; each < count; each++)
        executed[each] = keys[each] < f->now.base || f->ring[keys[each] & (f->ring_size - 1)].executed == f->block;
}

/* The columns of tasks from `base` up to `end`, one after the other: see `follow.py: COLUMNS`. */
void follow_columns(const Follow *f, double *columns) {
    int64_t base = f->now.base, count = f->now.end - base;
    for (int64_t each = 0; each < count; each++) {
        const Task *task = &f->ring[(base + each) & (f->ring_size - 1)];
        double values[] = {task->accepted, task->due, task->ready, task->since, task->entered, task->wait, task->transient,
                           task->not_before, task->expired, task->over_budget, (double)task->failed_body, task->failed_at};
        int settled = f->state[f->states[base + each]] & SETTLED;
        for (int64_t column = 0; column < COLUMNS - 1; column++) columns[column * count + each] = settled ? 0.0 : values[column];
        columns[(COLUMNS - 1) * count + each] = (double)task->running;
    }
}

SHARED(
    SIZE(Series) SIZE(Totals) SIZE(Noted) SIZE(NotedEvents) SIZE(Places) CONSTANT(ATTEMPTS) CONSTANT(STATES) CONSTANT(COLUMNS) CONSTANT(SERIES)
    CONSTANT(NO_MEMORY) CONSTANT(NOT_FOLLOWED)
    CONSTANT(ENQUEUED) CONSTANT(DEFERRED) CONSTANT(DISPATCHED) CONSTANT(RETRY) CONSTANT(DONE) CONSTANT(FAILED) CONSTANT(EXPIRED)
    CONSTANT(DEAD_LETTERED) CONSTANT(STARTED) CONSTANT(ENDED) CONSTANT(SKIPPED) CONSTANT(CONTENDED) CONSTANT(EXITED)
    CONSTANT(CLOSING) CONSTANT(UNBLOCKED) CONSTANT(OVER) CONSTANT(ALIVE)
    CONSTANT(TRANSIENT) CONSTANT(OVER_BUDGET) CONSTANT(DEADLY)
    CONSTANT(OPEN) CONSTANT(WAITING) CONSTANT(SETTLED) CONSTANT(ACTIVE) CONSTANT(COMPLETED)
    CONSTANT(ACCEPTED_AGAIN) CONSTANT(ILLEGAL) CONSTANT(NOT_DONE) CONSTANT(NOT_RECOVERED) CONSTANT(SLOW) CONSTANT(LEASES_LOST)
    CONSTANT(NOT_BLOCKED) CONSTANT(MISMATCHED) CONSTANT(LETTERED) CONSTANT(EXCESS) CONSTANT(EARLY) CONSTANT(CLAIM_LOST)
    CONSTANT(AGAIN) CONSTANT(OTHER_DONE)
)
