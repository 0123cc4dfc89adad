/* A window that moves over observations: see `runner.judge.watch`. Sums are made as numpy.cumsum makes them. */
#include "soak.h"

typedef struct { double first_sum, last_sum; } Sums;

/* The instants up to `until_s` at which the content of the window (t - window, t] changes, and those of `more`, ascending.

   t, expiry: of each observation, ascending, when it comes and when it leaves. fresh: the first that has not been seen before.
   Of each instant: `first` and `last`, how many observations have left and come by then, and the sums of `part` and `weight`
   over those in between. Room is needed for 2 * count + more_count instants; their number is returned. */
int64_t sweep(int64_t count, const double *t, const double *expiry, const double *part, const double *weight, int64_t fresh,
              const double *more, int64_t more_count, double from_s, double until_s, double *points, int64_t *first, int64_t *last,
              double *parts, double *weights) {
    int64_t leaving = 0, coming = fresh, extra = 0, left = 0, come = 0, found = 0;
    Sums part_sums = {0.0, 0.0}, weight_sums = {0.0, 0.0};
    while (leaving < count && !(expiry[leaving] > from_s)) leaving++;
    for (;;) {
        double point = INFINITY;
        if (leaving < count && expiry[leaving] <= until_s && expiry[leaving] < point) point = expiry[leaving];
        if (coming < count && t[coming] < point) point = t[coming];
        if (extra < more_count && more[extra] < point) point = more[extra];
        if (point == INFINITY) return found;
        while (leaving < count && expiry[leaving] == point) leaving++;
        while (coming < count && t[coming] == point) coming++;
        while (extra < more_count && more[extra] == point) extra++;
        while (left < count && expiry[left] <= point) {
            part_sums.first_sum += part[left];
            weight_sums.first_sum += weight[left++];
        }
        while (come < count && t[come] <= point) {
            part_sums.last_sum += part[come];
            weight_sums.last_sum += weight[come++];
        }
        points[found] = point;
        first[found] = left;
        last[found] = come;
        parts[found] = part_sums.last_sum - part_sums.first_sum;
        weights[found++] = weight_sums.last_sum - weight_sums.first_sum;
    }
}

SHARED()
