/* The queue, compiled: `model.py` and `mishaps.py` in C, the same rows from the same draws.

   Whatever is decided there is decided here by the same comparisons of the same doubles in the same order; where the two differ,
   this one is wrong. Times are seconds of scenario time. Names are those of the Python.
   What is drawn, named or told once in a while is asked of Python (see `Callbacks`); a callback that fails says so by its result. */

#include "philox.h"
#include "soak.h"

#define FOREVER INFINITY
#define WIDTH 7
#define BLOCK 4096
#define BLOCK_BITS 12
#define FIRST_KEPT 4
#define LATER_KEPT 128
#define WAITS 64
#define TOLD 8
#define COPY_LAYERS 65536

enum { FAILED = -1, NO_MEMORY = -2 };

/* What a cause does to an attempt: `actions.Action`. */
enum { NONE, TRANSIENT, PERMANENT, DB_LOCK, OVER_BUDGET, CRASH, HANG, SLOW, TIME_LIMIT };
/* `schemas.stream.states.TaskState`. */
enum { S_NONE, S_DEFERRED, S_PENDING, S_IN_PROGRESS, S_DONE, S_FAILED, S_BLOCKED, S_CANCELLED, S_LOST };
/* Kinds of leases: the classes of `lease.py`. */
enum { RENEWED, VISIBILITY, NO_LEASES };

/* The kinds of rows, in the order in which Python gives their codes. */
enum {
    K_BEGIN, K_RUN, K_DEFERRED, K_ENQUEUED, K_DUPLICATE, K_SKIPPED, K_DEPTH, K_OLDEST, K_BUSY, K_CONTENDED, K_INJECTED, K_SEEN,
    K_ENDED, K_RETRY, K_DEAD_LETTERED, K_DONE, K_FAILED, K_BLOCKED, K_LOST, K_EXITED, K_STARTED, K_EXPIRED, K_REFUSED, KINDS
};

/* Windows, disjoint and in order: starts and ends by turns. */
typedef struct { int64_t count; const double *edges; } Windows;

/* The fates of BLOCK tasks for one attempt; `windowed[i]` to `windowed[i + 1]` are the places of the faults in windows that task i
   may meet. Without `cause` faults are drawn task by task: of later attempts, and of copies, few are read. */
typedef struct {
    const double *service_s;
    const int16_t *cause;
    const double *within;
    const int64_t *windowed, *windowed_fault, *windowed_cause;
    const double *windowed_within;
} Fates;

/* How a fault is drawn: its stream, and the causes it can show up as. */
typedef struct { uint64_t key[2]; double rate; int64_t by_attempt, cause_count; const int64_t *causes; } Fault;

/* What holds for a kind of work. */
typedef struct { int64_t last_attempt, max_deliveries; double time_limit_s, waits_s[WAITS]; } Rules;

/* Seconds by which the network delays attempts that start in a window; `seen` tells windows apart by their start. */
typedef struct { double start_s, end_s, more_s; int64_t cause, seen; } Delay;

/* Functions of Python. Those that give nothing return 1, and anything else if they failed: 0 is what ctypes leaves. */
typedef struct {
    /* The next submissions: 1, or 0 if there are no more. */
    int64_t (*chunk)(const double **due_s, const int64_t **number, const int64_t **cause, int64_t *count);
    /* The fates of a block, to be kept by Python until the slot is filled again. */
    int64_t (*fates)(int64_t slot, int64_t block, int64_t attempt, int64_t copy, Fates *fates);
    int64_t (*rivals)(int64_t slot, int64_t block, int64_t attempt, const int64_t **count);
    int64_t (*kinds)(int64_t slot, int64_t block, const int64_t **kind);
    double (*wait_s)(int64_t number, int64_t attempt);
    double (*worker_name)(int64_t worker);
    int64_t (*outage_cause)(double start_s, double end_s);
    /* Rows of a scheduled fault that begins or ends: how many; `reopens`: whether the database may work again. */
    int64_t (*happen)(int64_t what, double now, double *rows, int64_t *reopens);
} Callbacks;

typedef struct {
    int64_t workers, regular_polls, lease_kind, acks_early, times_out, enforces, contended, watched, late_cause, placed;
    int64_t phases, delays, happenings, many_rules, faults;
    double poll_interval_s, lease_s, heartbeat_s, watchdog_s, worker_restart_s, busy_timeout_s, sample_interval_s, duration_s;
    const double *phases_s;
    Windows outages, blind, gone;
    const int64_t *codes;
    const int64_t *action;
    const double *hang_for_s, *slow_factor;
    const Windows *fault_windows;
    const Fault *fault;
    const Rules *rules;
    const int64_t *before;
    const Delay *delay;
    const double *happens_s;
    const int64_t *happens_end;
    Callbacks ask;
} Config;

typedef struct { double due; int64_t order, number, attempt; } Waiting;
typedef struct { double end_s; int64_t number, worker; } Running;
typedef struct { double due; int64_t number, cause; } Deferred;
typedef struct { int64_t order, number, attempt, worker, cause, action; double start_s; int64_t lost, events; } Attempt;
typedef struct { double t; int64_t turn, what, of; } Event;
typedef struct { int64_t block, attempt, copy; Fates of; } Drawn;
typedef struct { int64_t block, attempt; const int64_t *of; } Listed;

enum { E_STOP, E_ARRIVALS_OVER, E_HAPPEN, E_CATCH_UP, E_END, E_REPORT, E_CRASH, E_HANG, E_RESTART, E_EXPIRE };

/* A stop comes before all else of its instant, as SimPy's urgent events do; `turn` is the order of scheduling. */
#define EVENT_BEFORE(a, b) ((a).t < (b).t || ((a).t == (b).t && (a).turn < (b).turn))
#define READY_BEFORE(a, b) ((a).order < (b).order)
#define BACKED_BEFORE(a, b) ((a).due < (b).due || ((a).due == (b).due && (a).order < (b).order))
#define RUNNING_BEFORE(a, b)                                                  \
    ((a).end_s < (b).end_s || ((a).end_s == (b).end_s && (a).number < (b).number))

HEAP(Events, Event, EVENT_BEFORE)
HEAP(Ready, Waiting, READY_BEFORE)
HEAP(Backed, Waiting, BACKED_BEFORE)
HEAP(Runnings, Running, RUNNING_BEFORE)

typedef struct {
    Config c;
    double now, limit_s, next_due, poll_at, poll_asked_at, sample_at, ended_s;
    int64_t turn, order, open, away, deferring;
    Events events;
    Ready ready;
    Backed backing_off;
    Runnings running;
    Deferred *deferred;
    int64_t deferred_size, deferred_room;
    Attempt *attempts;
    int64_t attempts_size, attempts_room;
    int64_t *spare;
    int64_t spare_size, spare_room;
    int64_t *free;
    int64_t free_size, free_room;
    uint8_t *states;
    int64_t states_size, states_room;
    double *rows;
    int64_t rows_size, rows_room;
    const double *due;
    const int64_t *number, *cause;
    int64_t chunk_size, cursor, oldest;
    Drawn first[FIRST_KEPT], later[LATER_KEPT];
    int64_t first_size, first_next, later_size, later_next;
    Listed rivals[LATER_KEPT], kinds[LATER_KEPT];
    int64_t rivals_size, rivals_next, kinds_size, kinds_next;
    uint8_t *delay_seen;
    int64_t started;
    int failed;
} Queue;

#define STOP_TURN INT64_MIN
#define FAIL(queue, code) ((queue)->failed = (queue)->failed ? (queue)->failed : (code))

static void row(Queue *q, double t, int64_t kind, int64_t task, int64_t attempt, int64_t worker, int64_t cause, double value) {
    if (!(q->rows_size + WIDTH <= q->rows_room || grown((void **)&q->rows, &q->rows_room, q->rows_size + WIDTH, sizeof(double)))) {
        FAIL(q, NO_MEMORY);
        return;
    }
    double *at = q->rows + q->rows_size;
    at[0] = t;
    at[1] = (double)q->c.codes[kind];
    at[2] = (double)task;
    at[3] = (double)attempt;
    at[4] = (double)worker;
    at[5] = (double)cause;
    at[6] = value;
    q->rows_size += WIDTH;
}

/* Windows. */

/* The first window that ends after t; their number if there is none. */
static int64_t first_ending_after(Windows w, double t) {
    int64_t low = 0, high = w.count;
    while (low < high) {
        int64_t mid = (low + high) >> 1;
        if (w.edges[2 * mid + 1] > t) high = mid; else low = mid + 1;
    }
    return low;
}

static double first_outside(Windows w, double t) {
    int64_t at = first_ending_after(w, t);
    return at < w.count && w.edges[2 * at] <= t ? w.edges[2 * at + 1] : t;
}

static int inside(Windows w, double t) {
    int64_t at = first_ending_after(w, t);
    return at < w.count && w.edges[2 * at] <= t;
}

static int out_between(Queue *q, double start_s, double end_s) {
    int64_t at = first_ending_after(q->c.outages, start_s);
    return at < q->c.outages.count && q->c.outages.edges[2 * at] < end_s;
}

/* Leases. */

static double writable_from(Queue *q, double t) { return first_outside(q->c.outages, t); }

static int disturbed(Queue *q, double start_s, double end_s) {
    return (q->c.lease_kind == VISIBILITY && end_s - start_s > q->c.lease_s) || out_between(q, start_s, end_s);
}

static double next_look(Queue *q, double t) {
    double look_s = ceil(t / q->c.watchdog_s) * q->c.watchdog_s;
    double seeing_s = first_outside(q->c.blind, look_s);
    return seeing_s == look_s ? look_s : ceil(seeing_s / q->c.watchdog_s) * q->c.watchdog_s;
}

/* What one silence does to a lease: 1 if it expires then, at *found_s; 0 if not; -1 if no later one can matter. */
static int outlasted(Queue *q, double start_s, double end_s, double from_s, double to_s, double *found_s) {
    if (from_s >= end_s) return -1;
    double beats = ceil((from_s - start_s) / q->c.heartbeat_s) - 1;
    double renewed_s = start_s + (beats > 0 ? beats : 0) * q->c.heartbeat_s;
    if (renewed_s + q->c.heartbeat_s >= to_s) return 0;
    *found_s = next_look(q, renewed_s + q->c.lease_s);
    return *found_s < (end_s < to_s ? end_s : to_s);
}

/* When the watchdog finds the lease of an attempt expired; FOREVER if it never does before end_s. `own`: the silence of the
   attempt itself, or NULL; it is joined with outages that touch it. */
static double first_expiry(Queue *q, double start_s, double end_s, const double *own) {
    double found_s;
    if (q->c.lease_kind == NO_LEASES) return FOREVER;
    if (q->c.lease_kind == VISIBILITY) {
        found_s = next_look(q, start_s + q->c.lease_s);
        return found_s < end_s ? found_s : FOREVER;
    }
    Windows out = q->c.outages;
    int64_t at = first_ending_after(out, start_s);
    /* One that ends as this attempt begins is joined by a silence from there on: it begins earlier, which changes nothing. */
    int pending = own != NULL;
    double own_from = pending ? own[0] : 0, own_to = pending ? own[1] : 0;
    while (at < out.count || pending) {
        double from_s, to_s;
        if (pending && (at >= out.count || own_from < out.edges[2 * at])) {
            from_s = own_from, to_s = own_to, pending = 0;
        } else {
            from_s = out.edges[2 * at], to_s = out.edges[2 * at + 1], at++;
        }
        for (;;) {
            if (pending && own_from <= to_s) {
                if (own_to > to_s) to_s = own_to;
                pending = 0;
            } else if (at < out.count && out.edges[2 * at] <= to_s) {
                if (out.edges[2 * at + 1] > to_s) to_s = out.edges[2 * at + 1];
                at++;
            } else {
                break;
            }
        }
        int found = outlasted(q, start_s, end_s, from_s, to_s, &found_s);
        if (found < 0) return FOREVER;
        if (found) return found_s;
    }
    return FOREVER;
}

/* Polls. */

static double multiple_from(double t, double interval_s) {
    double next = ceil(t / interval_s) * interval_s;
    return next > t ? next : t;
}

static double tick(Queue *q, double phase_s, double t) {
    if (!q->c.poll_interval_s) return t;
    double next = multiple_from(t - phase_s, q->c.poll_interval_s) + phase_s;
    return next > t ? next : t;
}

static double first_poll_of(Queue *q, int64_t place, double t) {
    double poll_s = tick(q, q->c.phases_s[place], t);
    double back_s = place ? poll_s : first_outside(q->c.gone, poll_s);
    return back_s == poll_s ? poll_s : tick(q, q->c.phases_s[place], back_s);
}

static double first_poll_from(Queue *q, double t) {
    if (q->c.regular_polls) return multiple_from(t, q->c.poll_interval_s);
    for (;;) {
        double poll_s = first_poll_of(q, 0, t);
        for (int64_t place = 1; place < q->c.phases; place++) {
            double other = first_poll_of(q, place, t);
            if (other < poll_s) poll_s = other;
        }
        double writable_s = writable_from(q, poll_s);
        if (writable_s == poll_s) return poll_s;
        t = writable_s;
    }
}

/* What is drawn. */

/* The block of the oldest task that has not ended, a second submission of it included: earlier ones are hardly read again. */
static int64_t oldest_block(Queue *q) {
    while (q->oldest + 1 < q->states_size) {
        uint8_t own = q->states[q->oldest], second = q->states[q->oldest + 1];
        if (own < S_DONE || (second && second < S_DONE)) break;
        q->oldest += 2;
    }
    return q->oldest >> 1 >> BLOCK_BITS;
}

/* Where the next table goes (a table begins with the number of its block): in place of one whose tasks have all ended, else
   beside the others; where there are `most`, in place of the one made first. */
static int64_t slot_for(Queue *q, const void *kept, size_t width, int64_t *size, int64_t *next, int64_t most) {
    int64_t oldest = oldest_block(q);
    for (int64_t slot = 0; slot < *size; slot++)
        if (*(const int64_t *)((const char *)kept + (size_t)slot * width) < oldest) return slot;
    int64_t slot = *size < most ? (*size)++ : *next;
    *next = (slot + 1) % most;
    return slot;
}

static const Fates *fates_of(Queue *q, int64_t block, int64_t attempt, int64_t copy) {
    int first = attempt == 1;
    Drawn *kept = first ? q->first : q->later;
    int64_t *size = first ? &q->first_size : &q->later_size, *next = first ? &q->first_next : &q->later_next;
    for (int64_t place = *size; place-- > 0;)
        if (kept[place].block == block && kept[place].attempt == attempt && kept[place].copy == copy) return &kept[place].of;
    int64_t slot = slot_for(q, kept, sizeof *kept, size, next, first ? FIRST_KEPT : LATER_KEPT);
    Drawn *fresh = &kept[slot];
    fresh->block = -1;
    if (q->c.ask.fates(first ? slot : FIRST_KEPT + slot, block, attempt, copy, &fresh->of) <= 0) {
        FAIL(q, FAILED);
        return NULL;
    }
    fresh->block = block, fresh->attempt = attempt, fresh->copy = copy;
    return &fresh->of;
}

static int64_t listed(Queue *q, int rivals, int64_t number, int64_t attempt) {
    Listed *kept = rivals ? q->rivals : q->kinds;
    int64_t *size = rivals ? &q->rivals_size : &q->kinds_size, *next = rivals ? &q->rivals_next : &q->kinds_next;
    int64_t arrival = number >> 1, block = arrival >> BLOCK_BITS, index = arrival & (BLOCK - 1);
    for (int64_t place = *size; place-- > 0;)
        if (kept[place].block == block && kept[place].attempt == attempt) return kept[place].of[index];
    int64_t slot = slot_for(q, kept, sizeof *kept, size, next, LATER_KEPT);
    Listed *fresh = &kept[slot];
    fresh->block = -1;
    int64_t got = rivals ? q->c.ask.rivals(slot, block, attempt, &fresh->of) : q->c.ask.kinds(slot, block, &fresh->of);
    if (got <= 0) {
        FAIL(q, FAILED);
        return 0;
    }
    fresh->block = block, fresh->attempt = attempt;
    return fresh->of[index];
}

static int64_t kind_of(Queue *q, int64_t number) { return listed(q, 0, number, 0); }

static const Rules *rules_of(Queue *q, int64_t number) {
    return &q->c.rules[q->c.many_rules ? kind_of(q, number) : 0];
}

/* What the first fault that decides does to an attempt: `Fates.block` for one task. */
static void meet(Queue *q, int64_t number, int64_t attempt, double start_s, int64_t *cause, double *within) {
    int64_t arrival = number >> 1, copies = (number & 1) * COPY_LAYERS;
    for (int64_t each = 0; each < q->c.faults; each++) {
        const Fault *fault = &q->c.fault[each];
        int64_t layer = (fault->by_attempt ? attempt : 0) + copies;
        double uniform = uniform_at(fault->key, arrival >> BLOCK_BITS, layer, arrival & (BLOCK - 1));
        if (!(uniform < fault->rate)) continue;
        if (q->c.fault_windows[each].count && !inside(q->c.fault_windows[each], start_s)) continue;
        *within = uniform / fault->rate;
        int64_t which = (int64_t)(*within * (double)fault->cause_count);
        *cause = fault->causes[which < fault->cause_count ? which : fault->cause_count - 1];
        return;
    }
}

static void fate(Queue *q, int64_t number, int64_t attempt, double start_s, double *service_s, int64_t *cause, double *within) {
    int64_t arrival = number >> 1, index = arrival & (BLOCK - 1);
    const Fates *drawn = fates_of(q, arrival >> BLOCK_BITS, attempt, number & 1);
    if (!drawn) return;
    *service_s = drawn->service_s[index];
    if (drawn->cause) {
        *cause = drawn->cause[index];
        *within = drawn->within[index];
    } else {
        meet(q, number, attempt, start_s, cause, within);
    }
    if (drawn->windowed)
        for (int64_t at = drawn->windowed[index]; at < drawn->windowed[index + 1]; at++)
            if (inside(q->c.fault_windows[drawn->windowed_fault[at]], start_s)) {
                *cause = drawn->windowed_cause[at];
                *within = drawn->windowed_within[at];
                break;
            }
    for (int64_t at = 0; at < q->c.delays; at++) {
        const Delay *delay = &q->c.delay[at];
        if (delay->start_s <= start_s && start_s < delay->end_s) {
            *service_s += delay->more_s;
            if (!q->delay_seen[delay->seen]) {
                q->delay_seen[delay->seen] = 1;
                row(q, start_s, K_SEEN, -1, 0, -1, delay->cause, 0.0);
            }
        }
    }
}

static double wait_after(Queue *q, int64_t number, int64_t attempt) {
    double wait_s = attempt <= WAITS ? rules_of(q, number)->waits_s[attempt - 1] : NAN;
    if (isnan(wait_s)) {
        wait_s = q->c.ask.wait_s(number, attempt);
        if (isnan(wait_s)) FAIL(q, FAILED);
    }
    return wait_s;
}

static int64_t outage_cause(Queue *q, double start_s, double end_s) {
    int64_t cause = q->c.ask.outage_cause(start_s, end_s);
    if (cause < 0) FAIL(q, FAILED);
    return cause;
}

/* The calendar. */

static void at(Queue *q, double t, int64_t what, int64_t of) {
    double delay = t - q->now;
    Event event = {q->now + (delay > 0.0 ? delay : 0.0), q->turn++, what, of};
    if (!Events_push(&q->events, event)) FAIL(q, NO_MEMORY);
    if (t < q->limit_s) q->limit_s = t;
}

static void at_attempt(Queue *q, double t, int64_t what, int64_t attempt) {
    q->attempts[attempt].events++;
    at(q, t, what, attempt);
}

/* Work comes in. */

static void next_chunk(Queue *q) {
    while (q->cursor == q->chunk_size) {
        int64_t got = q->c.ask.chunk(&q->due, &q->number, &q->cause, &q->chunk_size);
        if (got <= 0) {
            if (got < 0) FAIL(q, FAILED);
            q->chunk_size = q->cursor = 0;
            q->next_due = FOREVER;
            return;
        }
        q->cursor = 0;
        int64_t highest = -1;
        for (int64_t place = 0; place < q->chunk_size; place++)
            if (q->number[place] > highest) highest = q->number[place];
        if (highest + 2 > q->states_size) {
            if (highest + 2 > q->states_room && !grown((void **)&q->states, &q->states_room, highest + 2, 1)) {
                FAIL(q, NO_MEMORY);
                q->next_due = FOREVER;
                return;
            }
            memset(q->states + q->states_size, 0, (size_t)(highest + 2 - q->states_size));
            q->states_size = highest + 2;
        }
    }
    q->next_due = q->due[q->cursor];
}

static void accept(Queue *q, int64_t number, double due) {
    q->states[number] = S_PENDING;
    q->open++;
    q->order++;
    int64_t place = q->c.placed ? q->c.before[kind_of(q, number)] + q->order : q->order;
    if (!Ready_push(&q->ready, (Waiting){due, place, number, 1})) FAIL(q, NO_MEMORY);
}

static void enqueue(Queue *q, double now, double due, int64_t number, int64_t cause) {
    row(q, now, K_ENQUEUED, number, 0, -1, cause, due);
    accept(q, number, due);
}

static void enqueue_again(Queue *q, double now, double due, int64_t number, int64_t cause) {
    row(q, now, K_DUPLICATE, number, 0, -1, cause, 0.0);
    uint8_t state = q->states[number & ~(int64_t)1];
    if (state == S_PENDING || state == S_IN_PROGRESS || state == S_DONE)
        row(q, now, K_SKIPPED, number, 0, -1, cause, 0.0);
    else
        enqueue(q, now, due, number, cause);
}

/* Work that could not be accepted: recorded for the first, and where another outage has taken over since the one before. */
static void defer(Queue *q, double due, int64_t number, int64_t cause) {
    int64_t out = outage_cause(q, due, due + 1e-6);
    if (!q->deferred_size || out != q->deferring) row(q, due, K_SEEN, -1, 0, -1, out, 0.0);
    q->deferring = out;
    if (!cause) {
        row(q, due, K_DEFERRED, number, 0, -1, cause, due);
        q->states[number] = S_DEFERRED;
    }
    if (!RESERVE(q->deferred, q->deferred_size, q->deferred_room)) {
        FAIL(q, NO_MEMORY);
        return;
    }
    q->deferred[q->deferred_size++] = (Deferred){due, number, cause};
}

static void catch_up(Queue *q, double now) {
    while (q->next_due <= now && !q->failed) {
        double due = q->next_due;
        int64_t number = q->number[q->cursor], cause = q->cause[q->cursor];
        q->cursor++;
        if (q->cursor < q->chunk_size) q->next_due = q->due[q->cursor]; else next_chunk(q);
        if (q->c.outages.count) {
            if (writable_from(q, due) != due)
                defer(q, due, number, cause);
            else if (cause)
                enqueue_again(q, due, due, number, cause);
            else
                enqueue(q, due, due, number, cause);
        } else if (cause) {
            enqueue_again(q, due, due, number, cause);
        } else {
            accept(q, number, due); /* its row is recorded already */
        }
    }
}

/* Dispatchers poll. */

static void plan_poll(Queue *q, double now) {
    double t = now;
    if (!q->ready.size) {
        t = q->next_due;
        if (q->backing_off.size && q->backing_off.at[0].due < t) {
            t = q->backing_off.at[0].due;
            if (!(t > now)) t = now;
        }
    }
    if (t < q->poll_asked_at) {
        q->poll_asked_at = t;
        q->poll_at = first_poll_from(q, t);
    }
}

static void begin_mishap(Queue *q, int64_t which, double service_s, double within);

static int64_t new_attempt(Queue *q) {
    if (q->spare_size) return q->spare[--q->spare_size];
    if (!RESERVE(q->attempts, q->attempts_size, q->attempts_room)) {
        FAIL(q, NO_MEMORY);
        return 0;
    }
    return q->attempts_size++;
}

static void begin(Queue *q, double now, Waiting work, int64_t worker) {
    double service_s = 0.0, within = 0.0;
    int64_t cause = 0, number = work.number, attempt = work.attempt;
    fate(q, number, attempt, now, &service_s, &cause, &within);
    if (q->failed) return;
    q->states[number] = S_IN_PROGRESS;
    if (q->c.contended) {
        int64_t losers = listed(q, 1, number, attempt);
        if (losers) row(q, now, K_CONTENDED, number, attempt, -1, 0, (double)losers);
    }
    if (cause || (q->c.watched && disturbed(q, now, now + service_s))) {
        row(q, now, K_BEGIN, number, attempt, worker, 0, 0.0);
        int64_t which = new_attempt(q);
        if (q->failed) return;
        q->attempts[which] = (Attempt){work.order, number, attempt, worker, cause, q->c.action[cause], now, 0, 0};
        begin_mishap(q, which, service_s, within);
    } else {
        double end_s = now + service_s;
        row(q, now, K_RUN, number, attempt, worker, 0, end_s);
        if (!Runnings_push(&q->running, (Running){end_s, number, worker})) FAIL(q, NO_MEMORY);
    }
}

static void dispatch(Queue *q, double now) {
    if (q->next_due <= now) catch_up(q, now);
    while (q->backing_off.size && q->backing_off.at[0].due <= now)
        if (!Ready_push(&q->ready, Backed_pop(&q->backing_off))) FAIL(q, NO_MEMORY);
    while (q->ready.size && q->free_size && !q->failed) {
        Waiting work = Ready_pop(&q->ready);
        begin(q, now, work, q->free[--q->free_size]);
    }
}

static void poll(Queue *q, double now) {
    q->poll_at = q->poll_asked_at = FOREVER;
    dispatch(q, now);
    if (q->free_size) plan_poll(q, now);
}

/* Attempts end. */

static void close_task(Queue *q, double now, int64_t number, uint8_t state) {
    q->states[number] = state;
    q->open--;
    if (!q->open && now >= q->c.duration_s) q->ended_s = now;
}

static void set_free(Queue *q, int64_t worker) {
    if (!RESERVE(q->free, q->free_size, q->free_room)) {
        FAIL(q, NO_MEMORY);
        return;
    }
    q->free[q->free_size++] = worker;
}

static void release(Queue *q, double now, int64_t worker) {
    set_free(q, worker);
    plan_poll(q, now);
}

static void end_well(Queue *q, Running done) {
    double now = done.end_s;
    if (q->next_due <= now) catch_up(q, now);
    close_task(q, now, done.number, S_DONE);
    set_free(q, done.worker);
    /* A poll that is planned already covers all work but what was waiting for a worker. */
    if (q->ready.size || q->poll_asked_at == FOREVER) plan_poll(q, now);
}

/* Attempts that a fault or an outage touches. */

static int body_fails(int64_t action) {
    return action == TRANSIENT || action == PERMANENT || action == OVER_BUDGET || action == TIME_LIMIT;
}

static void begin_mishap(Queue *q, int64_t which, double service_s, double within) {
    Attempt *a = &q->attempts[which];
    double start_s = a->start_s, silence[2];
    const double *own = NULL;
    int64_t action = a->action;
    if (action == SLOW) {
        service_s *= q->c.slow_factor[a->cause];
        row(q, start_s, K_INJECTED, a->number, a->attempt, a->worker, a->cause, 0.0);
        if (q->c.late_cause) {
            double longest_s = rules_of(q, a->number)->time_limit_s;
            if (service_s > longest_s) {
                service_s = longest_s;
                if (q->c.late_cause != a->cause) {
                    row(q, start_s, K_SEEN, -1, 0, -1, a->cause, 0.0);
                    a->cause = q->c.late_cause;
                    a->action = TIME_LIMIT;
                }
            }
        }
    }
    double struck_s = start_s + within * service_s, end_s = start_s + service_s;
    if (!q->c.watched && action != CRASH && action != HANG) {
        at_attempt(q, end_s, E_END, which);
        return;
    }
    if (action == CRASH) {
        at_attempt(q, struck_s, E_CRASH, which);
        silence[0] = struck_s, silence[1] = FOREVER, own = silence;
        end_s = FOREVER;
    } else if (action == HANG) {
        double hang_for_s = q->c.hang_for_s[a->cause];
        at_attempt(q, struck_s, E_HANG, which);
        silence[0] = struck_s, silence[1] = struck_s + hang_for_s, own = silence;
        end_s += hang_for_s;
    }
    if (end_s < FOREVER) at_attempt(q, end_s, E_END, which);
    double reported_s = writable_from(q, end_s) + (action == DB_LOCK ? q->c.busy_timeout_s : 0.0);
    double expires_s = first_expiry(q, start_s, reported_s, own);
    if (expires_s < FOREVER) at_attempt(q, expires_s, E_EXPIRE, which);
}

static void finish(Queue *q, double now, int64_t kind, uint8_t state, const Attempt *a, int64_t cause) {
    row(q, now, kind, a->number, a->attempt, a->worker, cause, 0.0);
    close_task(q, now, a->number, state);
}

static void try_again(Queue *q, double now, double due, const Attempt *a, int64_t cause) {
    const Rules *rules = rules_of(q, a->number);
    if (a->attempt >= rules->last_attempt) {
        if (rules->max_deliveries >= 0 && a->attempt >= rules->max_deliveries)
            row(q, now, K_DEAD_LETTERED, a->number, a->attempt, a->worker, cause, 0.0);
        finish(q, now, K_FAILED, S_FAILED, a, cause);
        return;
    }
    row(q, now, K_RETRY, a->number, a->attempt, a->worker, cause, due);
    q->states[a->number] = S_PENDING;
    if (!Backed_push(&q->backing_off, (Waiting){due, a->order, a->number, a->attempt + 1})) FAIL(q, NO_MEMORY);
}

static void report(Queue *q, Attempt *a) {
    double now = q->now;
    if (a->lost)
        row(q, now, K_REFUSED, a->number, a->attempt, a->worker, a->cause, 0.0);
    else if (a->action == TRANSIENT || a->action == DB_LOCK || a->action == TIME_LIMIT)
        try_again(q, now, now + wait_after(q, a->number, a->attempt), a, a->cause);
    else if (a->action == PERMANENT)
        finish(q, now, K_FAILED, S_FAILED, a, a->cause);
    else if (a->action == OVER_BUDGET && q->c.enforces)
        finish(q, now, K_BLOCKED, S_BLOCKED, a, a->cause);
    else
        finish(q, now, K_DONE, S_DONE, a, 0);
    release(q, now, a->worker);
}

static void end_mishap(Queue *q, int64_t which) {
    double now = q->now;
    catch_up(q, now);
    Attempt *a = &q->attempts[which];
    int64_t action = a->action;
    int fails = body_fails(action);
    if ((fails || action == DB_LOCK) && action != TIME_LIMIT)
        row(q, now, K_INJECTED, a->number, a->attempt, a->worker, a->cause, 0.0);
    else if (action == HANG || action == SLOW)
        row(q, now, K_SEEN, -1, 0, -1, a->cause, 0.0);
    row(q, now, K_ENDED, a->number, a->attempt, a->worker, fails ? a->cause : 0, now - a->start_s);
    double reported_s = writable_from(q, now);
    if (reported_s > now) row(q, now, K_SEEN, -1, 0, -1, outage_cause(q, now, now + 1e-6), 0.0);
    if (action == DB_LOCK) reported_s += q->c.busy_timeout_s;
    if (reported_s > now)
        at_attempt(q, reported_s, E_REPORT, which);
    else
        report(q, a);
}

static void crash(Queue *q, int64_t which) {
    double now = q->now;
    catch_up(q, now);
    Attempt *a = &q->attempts[which];
    row(q, now, K_INJECTED, a->number, a->attempt, a->worker, a->cause, 0.0);
    row(q, now, K_ENDED, a->number, a->attempt, a->worker, a->cause, now - a->start_s);
    double name = q->c.ask.worker_name(a->worker);
    if (isnan(name)) FAIL(q, FAILED);
    row(q, now, K_EXITED, -1, 0, a->worker, a->cause, name);
    q->away++;
    if (q->c.acks_early) finish(q, now, K_LOST, S_LOST, a, a->cause);
    at(q, now + q->c.worker_restart_s, E_RESTART, a->worker);
}

static void restart(Queue *q, int64_t worker) {
    double now = q->now;
    catch_up(q, now);
    double name = q->c.ask.worker_name(worker);
    if (isnan(name)) FAIL(q, FAILED);
    row(q, now, K_STARTED, -1, 0, worker, 0, name);
    q->away--;
    release(q, now, worker);
}

static void expire(Queue *q, int64_t which) {
    double now = q->now;
    catch_up(q, now);
    Attempt *a = &q->attempts[which];
    a->lost = 1;
    int own = !q->c.times_out || a->action == SLOW || a->action == CRASH || a->action == HANG;
    int64_t cause = own && a->cause ? a->cause : outage_cause(q, a->start_s, now);
    row(q, now, K_EXPIRED, a->number, a->attempt, a->worker, cause, 0.0);
    try_again(q, now, now, a, cause);
    plan_poll(q, now);
}

/* Scheduled faults, and what is seen from outside. */

static void happen(Queue *q, int64_t what) {
    double now = q->now, rows[TOLD * WIDTH];
    int64_t reopens = 0, ends = q->c.happens_end[what];
    /* What arrives as a fault ends comes after what has waited for the end of an outage. */
    catch_up(q, ends ? nextafter(now, 0.0) : now);
    int64_t count = q->c.ask.happen(what, now, rows, &reopens);
    if (count < 0) {
        FAIL(q, FAILED);
        return;
    }
    for (int64_t place = 0; place < count; place++) {
        const double *told = rows + place * WIDTH;
        row(q, told[0], 0, (int64_t)told[2], (int64_t)told[3], (int64_t)told[4], (int64_t)told[5], told[6]);
        if (!q->failed) q->rows[q->rows_size - WIDTH + 1] = told[1];
    }
    if (!reopens || writable_from(q, now) != now) return;
    Deferred *waited = q->deferred;
    int64_t size = q->deferred_size;
    q->deferred = NULL;
    q->deferred_size = q->deferred_room = 0;
    for (int64_t place = 0; place < size; place++)
        (waited[place].cause ? enqueue_again : enqueue)(q, now, waited[place].due, waited[place].number, waited[place].cause);
    free(waited);
    catch_up(q, now);
    plan_poll(q, now);
}

/* The least due time of a heap: all that lies below a first attempt came later, and is due later, a retry of it too. */
static double first_due(const Waiting *ready, int64_t size, int64_t place) {
    double least = ready[place].due;
    if (ready[place].attempt == 1) return least;
    for (int64_t below = 2 * place + 1; below < size && below <= 2 * place + 2; below++) {
        double due = first_due(ready, size, below);
        if (due < least) least = due;
    }
    return least;
}

static double oldest_due(Queue *q, double now) {
    double oldest = now;
    const Waiting *ready = q->ready.at;
    if (q->c.placed) {
        for (int64_t place = 0; place < q->ready.size; place++)
            if (ready[place].due < oldest) oldest = ready[place].due;
    }
    for (int64_t place = 0; place < q->deferred_size; place++)
        if (!q->deferred[place].cause) {
            oldest = q->deferred[place].due;
            break;
        }
    if (q->ready.size && !q->c.placed) {
        /* Work is handed out in the order of arrival: only where a retry comes first may another have waited longer. */
        double waited = first_due(ready, q->ready.size, 0);
        if (waited < oldest) oldest = waited;
    }
    return q->backing_off.size && q->backing_off.at[0].due < oldest ? q->backing_off.at[0].due : oldest;
}

static void sample(Queue *q, double now) {
    catch_up(q, now);
    int64_t pending = q->ready.size + q->backing_off.size, busy = q->c.workers - q->free_size - q->away;
    row(q, now, K_DEPTH, -1, 0, -1, 0, (double)pending);
    row(q, now, K_OLDEST, -1, 0, -1, 0, now - oldest_due(q, now));
    row(q, now, K_BUSY, -1, 0, -1, 0, (double)busy);
    q->sample_at = now + q->c.sample_interval_s;
}

/* The clock. */

static void step(Queue *q) {
    q->limit_s = q->events.size ? q->events.at[0].t : FOREVER;
    while (!q->failed) {
        double end_s = q->running.size ? q->running.at[0].end_s : FOREVER, next_s = end_s;
        if (q->poll_at < next_s) next_s = q->poll_at;
        if (q->sample_at < next_s) next_s = q->sample_at;
        if (next_s >= q->limit_s) return;
        if (next_s == q->sample_at)
            sample(q, next_s);
        else if (next_s == end_s)
            end_well(q, Runnings_pop(&q->running));
        else
            poll(q, next_s);
    }
}

static void arrivals_over(Queue *q) {
    catch_up(q, q->now);
    if (!q->open && !q->deferred_size) q->ended_s = q->now;
}

static void carry_out(Queue *q, Event event) {
    switch (event.what) {
        case E_ARRIVALS_OVER: arrivals_over(q); break;
        case E_HAPPEN: happen(q, event.of); break;
        case E_CATCH_UP: catch_up(q, q->now); break;
        case E_END: end_mishap(q, event.of); break;
        case E_REPORT: catch_up(q, q->now); report(q, &q->attempts[event.of]); break;
        case E_CRASH: crash(q, event.of); break;
        case E_HANG: {
            catch_up(q, q->now);
            Attempt *a = &q->attempts[event.of];
            row(q, q->now, K_INJECTED, a->number, a->attempt, a->worker, a->cause, 0.0);
            break;
        }
        case E_RESTART: restart(q, event.of); break;
        case E_EXPIRE: expire(q, event.of); break;
    }
    if (event.what >= E_END && event.what != E_RESTART && !--q->attempts[event.of].events) {
        if (!RESERVE(q->spare, q->spare_size, q->spare_room))
            FAIL(q, NO_MEMORY);
        else
            q->spare[q->spare_size++] = event.of;
    }
}

static void start(Queue *q) {
    q->started = 1;
    next_chunk(q);
    at(q, q->c.duration_s, E_ARRIVALS_OVER, 0);
    for (int64_t what = 0; what < q->c.happenings; what++) at(q, q->c.happens_s[what], E_HAPPEN, what);
    plan_poll(q, 0.0);
}

/* What Python calls. */

/* A uniform number, so that Python sees whether NumPy draws as here. */
double queue_uniform(const uint64_t *key, int64_t block, int64_t layer, int64_t place) {
    return uniform_at(key, block, layer, place);
}

void *queue_new(const Config *config, int64_t delay_starts) {
    Queue *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    q->c = *config;
    q->poll_at = q->poll_asked_at = FOREVER;
    q->next_due = -FOREVER;
    q->sample_at = config->sample_interval_s;
    q->ended_s = NAN;
    q->delay_seen = calloc((size_t)delay_starts + 1, 1);
    int made = q->delay_seen != NULL;
    for (int64_t worker = config->workers; made && worker-- > 0;) {
        made = RESERVE(q->free, q->free_size, q->free_room);
        if (made) q->free[q->free_size++] = worker;
    }
    if (!made) q->failed = NO_MEMORY;
    return q;
}

/* Simulates up to until_s; returns 0, FAILED if a callback did, or NO_MEMORY. */
int64_t queue_run(void *queue, double until_s) {
    Queue *q = queue;
    if (!q->started && !q->failed) start(q);
    if (q->failed) return q->failed;
    at(q, q->now, E_CATCH_UP, 0);
    Event stop = {q->now + (until_s - q->now), STOP_TURN, E_STOP, 0};
    q->turn++;
    if (!Events_push(&q->events, stop)) FAIL(q, NO_MEMORY);
    while (!q->failed) {
        Event event = Events_pop(&q->events);
        q->now = event.t;
        if (event.what == E_STOP) break;
        carry_out(q, event);
        if (!q->failed) step(q);
    }
    if (!q->failed) catch_up(q, until_s);
    return q->failed;
}

/* How many rows there are since the last that were taken. */
int64_t queue_recorded(void *queue) { return ((Queue *)queue)->rows_size / WIDTH; }

/* Takes these rows, WIDTH numbers each. */
void queue_take(void *queue, double *rows) {
    Queue *q = queue;
    memcpy(rows, q->rows, (size_t)q->rows_size * sizeof *rows);
    q->rows_size = 0;
}

/* When the last open task was closed after the end of arrivals; NaN before. */
double queue_ended_s(void *queue) { return ((Queue *)queue)->ended_s; }

/* How many tasks are in each of nine states. */
void queue_census(void *queue, int64_t *counts) {
    Queue *q = queue;
    for (int64_t place = 0; place < q->states_size; place++) counts[q->states[place]]++;
}

void queue_free(void *queue) {
    Queue *q = queue;
    void *parts[] = {q->events.at, q->ready.at, q->backing_off.at, q->running.at, q->deferred, q->attempts, q->spare, q->free,
                     q->states, q->rows, q->delay_seen, q};
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) free(parts[part]);
}

SHARED(
    SIZE(Config) SIZE(Rules) SIZE(Delay) SIZE(Fates) SIZE(Windows) SIZE(Fault) SIZE(Callbacks)
    CONSTANT(WIDTH) CONSTANT(BLOCK) CONSTANT(WAITS) CONSTANT(TOLD) CONSTANT(KINDS) CONSTANT(FAILED)
    CONSTANT(RENEWED) CONSTANT(VISIBILITY) CONSTANT(NO_LEASES)
    CONSTANT(NONE) CONSTANT(TRANSIENT) CONSTANT(PERMANENT) CONSTANT(DB_LOCK) CONSTANT(OVER_BUDGET) CONSTANT(CRASH) CONSTANT(HANG)
    CONSTANT(SLOW) CONSTANT(TIME_LIMIT)
    CONSTANT(S_NONE) CONSTANT(S_DEFERRED) CONSTANT(S_PENDING) CONSTANT(S_IN_PROGRESS) CONSTANT(S_DONE) CONSTANT(S_FAILED)
    CONSTANT(S_BLOCKED) CONSTANT(S_CANCELLED) CONSTANT(S_LOST)
)
