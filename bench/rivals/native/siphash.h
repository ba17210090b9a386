/* SipHash-1-3 of the 13 bytes (source, destination, source port, destination port, protocol). */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stdint.h>

struct sipkey { uint64_t k0, k1; };

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define SIPROUND \
  do { \
    v0 += v1; v2 += v3; v1 = ROTL(v1, 13); v3 = ROTL(v3, 16); v1 ^= v0; v3 ^= v2; v0 = ROTL(v0, 32); \
    v2 += v1; v0 += v3; v1 = ROTL(v1, 17); v3 = ROTL(v3, 21); v1 ^= v2; v3 ^= v0; v2 = ROTL(v2, 32); \
  } while (0)

/* addrs: source in the low half; ports: source port in the low half; all as loaded. */
static inline uint64_t tuple_hash(struct sipkey key, uint64_t addrs, uint32_t ports, uint8_t proto) {
  uint64_t v0 = key.k0 ^ 0x736f6d6570736575u, v1 = key.k1 ^ 0x646f72616e646f6du;
  uint64_t v2 = key.k0 ^ 0x6c7967656e657261u, v3 = key.k1 ^ 0x7465646279746573u;
  uint64_t last = (uint64_t)13 << 56 | (uint64_t)proto << 32 | ports;
  v3 ^= addrs; SIPROUND; v0 ^= addrs;
  v3 ^= last; SIPROUND; v0 ^= last;
  v2 ^= 0xff;
  SIPROUND; SIPROUND; SIPROUND;
  return v0 ^ v1 ^ v2 ^ v3;
}

#endif
