/* Reads the file that ../world.ts writes, and puts its connections into the table. */
#ifndef LOAD_H
#define LOAD_H

#include "tcp.h"
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

enum { HEADER_WORDS = 16, INTERFACE_WORDS = 4, DEST_WORDS = 6, CONN_WORDS = 4, SLOTS = 1024 };

static void fail(const char *why) {
  fprintf(stderr, "rival: %s\n", why);
  exit(2);
}

/* Plain pages: what a WebAssembly memory gets, too. */
static void *reserve(size_t bytes) {
  size_t rounded = (bytes + 4095) / 4096 * 4096;
  void *p = aligned_alloc(4096, rounded);
  if (!p) fail("out of memory");
  memset(p, 0, rounded);
  return p;
}

static const uint32_t *read_words(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot open the world file");
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  uint32_t *words = reserve(bytes);
  if (fread(words, 1, bytes, file) != bytes || bytes < HEADER_WORDS * 4 || words[0] != WORLD_MAGIC) fail("not a world file");
  fclose(file);
  return words;
}

static void add_connection(struct world *w, uint32_t number, const uint32_t *at) {
  struct table *t = &w->table;
  uint32_t ref = (number + 1) * (uint32_t)sizeof(struct conn);
  struct conn *c = ref_conn(t, ref);
  struct dest *dest = &w->dest[at[3] & 0xffff];
  const struct interface *client = &w->interface[0];
  c->caddr = at[0];
  c->cport = (uint16_t)at[1];
  c->vport = (uint16_t)(at[1] >> 16);
  c->vaddr = at[2];
  c->daddr = dest->address;
  c->dport = dest->port;
  c->proto = (uint8_t)(at[3] >> 16);
  c->state = (uint8_t)(at[3] >> 24);
  c->method = dest->method;
  c->dest = at[3] & 0xffff;
  c->timeout = timeouts[c->state];
  c->hop_mtu = (uint16_t)client->mtu;
  c->flags = (c->method == MASQ ? 0 : CONN_NO_OUTPUT) | (is_active(c->state) ? 0 : CONN_INACTIVE);
  if (is_active(c->state)) dest->active++;
  else dest->inactive++;
  insert(t, tuple_hash(t->key, c->caddr | (uint64_t)c->vaddr << 32, at[1], c->proto), ref);
  if (c->method != MASQ) return;
  uint32_t ports = c->dport | (uint32_t)c->cport << 16;
  insert(t, tuple_hash(t->key, c->daddr | (uint64_t)c->caddr << 32, ports, c->proto), ref | REF_REPLY);
}

/* Slots of `slot` bytes from frame to frame, HEADROOM bytes in front of each. */
static struct world *load(const char *path, uint32_t slot) {
  const uint32_t *words = read_words(path), *at = words + HEADER_WORDS;
  struct world *w = reserve(sizeof *w);
  w->connections = words[1];
  w->frames = words[2];
  w->stride = words[3];
  w->interfaces = words[4];
  w->locals = words[5];
  w->dests = words[6];
  w->vip = words[7];
  w->service_ports = words[8];
  uint8_t client_mac[6];
  memcpy(client_mac, words + 10, 6);
  if (w->interfaces > 8 || w->locals > 16 || w->dests > 64) fail("world too large");
  for (uint32_t i = 0; i < w->interfaces; i++, at += INTERFACE_WORDS) memcpy(&w->interface[i], at, sizeof w->interface[i]);
  for (uint32_t i = 0; i < w->locals; i++) w->local[i] = *at++;
  for (uint32_t i = 0; i < w->dests; i++, at += DEST_WORDS) {
    struct dest *d = &w->dest[i];
    d->address = at[0];
    d->port = (uint16_t)at[1];
    d->method = (uint8_t)(at[1] >> 16);
    d->interface = (uint8_t)(at[1] >> 24);
    memcpy(d->mac, at + 2, 6);
    d->available = 1;
    d->source = at[4];
    d->mtu = at[5];
  }
  w->table.key = (struct sipkey){0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  w->table.buckets = w->connections / 2 + 8; /* four of seven entries in use, as the core plans it */
  w->table.index = reserve(w->table.buckets * sizeof(struct bucket));
  w->table.conns = reserve(((size_t)w->connections + 1) * sizeof(struct conn));
  for (uint32_t i = 0; i < w->connections; i++, at += CONN_WORDS) {
    add_connection(w, i, at);
    memcpy(ref_conn(&w->table, (i + 1) * 64)->hop_mac, client_mac, 6);
  }
  w->meta = at;
  w->templates = (const uint8_t *)(at + w->frames);
  w->arena = reserve((size_t)BURST_MAX * slot + HEADROOM);
  return w;
}

#endif
