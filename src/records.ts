/**
 * Services and dests as objects, read out of the core's records.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { Family } from './abi/memory.js';
import { Carry, PersistenceEngine, ServiceFlag } from './abi/protocol.js';
import type { Plan } from './plan.js';
import { REASONS, type ReasonName, reasonCode } from './reasons.js';
import {
  addressAt,
  CARRIERS,
  ENGINES,
  FLAG_BITS,
  METHODS,
  nameOf,
  PROFILES,
  PROTOCOLS,
  SCHEDULERS,
  TUNNEL_CHECKSUMS,
  TUNNEL_TYPES,
} from './record-names.js';
import { bitNamesOf } from './schedulers.js';
import type {
  AddressServiceKey,
  CarryName,
  MarkServiceKey,
  MethodName,
  PersistenceEngineName,
  ProfileName,
  SchedulerFlag,
  SchedulerName,
  TunnelConfig,
} from './types.js';

/** Traffic of a service or dest. Bytes are those of the IP packets. */
export interface Stats {
  connections: bigint;
  inPackets: bigint;
  outPackets: bigint;
  inBytes: bigint;
  outBytes: bigint;
}

/** A real server, as it stands. */
export interface DestInfo {
  address: string;
  /** 0 where a service by firewall mark leaves the packet's port. */
  port: number;
  method: MethodName;
  /** Only with the method `tun`. */
  tunnel?: TunnelConfig;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  activeConnections: number;
  inactiveConnections: number;
  /** Templates of a persistent service that point here. */
  persistentConnections: number;
  stats: Stats;
  /** What goes through each second, as `ipvsadm --rate` shows it: an average that moves every two seconds. */
  rates: Stats;
}

/** What a virtual service is beside its name; its dests in the kernel's order, the one added last first. */
export interface ServiceState {
  scheduler: SchedulerName;
  flags: SchedulerFlag[];
  /** Seconds, and which clients are one: a mask of IPv4, the length of a prefix of IPv6. Only of a persistent service. */
  persistent?: number;
  netmask?: string | number;
  /** Only with one-packet scheduling. */
  ops?: true;
  synproxy?: true;
  pe?: PersistenceEngineName;
  /** Only if it has some. */
  localAddresses?: string[];
  /** Only one other than `linux`. */
  profile?: ProfileName;
  /** Only if there is one. */
  carry?: CarryName;
  stats: Stats;
  /** What goes through each second, as `ipvsadm --rate` shows it: an average that moves every two seconds. */
  rates: Stats;
  dests: DestInfo[];
}

/** A service for one virtual address and port, as it stands. */
export interface AddressServiceInfo extends AddressServiceKey, ServiceState {
  fwmark?: undefined;
}

/** A service for the packets with a firewall mark, as it stands. */
export interface MarkServiceInfo extends Required<MarkServiceKey>, ServiceState {
  protocol?: undefined;
  address?: undefined;
  port?: undefined;
}

/** A virtual service, as it stands. */
export type ServiceInfo = AddressServiceInfo | MarkServiceInfo;

/** Where the records of all services are. */
export function* servicePlaces(
  view: DataView,
  { services: { base, count } }: Pick<Plan, 'services'>,
): Generator<number> {
  for (let i = 0; i < count; i++) {
    const at = base + i * abi.SERVICE_SIZE;
    if (view.getUint8(at + abi.SVC_USED) !== 0) yield at;
  }
}

/** Reads the service whose record is at `at`, with its dests. */
export function readService(view: DataView, at: number): ServiceInfo {
  const flags = view.getUint32(at + abi.SVC_FLAGS, true);
  const scheduler = nameOf(SCHEDULERS, view.getUint8(at + abi.SVC_SCHEDULER));
  return {
    ...readServiceKey(view, at),
    scheduler,
    flags: bitNamesOf(scheduler).filter((name) => flags & FLAG_BITS[name]),
    ...readPersistence(view, at, flags),
    ...readLocals(view, at),
    stats: readStats(view, at + abi.SVC_STATS),
    rates: readRates(view, at + abi.SVC_ESTIMATOR),
    dests: Array.from(destsOf(view, at), (dest) => readDest(view, dest)),
  };
}

/** Sets the counters and rates of the service at `at` and of its dests to 0; the total stays. */
export function zeroStats(view: DataView, at: number): void {
  addStats(view, abi.SUPERBLOCK + abi.SB_GONE, at + abi.SVC_STATS);
  zero(view, at + abi.SVC_STATS, at + abi.SVC_ESTIMATOR);
  for (const dest of destsOf(view, at)) zero(view, dest + abi.DEST_STATS, dest + abi.DEST_ESTIMATOR);
}

/** Sets the total to 0 when all services' counters are. */
export function zeroTotal(view: DataView): void {
  zero(view, abi.SUPERBLOCK + abi.SB_GONE, abi.SUPERBLOCK + abi.SB_TOTAL_ESTIMATOR);
}

/** What was counted since rates were last estimated still enters the next ones: the kernel forgets the shown counts only. */
function zero(view: DataView, stats: number, estimator: number): void {
  for (let i = 0; i < abi.STATS_SIZE; i += 8) {
    const before = estimator + abi.EST_COUNTS + i;
    view.setBigUint64(before, view.getBigUint64(before, true) - view.getBigUint64(stats + i, true), true);
    view.setBigUint64(stats + i, 0n, true);
    view.setBigUint64(estimator + abi.EST_RATES + i, 0n, true);
  }
}

/** What went through all services, those that are no more included. */
export function readTotal(view: DataView, plan: Pick<Plan, 'services'>): { stats: Stats; rates: Stats } {
  const stats = readStats(view, abi.SUPERBLOCK + abi.SB_GONE);
  for (const at of servicePlaces(view, plan)) {
    const more = readStats(view, at + abi.SVC_STATS);
    for (const key of STATS_KEYS) stats[key] += more[key];
  }
  return { stats, rates: readRates(view, abi.SUPERBLOCK + abi.SB_TOTAL_ESTIMATOR) };
}

/** Frames by the reason of their verdict. */
export function readCounters(view: DataView, { counters }: Pick<Plan, 'counters'>): Record<ReasonName, bigint> {
  const count = (name: ReasonName): bigint =>
    view.getBigUint64(counters.base + reasonCode(name) * abi.COUNTER_SIZE, true);
  return Object.fromEntries(REASONS.map(({ name }) => [name, count(name)])) as Record<ReasonName, bigint>;
}

function addStats(view: DataView, to: number, from: number): void {
  for (let i = 0; i < abi.STATS_SIZE; i += 8) {
    view.setBigUint64(to + i, view.getBigUint64(to + i, true) + view.getBigUint64(from + i, true), true);
  }
}

/** The dests of the service at `at`, newest first. */
function* destsOf(view: DataView, at: number): Generator<number> {
  for (
    let dest = view.getUint32(at + abi.SVC_DESTS, true);
    dest !== 0;
    dest = view.getUint32(dest + abi.DEST_NEXT, true)
  ) {
    yield dest;
  }
}

function readPersistence(
  view: DataView,
  at: number,
  flags: number,
): Pick<ServiceState, 'persistent' | 'netmask' | 'ops' | 'pe' | 'synproxy'> {
  const isV6 = view.getUint8(at + abi.SVC_FAMILY) === Family.V6;
  const bits = view.getUint32(at + abi.SVC_NETMASK, true);
  const netmask = isV6 ? bits : addressAt(view, at + abi.SVC_NETMASK, Family.V4);
  const engine = view.getUint8(at + abi.SVC_PE);
  return {
    ...(flags & ServiceFlag.Persistent && { persistent: view.getUint32(at + abi.SVC_TIMEOUT, true) / 1000, netmask }),
    ...(flags & ServiceFlag.OnePacket && { ops: true }),
    ...(flags & ServiceFlag.SynProxy && { synproxy: true }),
    ...(engine !== PersistenceEngine.None && { pe: nameOf(ENGINES, engine) }),
  };
}

function readLocals(view: DataView, at: number): Pick<ServiceState, 'localAddresses' | 'profile' | 'carry'> {
  const count = view.getUint8(at + abi.SVC_LOCAL_COUNT);
  const list = view.getUint32(at + abi.SVC_LOCALS, true);
  const addresses = Array.from({ length: count }, (_, i) => {
    const local = view.getUint32(list + i * 4, true);
    return addressAt(view, local + abi.LOCAL_ADDRESS, view.getUint8(local + abi.LOCAL_FAMILY));
  });
  const profile = nameOf(PROFILES, view.getUint8(at + abi.SVC_PROFILE));
  const carry = view.getUint8(at + abi.SVC_CARRY);
  return {
    ...(count > 0 && { localAddresses: addresses }),
    ...(profile !== 'linux' && { profile }),
    ...(carry !== Carry.None && { carry: nameOf(CARRIERS, carry) }),
  };
}

function readServiceKey(view: DataView, at: number): AddressServiceKey | Required<MarkServiceKey> {
  const fwmark = view.getUint32(at + abi.SVC_FWMARK, true);
  const family = view.getUint8(at + abi.SVC_FAMILY) === Family.V6 ? Family.V6 : Family.V4;
  if (fwmark !== 0) return { fwmark, family };
  return {
    protocol: nameOf(PROTOCOLS, view.getUint8(at + abi.SVC_PROTOCOL)),
    address: addressAt(view, at + abi.SVC_ADDRESS, family),
    port: view.getUint16(at + abi.SVC_PORT_BE, false),
  };
}

function readDest(view: DataView, at: number): DestInfo {
  const method = nameOf(METHODS, view.getUint8(at + abi.DEST_METHOD));
  const active = view.getUint32(at + abi.DEST_ACTIVE, true);
  const inactive = view.getUint32(at + abi.DEST_INACTIVE, true);
  return {
    address: addressAt(view, at + abi.DEST_ADDRESS, view.getUint8(at + abi.DEST_FAMILY)),
    port: view.getUint16(at + abi.DEST_PORT_BE, false),
    method,
    ...(method === 'tun' ? { tunnel: readTunnel(view, at) } : {}),
    weight: view.getInt32(at + abi.DEST_WEIGHT, true),
    upperThreshold: view.getUint32(at + abi.DEST_UPPER_THRESHOLD, true),
    lowerThreshold: view.getUint32(at + abi.DEST_LOWER_THRESHOLD, true),
    activeConnections: active,
    inactiveConnections: inactive,
    // Templates point to it, too, and count as neither.
    persistentConnections: view.getUint32(at + abi.DEST_CONNS, true) - active - inactive,
    stats: readStats(view, at + abi.DEST_STATS),
    rates: readRates(view, at + abi.DEST_ESTIMATOR),
  };
}

/** What there is to its type: an IPIP tunnel has neither port nor checksum. */
function readTunnel(view: DataView, at: number): TunnelConfig {
  const type = nameOf(TUNNEL_TYPES, view.getUint8(at + abi.DEST_TUN_TYPE));
  if (type === 'ipip') return { type };
  const checksum = nameOf(TUNNEL_CHECKSUMS, view.getUint8(at + abi.DEST_TUN_CHECKSUM));
  return type === 'gre'
    ? { type, checksum }
    : { type, port: view.getUint16(at + abi.DEST_TUN_PORT_BE, false), checksum };
}

const STATS_KEYS = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const;

/** Rounded as the kernel does. */
function readRates(view: DataView, at: number): Stats {
  const raw = readStats(view, at + abi.EST_RATES);
  for (const key of STATS_KEYS) {
    raw[key] = key.endsWith('Bytes') ? (raw[key] + 0xfn) >> 5n : (raw[key] + 0x1ffn) >> 10n;
  }
  return raw;
}

function readStats(view: DataView, at: number): Stats {
  return {
    connections: view.getBigUint64(at + abi.STATS_CONNS, true),
    inPackets: view.getBigUint64(at + abi.STATS_IN_PACKETS, true),
    outPackets: view.getBigUint64(at + abi.STATS_OUT_PACKETS, true),
    inBytes: view.getBigUint64(at + abi.STATS_IN_BYTES, true),
    outBytes: view.getBigUint64(at + abi.STATS_OUT_BYTES, true),
  };
}
