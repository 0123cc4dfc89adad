/* Lines of an event stream as columns: what stream.py makes of lines in the form that this project writes, to the last bit.

   A line is: t, type, then in this order what there is of task, key, attempt, worker, records and a number, then words. Type,
   name of the number and words together are its form: Python says once for each what it means. Any other line is left to Python. */
#include "soak.h"

enum { OF_NUMBER = 1 }; /* the value is the number of the line; otherwise that of its form */
enum { DONE, NEW_FORM, OTHER };

static const uint64_t LATEST = (uint64_t)1 << 51, EXACT = (uint64_t)1 << 53;

typedef struct {
    uint64_t hash;
    char *text; /* type, name and words, one after the other */
    int64_t lengths[3], kind, cause, label, flags;
    double value;
} Form;

typedef struct {
    Form *forms;
    int64_t size, room; /* room: a power of two */
} Forms;

typedef struct {
    double *t;
    int64_t *kind, *task, *attempt, *worker, *cause, *label;
    double *value;
} Columns;

typedef struct {
    const char *start[3];
    int64_t lengths[3];
} Parts;

typedef struct {
    int64_t lines, bytes; /* read so far, by this call and those before for the same block */
    Parts unknown;        /* a form that is not known */
} Progress;

Forms *soak_forms(void) {
    Forms *forms = calloc(1, sizeof *forms);
    if (!forms) return NULL;
    forms->room = 256;
    forms->forms = calloc((size_t)forms->room, sizeof *forms->forms);
    if (forms->forms) return forms;
    free(forms);
    return NULL;
}

void soak_forget_forms(Forms *forms) {
    for (int64_t i = 0; i < forms->room; i++) free(forms->forms[i].text);
    free(forms->forms);
    free(forms);
}

static inline uint64_t mixed(uint64_t hash, const char *text, int64_t length) {
    uint64_t word;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    word = (uint64_t)length << 56;
    memcpy(&word, text, (size_t)length);
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static inline uint64_t hash_of(const Parts *parts) {
    uint64_t hash = 1;
    for (int i = 0; i < 3; i++) hash = mixed(hash, parts->start[i], parts->lengths[i]);
    return hash;
}

static inline int is_form(const Form *form, const Parts *parts) {
    const char *text = form->text;
    for (int i = 0; i < 3; i++) {
        if (form->lengths[i] != parts->lengths[i] || memcmp(text, parts->start[i], (size_t)parts->lengths[i])) return 0;
        text += parts->lengths[i];
    }
    return 1;
}

static inline const Form *found(const Forms *forms, const Parts *parts) {
    uint64_t hash = hash_of(parts);
    for (uint64_t place = hash;; place++) {
        const Form *form = forms->forms + (place & (uint64_t)(forms->room - 1));
        if (!form->text) return NULL;
        if (form->hash == hash && is_form(form, parts)) return form;
    }
}

static void put_form(Form *forms, int64_t room, Form form) {
    uint64_t place = form.hash;
    while (forms[place & (uint64_t)(room - 1)].text) place++;
    forms[place & (uint64_t)(room - 1)] = form;
}

/* Learn a form; 0 if there is no memory. */
int64_t soak_learn(Forms *forms, const Parts *parts, int64_t kind, int64_t cause, int64_t label, int64_t flags, double value) {
    if (2 * forms->size >= forms->room) {
        Form *more = calloc((size_t)(2 * forms->room), sizeof *more);
        if (!more) return 0;
        for (int64_t i = 0; i < forms->room; i++)
            if (forms->forms[i].text) put_form(more, 2 * forms->room, forms->forms[i]);
        free(forms->forms);
        forms->forms = more;
        forms->room *= 2;
    }
    char *text = malloc((size_t)(parts->lengths[0] + parts->lengths[1] + parts->lengths[2] + 1)), *at = text;
    if (!text) return 0;
    Form form = {hash_of(parts), text, {0, 0, 0}, kind, cause, label, flags, value};
    for (int i = 0; i < 3; i++) {
        memcpy(at, parts->start[i], (size_t)parts->lengths[i]);
        at += form.lengths[i] = parts->lengths[i];
    }
    put_form(forms->forms, forms->room, form);
    forms->size++;
    return 1;
}

static inline int is_digit(char each) { return (unsigned char)(each - '0') < 10; }

/* Every line ends with a line feed, so that nothing is read beyond it: no text that is looked for has one inside. */
static inline int begins(const char **at, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((*at)[i] != text[i]) return 0;
    *at += length;
    return 1;
}

#define BEGINS(at, text) begins(at, text, sizeof text - 1)

/* A whole number of at most `most` digits; -1: there is none, or more. */
static inline int64_t whole(const char **at, int most, int zeros) {
    const char *start = *at;
    int64_t number = 0;
    while (is_digit(**at)) {
        if (*at - start == most) return -1;
        number = number * 10 + (*(*at)++ - '0');
    }
    return *at == start || (!zeros && *start == '0' && *at - start > 1) ? -1 : number;
}

/* A number with six decimals, rounded as `quantise` does; below `most` ticks if there are any decimals. */
static inline int decimal(const char **at, uint64_t most, double *result) {
    int64_t before = whole(at, 13, 0);
    if (before < 0 || *(*at)++ != '.') return 0;
    int64_t after = 0;
    for (int i = 0; i < 6; i++) {
        if (!is_digit(**at)) return 0;
        after = after * 10 + (*(*at)++ - '0');
    }
    if (is_digit(**at) || before >= 9000000000000) return 0;
    uint64_t ticks = (uint64_t)before * 1000000u + (uint64_t)after;
    if ((after || most == LATEST) && ticks >= most) return 0;
    double number = after ? (double)ticks / TICKS_PER_S : (double)before;
    *result = quantised(number);
    return 1;
}

static inline int is_name(char each) { return (each >= 'a' && each <= 'z') || each == '_'; }

/* What comes of a line, but its words. */
typedef struct {
    double t, number;
    int64_t task, attempt, worker, records;
} Fields;

static inline int parse_fields(const char **at, Fields *fields, Parts *parts) {
    if (!BEGINS(at, "{\"t\":") || !decimal(at, LATEST, &fields->t) || !BEGINS(at, ",\"type\":\"")) return 0;
    parts->start[0] = *at;
    while (is_name(**at) || **at == '.' || is_digit(**at)) ++*at;
    parts->lengths[0] = *at - parts->start[0];
    if (*(*at)++ != '"') return 0;
    *fields = (Fields){fields->t, NAN, -1, 0, -1, 0};
    if (BEGINS(at, ",\"task\":\"")) {
        int64_t task = whole(at, 9, 1);
        if (task < 0) return 0;
        fields->task = task << 1 | BEGINS(at, ".2");
        if (*(*at)++ != '"') return 0;
    }
    if (BEGINS(at, ",\"key\":\"") && (whole(at, 18, 1) < 0 || *(*at)++ != '"')) return 0;
    if (BEGINS(at, ",\"attempt\":") && (fields->attempt = whole(at, 4, 0)) < 0) return 0;
    if (BEGINS(at, ",\"worker\":") && (fields->worker = whole(at, 8, 0)) < 0) return 0;
    if (BEGINS(at, ",\"records\":") && (fields->records = whole(at, 8, 0)) < 1) return 0;
    return 1;
}

/* The name of a number and the number, if there is one; what is left of the line are its words. */
static inline int parse_rest(const char **at, const char *end, Fields *fields, Parts *parts) {
    parts->start[1] = parts->start[2] = *at;
    parts->lengths[1] = 0;
    if (BEGINS(at, ",\"")) {
        parts->start[1] = *at;
        while (is_name(**at)) ++*at;
        int64_t length = *at - parts->start[1];
        if (BEGINS(at, "\":") && is_digit(**at)) {
            parts->lengths[1] = length;
            if (!decimal(at, EXACT, &fields->number)) return 0;
            parts->start[2] = *at;
        }
    }
    parts->lengths[2] = end - 1 - parts->start[2];
    return parts->lengths[2] >= 0 && end[-1] == '}';
}

/* Reads lines into columns from `progress` on, until there are `most` or no whole ones left: DONE. A form that is not known
   (NEW_FORM) is to be learned before the next call; OTHER: the block is left to Python. */
int64_t soak_parse(const Forms *forms, const char *text, int64_t size, int64_t most, const Columns *columns, Progress *progress) {
    while (progress->lines < most && progress->bytes < size) {
        const char *start = text + progress->bytes, *end = memchr(start, '\n', (size_t)(size - progress->bytes)), *at = start;
        if (!end) break;
        Fields fields;
        Parts parts;
        if (end == start || !parse_fields(&at, &fields, &parts) || !parse_rest(&at, end, &fields, &parts)) return OTHER;
        const Form *form = found(forms, &parts);
        if (!form) {
            progress->unknown = parts;
            return NEW_FORM;
        }
        int64_t i = progress->lines++;
        progress->bytes += end + 1 - start;
        columns->t[i] = fields.t;
        columns->kind[i] = form->kind;
        columns->task[i] = fields.task;
        columns->attempt[i] = fields.attempt ? fields.attempt : fields.records;
        columns->worker[i] = fields.worker;
        columns->cause[i] = form->cause;
        columns->label[i] = form->label;
        columns->value[i] = form->flags & OF_NUMBER ? fields.number : form->value;
    }
    return DONE;
}

SHARED(SIZE(Columns) SIZE(Parts) SIZE(Progress) CONSTANT(OF_NUMBER) CONSTANT(DONE) CONSTANT(NEW_FORM))
