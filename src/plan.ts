/**
 * The memory plan: how large each table is, and where it lies. Made once, when a director is made.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { REASON_COUNT } from './abi/verdict.js';
import { portsOf } from './local-ports.js';
import type { Region } from './region.js';
import { assertKeys } from './shape.js';

/** How many of each thing a director can hold. Its memory never grows. */
export interface PlanOptions {
  /** Connections of IPv4 clients; 96 bytes each, their share of the index included, and see `extensions`. Default 65,536. */
  connections: number;
  /** Connections of IPv6 clients; 160 bytes each, their share of the index included. Default 16,384. */
  connections6: number;
  /** Virtual services; 256 bytes each. Default 256. */
  services: number;
  /** Real servers, over all services; 320 bytes each. Default 4,096. */
  dests: number;
  /** Routes of each family, those to own addresses included. Default 256. */
  routes: number;
  /** Neighbours of each family. Default 4,096. */
  neighbours: number;
  /** Interfaces. Default 64. */
  interfaces: number;
  /**
   * Bytes for the tables of schedulers and the lists of local addresses (4 bytes each), over all services: `sh` and `dh` 1 KiB, `mh` 16 KiB, `maglev` 256 KiB, `lblc` and
   * `lblcr` 4 KiB and 80 for each destination address. Default 512 KiB.
   */
  schedulerBytes: number;
  /**
   * Bytes for the frames of a burst and those that the core makes. Default 1 MiB. An answer takes 768 of them; one for
   * which there is no room is not sent.
   */
  arenaBytes: number;
  /** Bytes for fragments that wait for the rest of their datagram, in blocks of 512. Default 1 MiB. */
  fragmentBytes: number;
  /** Call-IDs that templates of SIP can be known by, of 256 bytes. Default 1,024. */
  callIds: number;
  /**
   * Connections at a time that need more than a record: those by FullNAT, SNAT and behind a SYN proxy, those that a helper
   * (`ip_vs_ftp`) looks at, and, with `conn_expire_tcp_rst`, those of TCP by NAT; 64 bytes each. Without a free one a new
   * connection is refused (`table-full`), as no other makes room for it (`evict`); one by NAT goes without being told of its
   * end. Default as many as there are connections of both families, but no more than 65,536.
   */
  extensions: number;
  /**
   * Local addresses of FullNAT, over all services, each once; 32 bytes for each port that one gives (2 MiB unless `localPorts`
   * says otherwise) that are not touched before ports are given back. One that a service gives up takes its place until its list
   * is changed and its last connection has ended. Default 4.
   */
  localAddresses: number;
  /** Datagrams that can wait for fragments at once; 96 bytes each. Default 256. */
  datagrams: number;
}

/** More only where they are planned. */
const MOST_EXTENSIONS = 65_536;

const DEFAULTS: PlanOptions = {
  connections: 65_536,
  connections6: 16_384,
  services: 256,
  dests: 4_096,
  routes: 256,
  neighbours: 4_096,
  interfaces: 64,
  schedulerBytes: 512 * 1024,
  arenaBytes: 1 << 20,
  fragmentBytes: 1 << 20,
  callIds: 1_024,
  extensions: MOST_EXTENSIONS,
  localAddresses: 4,
  datagrams: 256,
};

const LIMITS: Record<keyof PlanOptions, readonly [number, number]> = {
  connections: [1, 33_554_432],
  connections6: [1, 16_777_216],
  services: [1, 65_536],
  dests: [1, 1_048_576],
  routes: [1, 65_536],
  neighbours: [1, 1_048_576],
  interfaces: [1, 65_534],
  schedulerBytes: [4_096, 1 << 30],
  arenaBytes: [65_536, 1 << 30],
  fragmentBytes: [abi.BLOCK_SIZE, 1 << 30],
  callIds: [1, 1_048_576],
  extensions: [1, 16_777_216],
  localAddresses: [0, 65_535],
  datagrams: [1, 65_536],
};

const PAGE = 65_536;
const LINE = 64;

/** A laid-out memory. All numbers are bytes but the counts. */
export interface Plan {
  readonly options: Readonly<PlanOptions>;
  readonly counters: Region;
  readonly interfaces: Region;
  readonly routes: Region;
  readonly routes6: Region;
  readonly neighbours: Region;
  readonly neighbours6: Region;
  readonly services: Region;
  readonly serviceHeads: Region;
  readonly dests: Region;
  readonly schedulers: Region;
  readonly index: Region;
  readonly conns: Region;
  readonly conns6: Region;
  readonly callIds: Region;
  readonly extensions: Region;
  readonly wheel: Region;
  readonly crcTables: Region;
  readonly descriptors: Region;
  readonly scratch: Region;
  readonly datagrams: Region;
  readonly blocks: Region;
  readonly arena: Region;
  readonly locals: Region;
  /** What lies in it is read only where the core has written. */
  readonly portRings: Region;
  /** Bytes from address 0 to the end of the last region. */
  readonly bytes: number;
  /** WebAssembly pages of 64 KiB that hold them. */
  readonly pages: number;
}

/** How many extensions there are unless they are planned. */
export function extensionsFor(given: Partial<PlanOptions>): number {
  const { connections, connections6 } = { ...DEFAULTS, ...given };
  return Math.min(connections + connections6, MOST_EXTENSIONS);
}

/**
 * Lays the regions out, each on a cache line; a pool has `ports` ports.
 *
 * @throws RangeError for an unknown key, when a number is not an integer within its limits, or all together exceed 4 GiB.
 */
export function layOut(given: Partial<PlanOptions> = {}, ports = portsOf().count): Plan {
  assertKeys('plan', given, DEFAULTS);
  const options = { ...DEFAULTS, extensions: extensionsFor(given), ...given };
  for (const [name, [low, high]] of Object.entries(LIMITS) as [keyof PlanOptions, readonly [number, number]][]) {
    const value = options[name];
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new RangeError(`plan.${name}: expected an integer from ${low} to ${high}, got ${value}`);
    }
  }

  let at = abi.SUPERBLOCK + abi.SUPERBLOCK_SIZE;
  const region = (count: number, size: number, step = LINE): Region => {
    const base = Math.ceil(at / step) * step;
    at = Math.ceil((base + count * size) / LINE) * LINE;
    return { base, count };
  };
  const plan = {
    options,
    counters: region(REASON_COUNT, abi.COUNTER_SIZE),
    interfaces: region(options.interfaces, abi.INTERFACE_SIZE),
    routes: region(options.routes, abi.ROUTE_SIZE),
    routes6: region(options.routes, abi.ROUTE6_SIZE),
    neighbours: region(options.neighbours, abi.NEIGHBOUR_SIZE),
    neighbours6: region(options.neighbours, abi.NEIGHBOUR6_SIZE),
    services: region(options.services, abi.SERVICE_SIZE),
    serviceHeads: region(powerOfTwo(options.services), 4),
    dests: region(options.dests, abi.DEST_SIZE),
    schedulers: region(options.schedulerBytes, 1),
    // Two entries a connection (both directions of NAT) in buckets of seven: four of seven are
    // filled when the table is full, which leaves one lookup in twenty a second cache line.
    index: region(Math.ceil((options.connections + options.connections6) / 2), abi.BUCKET_SIZE),
    // Each with an extension behind it, as far as there are as many: a packet by FullNAT needs both, which are on one page then
    // (measured with 1 M connections: 5 to 10 % less time).
    ...paired(region(options.connections + options.extensions, abi.CONN_SIZE, 2 * LINE), options),
    conns6: region(options.connections6, abi.CONN6_SIZE),
    callIds: region(options.callIds, abi.CALL_ID_SIZE),
    wheel: region(abi.WHEEL_BYTES / 4, 4),
    crcTables: region(1, abi.CRC_TABLES_SIZE),
    descriptors: region(abi.DESCRIPTOR_MAX, abi.DESCRIPTOR_SIZE),
    scratch: region(abi.BURST_MAX, abi.SCRATCH_SIZE),
    datagrams: region(options.datagrams, abi.DATAGRAM_SIZE),
    blocks: region(Math.floor(options.fragmentBytes / abi.BLOCK_SIZE), abi.BLOCK_SIZE),
    arena: region(options.arenaBytes, 1),
    locals: region(options.localAddresses, abi.LOCAL_SIZE),
    portRings: region(options.localAddresses * abi.POOL_COUNT * ports, 2),
  };
  const pages = Math.ceil(at / PAGE);
  // Not 65,536: the end of the last region is a 32-bit number.
  if (pages > 65_535) throw new RangeError(`plan: expected less than 4 GiB of memory, got ${at} bytes`);
  return { ...plan, bytes: at, pages };
}

/** Records of IPv4 and extensions, which take turns in `base`'s region until either of them end. */
function paired({ base }: Region, { connections, extensions }: PlanOptions): Pick<Plan, 'conns' | 'extensions'> {
  const pairs = Math.min(connections, extensions);
  return {
    conns: { base, count: connections, apart: pairs },
    extensions: { base: base + abi.CONN_SIZE, count: extensions, apart: pairs - 1 },
  };
}

/** Makes the schedulers' memory one free part. */
export function writePool(view: DataView, { schedulers }: Plan): void {
  view.setUint32(abi.SUPERBLOCK + abi.SB_SCHED_FREE, schedulers.base, true);
  view.setUint32(schedulers.base, schedulers.count, true);
}

/** Makes all lists of the wheel empty ones: each begins and ends with its head. */
export function writeWheel(view: DataView, { wheel: { base } }: Plan): void {
  const { WHEEL_BYTES, WHEEL_OWING, LIST_SIZE, CONN_PREV } = abi;
  const words = new Uint32Array(view.buffer, base, WHEEL_BYTES / 4);
  for (let offset = WHEEL_OWING; offset < WHEEL_BYTES; offset += LIST_SIZE) {
    words[offset / 4] = base + offset - CONN_PREV;
    words[offset / 4 + 1] = base + offset - CONN_PREV;
  }
}

/** Writes where everything lies. */
export function writePlan(view: DataView, plan: Plan): void {
  const put = (field: number, value: number): void => view.setUint32(abi.SUPERBLOCK + field, value, true);
  put(abi.SB_MAGIC, abi.MAGIC);
  put(abi.SB_ABI_VERSION, abi.ABI_VERSION);
  put(abi.SB_SIZE, plan.bytes);
  put(abi.SB_COUNTERS, plan.counters.base);
  put(abi.SB_INTERFACES, plan.interfaces.base);
  put(abi.SB_ROUTES, plan.routes.base);
  put(abi.SB_ROUTES6, plan.routes6.base);
  put(abi.SB_NEIGHBOURS, plan.neighbours.base);
  put(abi.SB_NEIGHBOURS6, plan.neighbours6.base);
  put(abi.SB_SERVICES, plan.services.base);
  put(abi.SB_SERVICE_MAX, plan.services.count);
  put(abi.SB_SERVICE_HEADS, plan.serviceHeads.base);
  put(abi.SB_SERVICE_HEAD_COUNT, plan.serviceHeads.count);
  put(abi.SB_DESTS, plan.dests.base);
  put(abi.SB_DEST_MAX, plan.dests.count);
  put(abi.SB_INDEX, plan.index.base);
  put(abi.SB_INDEX_BUCKETS, plan.index.count);
  put(abi.SB_CONNS, plan.conns.base);
  put(abi.SB_CONN_MAX, plan.conns.count);
  put(abi.SB_CONNS6, plan.conns6.base);
  put(abi.SB_CONN6_MAX, plan.conns6.count);
  put(abi.SB_CALL_IDS, plan.callIds.base);
  put(abi.SB_CALL_ID_MAX, plan.callIds.count);
  put(abi.SB_PAIRS, plan.conns.apart!);
  put(abi.SB_EXTENSION_MAX, plan.extensions.count);
  put(abi.SB_LOCALS, plan.locals.base);
  put(abi.SB_LOCAL_MAX, plan.locals.count);
  put(abi.SB_PORT_RINGS, plan.portRings.base);
  put(abi.SB_WHEEL, plan.wheel.base);
  put(abi.SB_CRC_TABLES, plan.crcTables.base);
  put(abi.SB_DESCRIPTORS, plan.descriptors.base);
  put(abi.SB_SCRATCH, plan.scratch.base);
  put(abi.SB_DATAGRAMS, plan.datagrams.base);
  put(abi.SB_DATAGRAM_MAX, plan.datagrams.count);
  put(abi.SB_BLOCKS, plan.blocks.base);
  put(abi.SB_BLOCK_MAX, plan.blocks.count);
  put(abi.SB_ARENA, plan.arena.base);
  put(abi.SB_ARENA_END, plan.arena.base + plan.arena.count);
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(atLeast, 2)));
}
