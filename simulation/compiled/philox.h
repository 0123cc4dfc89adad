/* The uniform numbers of `simulation.streams`, one by one: what `Stream.at(block, layer).random(BLOCK)` gives, by place. */
#ifndef SOAK_PHILOX_H
#define SOAK_PHILOX_H

#include <stdint.h>

/* The high and the low word of a product. */
#define PHILOX_PRODUCT(one, other, high, low)                                 \
    __extension__ unsigned __int128 product_##high = (unsigned __int128)(one) * (other); \
    uint64_t high = (uint64_t)(product_##high >> 64), low = (uint64_t)product_##high

/* Philox 4x64 with 10 rounds (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"). Each counter
   gives four numbers, and NumPy counts on before it draws. key: low and high word. */
static inline double uniform_at(const uint64_t *key, int64_t block, int64_t layer, int64_t place) {
    uint64_t key_low = key[0], key_high = key[1];
    uint64_t counter[4] = {(uint64_t)place / 4 + 1, 0, (uint64_t)block, (uint64_t)layer};
    for (int round = 0; round < 10; round++) {
        PHILOX_PRODUCT(0xD2E7470EE14C6C93, counter[0], high, low);
        PHILOX_PRODUCT(0xCA5A826395121157, counter[2], other_high, other_low);
        counter[0] = other_high ^ counter[1] ^ key_low;
        counter[1] = other_low;
        counter[2] = high ^ counter[3] ^ key_high;
        counter[3] = low;
        key_low += 0x9E3779B97F4A7C15;
        key_high += 0xBB67AE8584CAA73B;
    }
    return (double)(counter[place & 3] >> 11) * 0x1p-53;
}

#endif
