/* The way of a burst: judge and hash all, find all, then rewrite all; each stage prefetches for the next. */
#ifndef PATH_H
#define PATH_H

#include "tcp.h"
#include "world.h"

enum reason { NAT_IN = 1, NAT_OUT = 2, DIRECT_ROUTE = 3, TUNNEL_IPIP = 4, LOCAL_DELIVERY = 16, DECAPSULATED = 22, NOT_TAKEN = 32,
  MALFORMED = 53, MARTIAN = 60, ECN = 64, TTL_EXCEEDED = 80, TOO_BIG = 81, UNAVAILABLE = 84 };
enum { DECAPSULATED_FLAG = 2 };
#ifndef TILE
#define TILE 64u
#endif

static inline void judge(struct world *w, struct descriptor *d, enum verdict verdict, enum reason reason) {
  d->verdict = (uint8_t)verdict;
  d->reason = (uint8_t)reason;
  w->reasons[reason]++;
}

static inline bool is_local(const struct world *w, uint32_t address) {
  for (uint32_t i = 0; i < w->locals; i++)
    if (w->local[i] == address) return true;
  return false;
}

/* 0/8, 127/8, and from 224.0.0.0 up. */
static inline bool is_special(uint32_t address) {
  uint8_t first = (uint8_t)address;
  return first == 0 || first == 127 || first >= 224;
}

/* 0, or why no packet can have these addresses. */
static inline enum reason check_addresses(const struct world *w, const uint8_t *ip) {
  uint32_t src = ld32(ip + IP_SRC);
  return is_special(src) || is_special(ld32(ip + IP_DST)) || is_local(w, src) ? MARTIAN : 0;
}

/* Everything that must hold of an IPv4 header, options left to the slow path. */
static inline bool ipv4_ok(const uint8_t *ip, uint32_t room) {
  if (room < IP_LEN || ip[0] != 0x45 || sum_header(ip) != 0xffff) return false;
  uint32_t total = swap16(ld16(ip + IP_TOTAL));
  return total <= room && total >= IP_LEN;
}

/* RFC 6040 section 4.2. False: the packet must be dropped. */
static inline bool merge_ecn(uint8_t *inner, uint8_t outer_tos) {
  uint8_t ecn = inner[IP_TOS] & 3, outer = outer_tos & 3, merged = ecn;
  if (outer == 3) {
    if (ecn == 0) return false;
    merged = 3;
  } else if (outer == 1 && ecn == 2) merged = 1;
  if (merged != ecn) {
    uint16_t old = ld16(inner);
    inner[IP_TOS] = (uint8_t)((inner[IP_TOS] & ~3) | merged);
    st16(inner + IP_CSUM, (uint16_t)~fold((uint64_t)(uint16_t)~ld16(inner + IP_CSUM) + (uint16_t)~old + ld16(inner)));
  }
  return true;
}

/* Takes an IPIP packet to this host out of its tunnel; NULL when it was judged. */
static inline uint8_t *decapsulate(struct world *w, struct descriptor *d, uint8_t *ip, uint32_t *room) {
  uint8_t *inner = ip + IP_LEN;
  enum reason reason = check_addresses(w, ip);
  if (reason) return judge(w, d, DROP, reason), NULL;
  if (!is_local(w, ld32(ip + IP_DST))) return judge(w, d, PASS, NOT_TAKEN), NULL;
  *room -= IP_LEN;
  if (!ipv4_ok(inner, *room)) return judge(w, d, DROP, MALFORMED), NULL;
  if (!merge_ecn(inner, ip[IP_TOS])) return judge(w, d, DROP, ECN), NULL;
  *room = swap16(ld16(inner + IP_TOTAL));
  d->address = (uint32_t)(inner - w->arena);
  d->length = *room;
  d->flags = DECAPSULATED_FLAG;
  return inner;
}

/* Stage 1 for one frame; a frame that goes on has scratch->ip. Whose addresses they are is asked only when no connection knows. */
static inline void classify(struct world *w, struct descriptor *d, struct scratch *s) {
  s->ip = NULL;
  uint8_t *frame = w->arena + d->address;
  uint32_t room = d->length;
  if (d->in >= w->interfaces || room < ETH_LEN) return judge(w, d, DROP, MALFORMED);
  const struct interface *in = &w->interface[d->in];
  if ((frame[0] & 1) || memcmp(frame, in->mac, 6) != 0 || ld16(frame + ETH_TYPE) != ETHERTYPE_IP_BE) return judge(w, d, PASS, NOT_TAKEN);
  uint8_t *ip = frame + ETH_LEN;
  if (!ipv4_ok(ip, room - ETH_LEN)) return judge(w, d, DROP, MALFORMED);
  room = swap16(ld16(ip + IP_TOTAL));
  d->length = room + ETH_LEN;
  if (ip[IP_PROTO] == PROTO_IPIP && !(ip = decapsulate(w, d, ip, &room))) return;
  uint8_t proto = ip[IP_PROTO];
  uint32_t need = proto == PROTO_TCP ? TCP_LEN : UDP_LEN;
  if ((proto != PROTO_TCP && proto != PROTO_UDP) || (ld16(ip + IP_FRAG) & FRAG_MASK_BE) || room < IP_LEN + need) return judge(w, d, PASS, NOT_TAKEN);
  s->hash = tuple_hash(w->table.key, ld64(ip + IP_SRC), ld32(ip + IP_LEN), proto);
  s->bucket = home(&w->table, s->hash);
  s->ip = ip;
  __builtin_prefetch(s->bucket);
}

static inline void update_state(struct conn *c, struct dest *dest, enum direction direction, const uint8_t *l4, uint32_t now) {
  if (c->proto == PROTO_TCP) {
    if (direction == OUTPUT) c->flags &= (uint8_t)~CONN_NO_OUTPUT;
    else if (c->flags & CONN_NO_OUTPUT) direction = INPUT_ONLY;
    uint8_t next = tcp_next(direction, c->state, l4[TCP_FLAGS]);
    if (next != c->state) {
      bool active = is_active(next), was = !(c->flags & CONN_INACTIVE);
      if (active != was) {
        dest->active += active ? 1 : (uint32_t)-1;
        dest->inactive += active ? (uint32_t)-1 : 1;
        c->flags ^= CONN_INACTIVE;
      }
      c->state = next;
    }
    c->timeout = timeouts[next];
  }
  c->touched = now;
}

/* UDP: none stays none only on the wire in front; a translated datagram gets a full one (RFC 768). */
static inline void udp_update(uint8_t *ip, uint16_t hc, uint16_t updated) {
  uint8_t *l4 = ip + IP_LEN;
  uint32_t length = swap16(ld16(ip + IP_TOTAL)) - IP_LEN;
  if (hc == 0) {
    st16(l4 + UDP_CSUM, 0);
    uint64_t pseudo = (uint64_t)ld32(ip + IP_SRC) + ld32(ip + IP_DST) + BE16(PROTO_UDP) + swap16((uint16_t)length);
    updated = (uint16_t)~fold(pseudo + sum_bytes(l4, length));
  }
  st16(l4 + UDP_CSUM, updated ? updated : 0xffff);
}

/* Translates the address at `addr_at` and the port at `port_at`, and the checksums with them. */
static inline void translate(uint8_t *ip, uint32_t addr_at, uint32_t port_at, uint32_t addr, uint16_t port) {
  uint8_t *l4 = ip + IP_LEN;
  uint32_t csum_at = ip[IP_PROTO] == PROTO_TCP ? TCP_CSUM : UDP_CSUM;
  uint16_t hc = ld16(l4 + csum_at);
  uint16_t updated = checksum_update(hc, ld32(ip + addr_at), addr, ld16(l4 + port_at), port);
  st32(ip + addr_at, addr);
  st16(l4 + port_at, port);
  if (csum_at == TCP_CSUM) st16(l4 + TCP_CSUM, updated);
  else udp_update(ip, hc, updated);
}

/* Stores TTL and protocol (`low`) and the full header checksum: one store, and no load of what was just stored in parts. */
static inline void sign(uint8_t *ip, uint32_t low, uint32_t src, uint32_t dst) {
  uint32_t sum = fold((uint64_t)ld32(ip) + ld32(ip + 4) + low + src + dst);
  st32(ip + IP_TTL, low | (uint32_t)(uint16_t)~sum << 16);
}

/* TTL and protocol of a packet that goes on. */
static inline uint32_t aged(const uint8_t *ip) { return ld16(ip + IP_TTL) - 1u; }

/* Link header in front of `ip`, and the verdict. */
static inline void send(struct world *w, struct descriptor *d, uint8_t *ip, uint32_t length, const uint8_t *mac, uint16_t out, enum reason reason) {
  uint8_t *frame = ip - ETH_LEN;
  memcpy(frame + ETH_DST, mac, 6);
  memcpy(frame + ETH_SRC, w->interface[out].mac, 6);
  st16(frame + ETH_TYPE, ETHERTYPE_IP_BE);
  d->address = (uint32_t)(frame - w->arena);
  d->length = length + ETH_LEN;
  d->out = out;
  judge(w, d, FORWARD, reason);
}

static inline void encapsulate(struct world *w, uint8_t *ip, const struct dest *dest, uint32_t length, uint8_t ttl) {
  uint8_t *outer = ip - IP_LEN, tos = ip[IP_TOS];
  uint16_t df = ld16(ip + IP_FRAG) & FRAG_DF_BE;
  if ((tos & 3) == 3) tos = (uint8_t)((tos & ~3) | 2); /* RFC 3168 section 9.1.1: CE is not copied outside */
  st32(outer, 0x45u | (uint32_t)tos << 8 | (uint32_t)swap16((uint16_t)length) << 16);
  st32(outer + IP_ID, (df ? 0u : swap16(w->ip_id++)) | (uint32_t)df << 16);
  st32(outer + IP_SRC, dest->source);
  st32(outer + IP_DST, dest->address);
  sign(outer, ttl | PROTO_IPIP << 8, dest->source, dest->address);
}

static inline void transmit_in(struct world *w, struct descriptor *d, uint8_t *ip, struct conn *c, struct dest *dest) {
  uint32_t length = swap16(ld16(ip + IP_TOTAL));
  uint32_t whole = length + (c->method == TUNNEL ? IP_LEN : 0);
  if (ip[IP_TTL] <= 1) return judge(w, d, DROP, TTL_EXCEEDED);
  if (whole > dest->mtu) return judge(w, d, DROP, TOO_BIG);
  uint32_t low = aged(ip), src = ld32(ip + IP_SRC), dst = ld32(ip + IP_DST);
  switch (c->method) {
    case MASQ:
      translate(ip, IP_DST, 2, c->daddr, c->dport);
      sign(ip, low, src, c->daddr);
      return send(w, d, ip, length, dest->mac, dest->interface, NAT_IN);
    case ROUTE:
      sign(ip, low, src, dst);
      return send(w, d, ip, length, dest->mac, dest->interface, DIRECT_ROUTE);
    default:
      sign(ip, low, src, dst);
      encapsulate(w, ip, dest, whole, (uint8_t)low);
      return send(w, d, ip - IP_LEN, whole, dest->mac, dest->interface, TUNNEL_IPIP);
  }
}

/* A packet without a connection. Misses are settled here: schedulers are not part of the comparison. */
static inline void unknown(struct world *w, struct descriptor *d, const uint8_t *ip) {
  enum reason reason = check_addresses(w, ip);
  if (reason) return judge(w, d, DROP, reason);
  uint32_t dst = ld32(ip + IP_DST);
  if (!is_local(w, dst)) return judge(w, d, PASS, NOT_TAKEN);
  if (dst == w->vip && ((uint32_t)ip[IP_PROTO] << 16 | ld16(ip + IP_LEN + 2)) == w->service_ports) return judge(w, d, PASS, NOT_TAKEN);
  judge(w, d, LOCAL, d->flags ? DECAPSULATED : LOCAL_DELIVERY);
}

/* Stage 3 for one frame. */
static inline void forward(struct world *w, struct descriptor *d, struct scratch *s, uint32_t now) {
  uint8_t *ip = s->ip, proto = ip[IP_PROTO];
  uint64_t addrs = ld64(ip + IP_SRC);
  uint32_t ports = ld32(ip + IP_LEN), ref = s->ref;
  if (ref && !is_conn(ref_conn(&w->table, ref), ref & REF_REPLY, addrs, ports, proto)) ref = lookup(&w->table, s->hash, addrs, ports, proto);
  if (!ref) return unknown(w, d, ip);
  struct conn *c = ref_conn(&w->table, ref);
  struct dest *dest = &w->dest[c->dest];
  if (c->hop_generation != w->generation || now - c->touched >= c->timeout) return unknown(w, d, ip);
  uint32_t length = swap16(ld16(ip + IP_TOTAL));
  d->conn = ref;
  if (!dest->available) return judge(w, d, DROP, UNAVAILABLE);
  if (ref & REF_REPLY) {
    if (ip[IP_TTL] <= 1) return judge(w, d, DROP, TTL_EXCEEDED);
    if (length > c->hop_mtu) return judge(w, d, DROP, TOO_BIG);
    dest->stats.out_packets++;
    dest->stats.out_bytes += length;
    w->service.out_packets++;
    w->service.out_bytes += length;
    update_state(c, dest, OUTPUT, ip + IP_LEN, now);
    uint32_t low = aged(ip);
    translate(ip, IP_SRC, 0, c->vaddr, c->vport);
    sign(ip, low, c->vaddr, (uint32_t)(addrs >> 32));
    return send(w, d, ip, length, c->hop_mac, c->hop_interface, NAT_OUT);
  }
  c->in_packets++;
  dest->stats.in_packets++;
  dest->stats.in_bytes += length;
  w->service.in_packets++;
  w->service.in_bytes += length;
  update_state(c, dest, INPUT, ip + IP_LEN, now);
  transmit_in(w, d, ip, c, dest);
}

/* In tiles, so that frames, descriptors, buckets and records of one stage are still in the first cache in the next. */
static inline void process(struct world *w, uint32_t count, uint32_t now) {
  for (uint32_t start = 0; start < count; start += TILE) {
    uint32_t end = count - start < TILE ? count : start + TILE;
    for (uint32_t i = start; i < end; i++) classify(w, &w->descriptors[i], &w->scratch[i]);
    for (uint32_t i = start; i < end; i++) {
      struct scratch *s = &w->scratch[i];
      if (!s->ip) continue;
      s->ref = candidate(&w->table, s->bucket, (uint32_t)s->hash);
      if (s->ref) __builtin_prefetch(ref_conn(&w->table, s->ref), 1);
    }
    for (uint32_t i = start; i < end; i++)
      if (w->scratch[i].ip) forward(w, &w->descriptors[i], &w->scratch[i], now);
  }
}

#endif
