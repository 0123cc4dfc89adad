/* What every compiled part shares: its version, what it has in common with Python, rounding to microseconds, growing arrays, and heaps. */
#ifndef SOAK_H
#define SOAK_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef SOAK_VERSION
int SOAK_VERSION(void) { return 1; }
#endif

/* SHARED(CONSTANT(WIDTH) SIZE(Tables)): what Python must have the same, compared when the library is loaded (`calls.Library`). */
typedef struct { const char *name; int64_t number; } Shared;
#define CONSTANT(name) {#name, name},
#define SIZE(type) {#type, sizeof(type)},
#define SHARED(...) const Shared soak_shared[] = {__VA_ARGS__ {NULL, 0}};

static const double TICKS_PER_S = 1e6;

/* The nearest whole number, an even one of two, as numpy.rint gives it: from 2^52 on there are no others. */
static inline double to_whole(double number) {
    const double whole = 4503599627370496.0;
    double size = fabs(number);
    return size < whole ? copysign((size + whole) - whole, number) : number;
}

/* Seconds as multiples of a microsecond: `quantise` of schemas/stream/block.py. */
static inline double quantised(double seconds) { return to_whole(seconds * TICKS_PER_S) / TICKS_PER_S; }

/* Makes room for one element more in an array of `size` elements; 0 if there is no memory. */
#define RESERVE(array, size, room)                                            \
    ((size) < (room) || grown((void **)&(array), &(room), (size) + 1, sizeof *(array)))

static inline int grown(void **array, int64_t *room, int64_t needed, size_t width) {
    int64_t more = *room ? *room * 2 : 64;
    while (more < needed) more *= 2;
    void *moved = realloc(*array, (size_t)more * width);
    if (!moved) return 0;
    *array = moved;
    *room = more;
    return 1;
}

/* A binary heap of TYPE, the least by BEFORE(a, b) on top: NAME, NAME_push, NAME_pop. */
#define HEAP(NAME, TYPE, BEFORE)                                              \
    typedef struct { TYPE *at; int64_t size, room; } NAME;                    \
    static int NAME##_push(NAME *heap, TYPE fresh) {                          \
        if (!RESERVE(heap->at, heap->size, heap->room)) return 0;             \
        int64_t place = heap->size++;                                         \
        while (place) {                                                       \
            int64_t above = (place - 1) >> 1;                                 \
            if (!BEFORE(fresh, heap->at[above])) break;                       \
            heap->at[place] = heap->at[above];                                \
            place = above;                                                    \
        }                                                                     \
        heap->at[place] = fresh;                                              \
        return 1;                                                             \
    }                                                                         \
    static TYPE NAME##_pop(NAME *heap) {                                      \
        TYPE top = heap->at[0], last = heap->at[--heap->size];                \
        int64_t place = 0, size = heap->size;                                 \
        for (;;) {                                                            \
            int64_t below = 2 * place + 1;                                    \
            if (below >= size) break;                                         \
            if (below + 1 < size && BEFORE(heap->at[below + 1], heap->at[below])) below++; \
            if (!BEFORE(heap->at[below], last)) break;                        \
            heap->at[place] = heap->at[below];                                \
            place = below;                                                    \
        }                                                                     \
        if (size) heap->at[place] = last;                                     \
        return top;                                                           \
    }

#endif
