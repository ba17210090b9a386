/* Header offsets, unaligned access and the Internet checksum. Fields keep network order as loaded ("be"). */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
  ETH_LEN = 14, ETH_DST = 0, ETH_SRC = 6, ETH_TYPE = 12,
  IP_LEN = 20, IP_TOS = 1, IP_TOTAL = 2, IP_ID = 4, IP_FRAG = 6, IP_TTL = 8, IP_PROTO = 9, IP_CSUM = 10,
  IP_SRC = 12, IP_DST = 16,
  TCP_LEN = 20, TCP_FLAGS = 13, TCP_CSUM = 16,
  UDP_LEN = 8, UDP_CSUM = 6,
  PROTO_ICMP = 1, PROTO_IPIP = 4, PROTO_TCP = 6, PROTO_UDP = 17,
};

#define BE16(x) ((uint16_t)(((x) >> 8 & 0xff) | ((x) & 0xff) << 8))
#define ETHERTYPE_IP_BE BE16(0x0800)
#define FRAG_DF_BE BE16(0x4000)
/* MF and the offset */
#define FRAG_MASK_BE BE16(0x3fff)

static inline uint16_t ld16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t ld32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t ld64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void st16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void st32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline uint16_t swap16(uint16_t v) { return __builtin_bswap16(v); }

static inline uint32_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  uint32_t s = (uint32_t)sum;
  s = (s & 0xffff) + (s >> 16);
  return (s & 0xffff) + (s >> 16);
}

/* RFC 1071: the sum of a header of five words. */
static inline uint32_t sum_header(const uint8_t *ip) {
  return fold((uint64_t)ld32(ip) + ld32(ip + 4) + ld32(ip + 8) + ld32(ip + 12) + ld32(ip + 16));
}

/* RFC 1071: words of four bytes are added, which a compiler turns into vector instructions. */
static inline uint64_t sum_bytes(const uint8_t *p, uint32_t length) {
  uint64_t sum = 0;
  uint32_t i = 0;
  for (; i + 4 <= length; i += 4) sum += ld32(p + i);
  if (i + 2 <= length) { sum += ld16(p + i); i += 2; }
  if (i < length) sum += p[i];
  return sum;
}

static inline uint16_t checksum(const uint8_t *p, uint32_t length) { return (uint16_t)~fold(sum_bytes(p, length)); }

/* RFC 1624 eqn. 3 for one address and one port: ~(~HC + ~m + m'). */
static inline uint16_t checksum_update(uint16_t hc, uint32_t old_addr, uint32_t new_addr, uint16_t old_port, uint16_t new_port) {
  return (uint16_t)~fold((uint64_t)(uint16_t)~hc + (uint32_t)~old_addr + new_addr + (uint16_t)~old_port + new_port);
}

#endif
