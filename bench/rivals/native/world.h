/* The network around the rival, and the frames: read from the file that ../world.ts writes. */
#ifndef WORLD_H
#define WORLD_H

#include "table.h"

enum { WORLD_MAGIC = 0x4c564952, HEADROOM = 128, BURST_MAX = 256, IF_IPIP = 8, REASONS = 128 };
enum verdict { FORWARD = 1, LOCAL = 2, PASS = 3, DROP = 4 };

struct interface { uint8_t mac[6]; uint16_t pad; uint32_t mtu, flags; };
_Static_assert(sizeof(struct interface) == 16, "as ../world.ts writes it");

struct stats { uint64_t in_packets, out_packets, in_bytes, out_bytes; };

struct dest {
  uint32_t address;
  uint16_t port;
  uint8_t method, interface;
  uint8_t mac[6];
  uint16_t available;
  uint32_t source, mtu;
  uint32_t active, inactive;
  struct stats stats;
};

/* What the host fills in and reads back, one per frame of a burst. */
struct descriptor {
  uint32_t address, length;
  uint16_t in, out;
  uint8_t verdict, reason;
  uint16_t cause;
  uint32_t conn, mark, cookie;
  uint16_t headroom, flags;
};
_Static_assert(sizeof(struct descriptor) == 32, "a descriptor is half a cache line");

struct scratch {
  uint64_t hash;
  uint8_t *ip;
  struct bucket *bucket;
  uint32_t ref;
};

struct world {
  struct table table;
  uint32_t connections, frames, stride, interfaces, locals, dests;
  uint32_t vip, service_ports;
  struct interface interface[8];
  uint32_t local[16];
  struct dest dest[64];
  struct stats service;
  uint64_t reasons[REASONS];
  double now; /* milliseconds */
  uint32_t generation;
  uint16_t ip_id;
  const uint32_t *meta;
  const uint8_t *templates;
  uint8_t *arena;
  struct descriptor descriptors[BURST_MAX];
  struct scratch scratch[BURST_MAX];
};

#endif
