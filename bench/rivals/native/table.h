/* Connection records and their index: one cache line each. */
#ifndef TABLE_H
#define TABLE_H

#include "siphash.h"
#include "wire.h"

enum method { MASQ = 0, TUNNEL = 2, ROUTE = 3 };
enum state { NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSED, CLOSE_WAIT, LAST_ACK, LISTEN, SYN_ACK, UDP, STATES };
enum { CONN_INACTIVE = 2, CONN_NO_OUTPUT = 4 };

struct conn {
  uint32_t caddr, vaddr, daddr;
  uint16_t cport, vport, dport;
  uint8_t proto, state, method, flags;
  uint16_t hop_interface;
  uint32_t hop_generation;
  uint8_t hop_mac[6];
  uint16_t hop_mtu;
  uint32_t dest, touched, timeout, prev, next, in_packets, extension;
};
_Static_assert(sizeof(struct conn) == 64, "a connection is one cache line");

/* over: entries that had to go past this bucket; a lookup goes on only while it is not 0. */
struct bucket { uint32_t over, tag[7], ref[7], pad; };
_Static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

/* A ref is the record's byte offset in `conns`; bit 0: the reply direction. Record 0 stays unused. */
enum { REF_REPLY = 1 };

struct table {
  struct sipkey key;
  uint64_t buckets;
  struct bucket *index;
  uint8_t *conns;
};

static inline struct conn *ref_conn(const struct table *t, uint32_t ref) {
  return (struct conn *)(t->conns + (ref & ~(uint32_t)REF_REPLY));
}

static inline struct bucket *home(const struct table *t, uint64_t hash) {
  return &t->index[((hash >> 32) * t->buckets) >> 32];
}

static inline struct bucket *following(const struct table *t, struct bucket *b) {
  return ++b == t->index + t->buckets ? t->index : b;
}

/* Bit i: entry i has this tag. No early exit: it becomes one vector comparison. */
static inline uint32_t match(const struct bucket *b, uint32_t tag) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < 7; i++) mask |= (uint32_t)(b->tag[i] == tag && b->ref[i] != 0) << i;
  return mask;
}

/* The first entry with this tag: usually the one; `lookup` makes sure. */
static inline uint32_t candidate(const struct table *t, struct bucket *b, uint32_t tag) {
  for (;;) {
    uint32_t mask = match(b, tag);
    if (mask) return b->ref[__builtin_ctz(mask)];
    if (!b->over) return 0;
    b = following(t, b);
  }
}

static inline bool is_conn(const struct conn *c, bool reply, uint64_t addrs, uint32_t ports, uint8_t proto) {
  uint32_t src = (uint32_t)addrs, dst = (uint32_t)(addrs >> 32);
  uint16_t sport = (uint16_t)ports, dport = (uint16_t)(ports >> 16);
  if (c->proto != proto) return false;
  if (reply) return c->daddr == src && c->caddr == dst && c->dport == sport && c->cport == dport;
  return c->caddr == src && c->vaddr == dst && c->cport == sport && c->vport == dport;
}

/* 0 when there is none. */
static inline uint32_t lookup(const struct table *t, uint64_t hash, uint64_t addrs, uint32_t ports, uint8_t proto) {
  struct bucket *b = home(t, hash);
  for (;;) {
    for (uint32_t mask = match(b, (uint32_t)hash); mask; mask &= mask - 1) {
      uint32_t ref = b->ref[__builtin_ctz(mask)];
      if (is_conn(ref_conn(t, ref), ref & REF_REPLY, addrs, ports, proto)) return ref;
    }
    if (!b->over) return 0;
    b = following(t, b);
  }
}

static inline void insert(struct table *t, uint64_t hash, uint32_t ref) {
  for (struct bucket *b = home(t, hash);; b = following(t, b)) {
    for (uint32_t i = 0; i < 7; i++) {
      if (b->ref[i]) continue;
      b->tag[i] = (uint32_t)hash;
      b->ref[i] = ref;
      return;
    }
    b->over++;
  }
}

#endif
