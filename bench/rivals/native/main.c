/*
 * The native rival: the data path of ipvs-wasm in C, for the system's own compiler.
 *
 *   rival WORLD --check                        every frame once; what became of them on stdout
 *   rival WORLD MODE BURST SLOT SECONDS TICK   nanoseconds a packet, packets measured and their reasons as JSON
 *
 * MODE is path (all that a packet needs), parse, lookup, checksum or update. SLOT: bytes from frame to frame.
 * TICK: milliseconds that pass a packet.
 */
#include "load.h"
#include "path.h"
#include <time.h>

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Keeps a result alive. */
static volatile uint64_t sink;

/* The next `burst` frames into their slots, as a receiving host would have left them. */
static uint32_t fill(struct world *w, uint32_t next, uint32_t burst, uint32_t slot) {
  if (next + burst > w->frames) next = 0;
  uint32_t stride = w->stride;
  for (uint32_t i = 0; i < burst; i++) {
    uint32_t meta = w->meta[next + i], address = HEADROOM + i * slot;
    const uint8_t *from = w->templates + (size_t)(next + i) * stride;
    uint8_t *to = w->arena + address;
    if (stride == 64) memcpy(to, from, 64);
    else memcpy(to, from, stride);
    w->descriptors[i] = (struct descriptor){.address = address, .length = meta & 0xffff, .in = (uint16_t)(meta >> 16), .cause = 0xffff, .headroom = HEADROOM};
  }
  return next + burst;
}

static void no_work(struct world *w, uint32_t burst, uint32_t now) {
  (void)now;
  sink += w->descriptors[burst - 1].address;
}

static void parse_work(struct world *w, uint32_t burst, uint32_t now) {
  (void)now;
  uint64_t whole = 0;
  for (uint32_t i = 0; i < burst; i++) whole += ipv4_ok(w->arena + w->descriptors[i].address + ETH_LEN, w->descriptors[i].length - ETH_LEN);
  sink += whole;
}

/* One after the other, without the stages of a burst: what a single lookup costs. */
static void lookup_work(struct world *w, uint32_t burst, uint32_t now) {
  (void)now;
  uint64_t found = 0;
  for (uint32_t i = 0; i < burst; i++) {
    const uint8_t *ip = w->arena + w->descriptors[i].address + ETH_LEN;
    uint64_t addrs = ld64(ip + IP_SRC);
    uint32_t ports = ld32(ip + IP_LEN);
    found += lookup(&w->table, tuple_hash(w->table.key, addrs, ports, ip[IP_PROTO]), addrs, ports, ip[IP_PROTO]);
  }
  sink += found;
}

static void checksum_work(struct world *w, uint32_t burst, uint32_t now) {
  (void)now;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < burst; i++) sum ^= checksum(w->arena + w->descriptors[i].address, w->descriptors[i].length);
  sink += sum;
}

static void update_work(struct world *w, uint32_t burst, uint32_t now) {
  (void)now;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < burst; i++) {
    const uint8_t *ip = w->arena + w->descriptors[i].address + ETH_LEN;
    sum ^= checksum_update(ld16(ip + IP_LEN + TCP_CSUM), ld32(ip + IP_DST), w->dest[0].address, ld16(ip + IP_LEN + 2), w->dest[0].port);
  }
  sink += sum;
}

typedef void work(struct world *, uint32_t, uint32_t);

struct timing { double ns; uint64_t packets; };

/* Nanoseconds a packet; `refill` also copies the frames in before each burst. The world's clock goes on from where it was. */
static struct timing timed(struct world *w, work *run, bool refill, uint32_t burst, uint32_t slot, double seconds, double tick) {
  uint64_t bursts = 0;
  uint32_t next = 0, batch = 1 + 4096 / burst;
  double start = seconds_now(), spent;
  do {
    for (uint32_t i = 0; i < batch; i++) {
      if (refill) next = fill(w, next, burst, slot);
      w->now += burst * tick;
      run(w, burst, (uint32_t)w->now);
    }
    bursts += batch;
    spent = seconds_now() - start;
  } while (spent < seconds);
  return (struct timing){.ns = spent * 1e9 / (double)(bursts * burst), .packets = bursts * burst};
}

static void bench(struct world *w, const char *mode, uint32_t burst, uint32_t slot, double seconds, double tick) {
  work *run = !strcmp(mode, "path") ? process : !strcmp(mode, "parse") ? parse_work : !strcmp(mode, "lookup") ? lookup_work
    : !strcmp(mode, "checksum") ? checksum_work : !strcmp(mode, "update") ? update_work : NULL;
  if (!run) fail("unknown mode");
  bool refill = run == process || run == lookup_work;
  fill(w, 0, burst, slot);
  timed(w, run, refill, burst, slot, seconds / 4, tick); /* warms caches and clocks */
  memset(w->reasons, 0, sizeof w->reasons);
  double began = w->now;
  struct timing gross = timed(w, run, refill, burst, slot, seconds, tick);
  double passed = w->now - began;
  double copy = refill ? timed(w, no_work, true, burst, slot, seconds / 2, tick).ns : 0;
  printf("{\"ns\":%.3f,\"copy\":%.3f,\"packets\":%llu,\"passed\":%.3f,\"reasons\":{", gross.ns - copy, copy,
    (unsigned long long)gross.packets, passed);
  const char *comma = "";
  for (uint32_t i = 0; i < REASONS; i++) {
    if (!w->reasons[i]) continue;
    printf("%s\"%u\":%llu", comma, i, (unsigned long long)w->reasons[i]);
    comma = ",";
  }
  puts("}}");
}

/* Per frame: u16 length, u8 verdict, u8 out interface, bytes. Then one line of totals on stderr. */
static void check(struct world *w, uint32_t slot) {
  for (uint32_t next = 0; next < w->frames;) {
    uint32_t burst = w->frames - next < 7 ? w->frames - next : 7;
    fill(w, next, burst, slot);
    process(w, burst, next);
    for (uint32_t i = 0; i < burst; i++) {
      const struct descriptor *d = &w->descriptors[i];
      uint8_t head[4] = {(uint8_t)d->length, (uint8_t)(d->length >> 8), d->verdict, (uint8_t)d->out};
      fwrite(head, 1, sizeof head, stdout);
      fwrite(w->arena + d->address, 1, d->length, stdout);
    }
    next += burst;
  }
  uint64_t active = 0, inactive = 0, states[STATES] = {0};
  for (uint32_t i = 0; i < w->dests; i++) { active += w->dest[i].active; inactive += w->dest[i].inactive; }
  for (uint32_t i = 1; i <= w->connections; i++) states[ref_conn(&w->table, i * 64)->state]++;
  fprintf(stderr, "{\"inPackets\":%llu,\"outPackets\":%llu,\"inBytes\":%llu,\"outBytes\":%llu,\"active\":%llu,\"inactive\":%llu",
    (unsigned long long)w->service.in_packets, (unsigned long long)w->service.out_packets, (unsigned long long)w->service.in_bytes,
    (unsigned long long)w->service.out_bytes, (unsigned long long)active, (unsigned long long)inactive);
  for (uint32_t i = 0; i < STATES; i++) fprintf(stderr, "%s%llu", i ? "," : ",\"states\":[", (unsigned long long)states[i]);
  fputs("]}\n", stderr);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[2], "--check")) {
    check(load(argv[1], 2112), 2112);
    return 0;
  }
  if (argc != 7) fail("expected WORLD --check, or WORLD MODE BURST SLOT SECONDS TICK");
  uint32_t burst = (uint32_t)atoi(argv[3]), slot = (uint32_t)atoi(argv[4]);
  if (burst < 1 || burst > BURST_MAX) fail("expected a burst of 1 to 256");
  bench(load(argv[1], slot), argv[2], burst, slot, atof(argv[5]), atof(argv[6]));
  return 0;
}
