/* Blocks of events as JSON lines: what lines.py does in NumPy, to the last byte.

   Every text of a line is a piece, escaped already, of one long text: those of the kinds of events and of the words of the
   stream. Whatever is out of the ordinary is left to NumPy. */
#include "soak.h"

enum { TASK = 1, KEY = 2, ATTEMPT = 4, WORKER = 8, RECORDS = 16, NUMERIC = 32, NAMED = 64, LABEL = 128, CAUSE = 256, BY = 512, KNOWN = 1024 };

static const double LARGEST = 9e12;
enum { MOST_TASK = 1000000000, MOST_ATTEMPT = 10000, MOST_WORKER = 100000000, MOST_RECORDS = 100000000 };

typedef struct {
    int64_t start, length;
} Piece;

typedef struct {
    int64_t flags;
    Piece type, value, state;
} KindOf;

typedef struct {
    Piece fault, error, by;
} CauseOf;

typedef struct {
    int64_t n_kinds, n_causes, n_labels, n_names;
    const KindOf *kinds;
    const CauseOf *causes;
    const Piece *labels, *names;
    const char *kind_text, *word_text; /* each with STEP bytes more than are used */
} Words;

typedef struct {
    int64_t n;
    const double *t;
    const int64_t *kind, *task, *attempt, *worker, *cause, *label;
    const double *value;
} Block;

enum { STEP = 16, FIXED = 256 };
/* The longest of what is in a line besides pieces: seven numbers, their names, and what is written too far. */

static const char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Up to STEP - 1 bytes too many are written, and read. */
static inline char *put(char *at, const char *text, int64_t length) {
    for (int64_t done = 0; done < length; done += STEP) memcpy(at + done, text + done, STEP);
    return at + length;
}

static inline char *put_literal(char *at, const char *text, size_t length) {
    memcpy(at, text, length);
    return at + length;
}

#define LITERAL(at, text) put_literal(at, text, sizeof text - 1)

static inline char *put_whole(char *at, uint64_t number) {
    char digits[20];
    int first = 20;
    while (number >= 100) {
        uint64_t rest = number / 100;
        first -= 2;
        memcpy(digits + first, PAIRS + 2 * (number - rest * 100), 2);
        number = rest;
    }
    if (number >= 10) {
        memcpy(at, PAIRS + 2 * number, 2);
        at += 2;
    } else {
        *at++ = (char)('0' + number);
    }
    memcpy(at, digits + first, (size_t)(20 - first));
    return at + (20 - first);
}

static inline uint64_t ticks_of(double seconds) { return (uint64_t)(int64_t)to_whole(seconds * TICKS_PER_S); }

static inline char *put_decimal(char *at, double seconds) {
    uint64_t ticks = ticks_of(seconds), whole = ticks / 1000000;
    uint32_t fraction = (uint32_t)(ticks - whole * 1000000), upper = fraction / 100, first = upper / 100;
    at = put_whole(at, whole);
    *at = '.';
    memcpy(at + 1, PAIRS + 2 * first, 2);
    memcpy(at + 3, PAIRS + 2 * (upper - first * 100), 2);
    memcpy(at + 5, PAIRS + 2 * (fraction - upper * 100), 2);
    return at + 7;
}

/* Whether every event is of the ordinary: 0, or -1 to leave the block to NumPy. */
int64_t soak_check_lines(const Block *block, const Words *words) {
    for (int64_t i = 0; i < block->n; i++) {
        int64_t kind = block->kind[i];
        if (kind < 0 || kind >= words->n_kinds) return -1;
        int64_t flags = words->kinds[kind].flags;
        if (!(flags & KNOWN)) return -1;
        if (!(block->t[i] >= 0 && block->t[i] < LARGEST)) return -1;
        if (block->task[i] >> 1 >= MOST_TASK) return -1;
        if (block->attempt[i] < 0 || block->attempt[i] >= (flags & RECORDS ? MOST_RECORDS : MOST_ATTEMPT)) return -1;
        if (block->worker[i] >= MOST_WORKER) return -1;
        if (block->cause[i] < 0 || block->cause[i] >= words->n_causes) return -1;
        if (block->label[i] < -1 || block->label[i] >= words->n_labels) return -1;
        double value = block->value[i];
        if (flags & NUMERIC && !(value >= 0 && value < LARGEST)) return -1;
        if (flags & NAMED && (value != value ? !words->n_names : !((value == -1 && words->n_names) || (value >= 0 && value < (double)words->n_names)))) return -1;
    }
    return 0;
}

static inline char *put_kind(char *at, const Words *words, Piece piece) {
    return put(at, words->kind_text + piece.start, piece.length);
}

static inline char *put_word(char *at, const Words *words, Piece piece) {
    return put(at, words->word_text + piece.start, piece.length);
}

static inline char *put_task(char *at, const Block *block, int64_t i, int64_t flags) {
    uint64_t task = (uint64_t)block->task[i];
    if (flags & TASK) {
        at = put_whole(LITERAL(at, ",\"task\":\""), task >> 1);
        at = task & 1 ? LITERAL(at, ".2\"") : LITERAL(at, "\"");
    }
    if (flags & KEY) {
        at = put_whole(LITERAL(at, ",\"key\":\""), task >> 1);
        *at++ = '"';
    }
    if (flags & ATTEMPT) at = put_whole(LITERAL(at, ",\"attempt\":"), (uint64_t)block->attempt[i]);
    return at;
}

static inline char *put_words(char *at, const Block *block, int64_t i, const Words *words, const KindOf *kind) {
    at = put_kind(at, words, kind->state);
    if (kind->flags & LABEL && block->label[i] >= 0) at = put_word(at, words, words->labels[block->label[i]]);
    if (kind->flags & NAMED) {
        double value = block->value[i];
        int64_t name = value != value ? 0 : (int64_t)value;
        if (name >= 0 && words->names[name].length) at = put_word(put_kind(at, words, kind->value), words, words->names[name]);
    }
    const CauseOf *cause = words->causes + block->cause[i];
    if (kind->flags & CAUSE) at = put_word(put_word(at, words, cause->fault), words, cause->error);
    if (kind->flags & BY) at = put_word(at, words, cause->by);
    return at;
}

/* Writes the lines of events from `first` on, as long as `longest` bytes of the pieces of a line and what else there is to it
   have room. Returns the number of bytes; `*next` is the first event that was not written. */
int64_t soak_lines(const Block *block, const Words *words, int64_t first, int64_t longest, char *out, int64_t room,
                   int64_t *next) {
    char *at = out;
    int64_t i = first;
    for (; i < block->n && room - (at - out) >= longest + FIXED; i++) {
        const KindOf *kind = words->kinds + block->kind[i];
        at = put_decimal(LITERAL(at, "{\"t\":"), block->t[i]);
        at = put_kind(at, words, kind->type);
        if (block->task[i] >= 0) at = put_task(at, block, i, kind->flags);
        if (kind->flags & WORKER && block->worker[i] >= 0)
            at = put_whole(LITERAL(at, ",\"worker\":"), (uint64_t)block->worker[i]);
        if (kind->flags & RECORDS) at = put_whole(LITERAL(at, ",\"records\":"), (uint64_t)block->attempt[i]);
        if (kind->flags & NUMERIC) at = put_decimal(put_kind(at, words, kind->value), block->value[i]);
        at = LITERAL(put_words(at, block, i, words, kind), "}\n");
    }
    *next = i;
    return at - out;
}

SHARED(
    SIZE(Block) SIZE(Words) SIZE(KindOf) SIZE(CauseOf) SIZE(Piece) CONSTANT(STEP) CONSTANT(FIXED)
    CONSTANT(TASK) CONSTANT(KEY) CONSTANT(ATTEMPT) CONSTANT(WORKER) CONSTANT(RECORDS) CONSTANT(NUMERIC) CONSTANT(NAMED)
    CONSTANT(LABEL) CONSTANT(CAUSE) CONSTANT(BY) CONSTANT(KNOWN)
    CONSTANT(MOST_TASK) CONSTANT(MOST_ATTEMPT) CONSTANT(MOST_WORKER) CONSTANT(MOST_RECORDS)
)
