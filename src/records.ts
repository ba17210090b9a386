/**
 * Services, dests and connections as objects, read out of the core's records.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { ConnFlag, Family } from './abi/memory.js';
import {
  Carry,
  ConnState,
  Method,
  PersistenceEngine,
  Profile,
  Protocol,
  Scheduler,
  ServiceFlag,
  TunnelChecksum,
  TunnelType,
} from './abi/protocol.js';
import { formatAddress } from './address.js';
import type { Plan } from './plan.js';
import { bitNamesOf } from './schedulers.js';
import type {
  AddressServiceKey,
  CarryName,
  MarkServiceKey,
  MethodName,
  PersistenceEngineName,
  ProfileName,
  ProtocolName,
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

/** Name of a connection's state, as `ipvsadm -Lnc` prints it; `ASSURED` only of a template. */
export type ConnStateName = (typeof STATE_NAMES)[number] | 'ASSURED';

/** A connection, or the template of a client's connections. */
export interface ConnectionInfo {
  /** `ip`: a template of a service by firewall mark, whose virtual address is the mark. */
  protocol: ProtocolName | 'ip';
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  /** By SNAT whom the client addressed. */
  destAddress: string;
  destPort: number;
  /** `bypass`: it has no dest (`0.0.0.0` or `::`, port 0), see `cache_bypass`. */
  method: MethodName | 'bypass';
  state: ConnStateName;
  /** Seconds until it ends if no packet comes. */
  expires: number;
  /** Seconds since its last packet, or since it was given more time: for those that it controls, or for a server that is silent. */
  idle: number;
  /** Packets from the client. */
  inPackets: number;
  /** By FullNAT and SNAT: what its server sees of the client. */
  localAddress?: string;
  localPort?: number;
  /** Only of a template: what says to which dest a client's next connections go. */
  template?: true;
  /** What a persistence engine knows the template by, a character a byte. */
  pe?: { name: PersistenceEngineName; data: string };
}

/** By ConnState. */
const STATE_NAMES = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
  'UDP',
  'NONE',
  'INIT1',
  'INIT',
  'C-SENT',
  'C-REPLIED',
  'C-WAIT',
  'COOKIE',
  'C-ECHOED',
  'ESTABLISHED',
  'S-SENT',
  'S-RECEIVED',
  'S-ACK-SENT',
  'REJECTED',
  'CLOSED',
] as const;

/** Protocols by name. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  tcp: Protocol.Tcp,
  udp: Protocol.Udp,
  sctp: Protocol.Sctp,
};

/** Forwarding methods by name. */
export const METHODS: Readonly<Record<MethodName, Method>> = {
  nat: Method.Masq,
  dr: Method.Route,
  tun: Method.Tunnel,
  fullnat: Method.FullNat,
  snat: Method.Snat,
};

/** How FullNAT tells a server its client, by name. */
export const CARRIERS: Readonly<Record<CarryName, Carry>> = {
  toa: Carry.Toa,
  'proxy-v1': Carry.ProxyV1,
  'proxy-v2': Carry.ProxyV2,
  'uoa-option': Carry.UoaOption,
  'uoa-protocol': Carry.UoaProtocol,
};

/** Profiles of FullNAT by name. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  linux: Profile.Linux,
  alibaba: Profile.Alibaba,
  dpvs: Profile.Dpvs,
};

/** ms for which a template that is due lives on while it controls connections. */
const LONGER = 60_000;

/** Those and what a template may have instead. */
const CONN_PROTOCOLS: Readonly<Record<ConnectionInfo['protocol'], number>> = { ...PROTOCOLS, ip: 0 };

/** Those and what a connection may have instead. */
const CONN_METHODS: Readonly<Record<ConnectionInfo['method'], Method>> = { ...METHODS, bypass: Method.Bypass };

function connMethodOf(value: number): ConnectionInfo['method'] {
  return value === Method.Nat64 ? 'fullnat' : nameOf(CONN_METHODS, value);
}

/** Tunnels by name. */
export const TUNNEL_TYPES: Readonly<Record<NonNullable<TunnelConfig['type']>, TunnelType>> = {
  ipip: TunnelType.Ipip,
  gre: TunnelType.Gre,
  gue: TunnelType.Gue,
};

/** Checksums of tunnels by name. */
export const TUNNEL_CHECKSUMS: Readonly<Record<NonNullable<TunnelConfig['checksum']>, TunnelChecksum>> = {
  nocsum: TunnelChecksum.None,
  csum: TunnelChecksum.Csum,
  remcsum: TunnelChecksum.Remcsum,
};

/** Schedulers by name. */
export const SCHEDULERS: Readonly<Record<SchedulerName, Scheduler>> = {
  rr: Scheduler.Rr,
  wrr: Scheduler.Wrr,
  lc: Scheduler.Lc,
  wlc: Scheduler.Wlc,
  lblc: Scheduler.Lblc,
  lblcr: Scheduler.Lblcr,
  dh: Scheduler.Dh,
  sh: Scheduler.Sh,
  mh: Scheduler.Mh,
  maglev: Scheduler.Maglev,
  sed: Scheduler.Sed,
  nq: Scheduler.Nq,
  fo: Scheduler.Fo,
  ovf: Scheduler.Ovf,
  twos: Scheduler.Twos,
};

/** Scheduler flags by name; the same bits mean those of `sh` and those of `mh`. */
export const FLAG_BITS: Readonly<Record<SchedulerFlag, ServiceFlag>> = {
  'sh-fallback': ServiceFlag.Sched1,
  'sh-port': ServiceFlag.Sched2,
  'mh-fallback': ServiceFlag.Sched1,
  'mh-port': ServiceFlag.Sched2,
  'flag-1': ServiceFlag.Sched1,
  'flag-2': ServiceFlag.Sched2,
  'flag-3': ServiceFlag.Sched3,
};

/** Persistence engines by name. */
export const ENGINES: Readonly<Record<PersistenceEngineName, PersistenceEngine>> = { sip: PersistenceEngine.Sip };

/** The address of that family at `at`. */
function addressAt(view: DataView, at: number, family: Family): string {
  return formatAddress(new Uint8Array(view.buffer, at, family === Family.V6 ? 16 : 4));
}

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

/**
 * Reads the connection whose record is at `at`; `undefined` when it is not in use, or is due at `now` (ms). A time before
 * the core's own counts as the core's.
 */
export function readConnection(view: DataView, at: number, now: number): ConnectionInfo | undefined {
  const flags = view.getUint8(at + abi.CONN_FLAGS);
  if ((flags & ConnFlag.Used) === 0) return undefined;
  const timeout = view.getUint32(at + abi.CONN_TIMEOUT, true);
  const clock = Number(view.getBigUint64(abi.SUPERBLOCK + abi.SB_NOW, true));
  const sinceTouched = (clock - view.getUint32(at + abi.CONN_TOUCHED, true)) >>> 0;
  const age = sinceTouched + Math.max(0, Math.floor(now) - clock);
  const isTemplate = (flags & ConnFlag.Template) !== 0;
  // What controls connections lives on by a minute at a time.
  const isControlling = controlsAny(view, at, isTemplate);
  if (age >= timeout && !isControlling) return undefined;
  const [life, idle] = age >= timeout ? [LONGER, (age - timeout) % LONGER] : [timeout, age];
  const isUdp = view.getUint8(at + abi.CONN_PROTOCOL) === Protocol.Udp;
  // Also before its first packet, when an error has opened it.
  const state = isUdp ? ConnState.Udp : view.getUint8(at + abi.CONN_STATE);
  const isV6 = (flags & ConnFlag.V6) !== 0;
  const family = isV6 ? Family.V6 : Family.V4;
  const method = connMethodOf(view.getUint8(at + abi.CONN_METHOD));
  return {
    protocol: nameOf(CONN_PROTOCOLS, view.getUint8(at + abi.CONN_PROTOCOL)),
    clientAddress: addressAt(view, at + (isV6 ? abi.CONN_CADDR6 : abi.CONN_CADDR_BE), family),
    clientPort: view.getUint16(at + abi.CONN_CPORT_BE, false),
    virtualAddress: addressAt(view, at + (isV6 ? abi.CONN_VADDR6 : abi.CONN_VADDR_BE), family),
    virtualPort: view.getUint16(at + abi.CONN_VPORT_BE, false),
    ...(method === 'bypass'
      ? { destAddress: isV6 ? '::' : '0.0.0.0', destPort: 0 }
      : { destAddress: destAddress(view, at, family), destPort: view.getUint16(at + abi.CONN_DPORT_BE, false) }),
    method,
    state: isTemplate ? templateState(view, at) : (STATE_NAMES[state] ?? STATE_NAMES[ConnState.None]),
    expires: (life - idle) / 1000,
    idle: idle / 1000,
    inPackets: view.getUint32(at + abi.CONN_IN_PACKETS, true),
    ...((method === 'fullnat' || method === 'snat') && !isTemplate && readLocal(view, at)),
    ...(isTemplate && { template: true, ...readCallId(view, view.getUint32(at + abi.CONN_CALL_ID, true)) }),
  };
}

function readLocal(view: DataView, at: number): Pick<ConnectionInfo, 'localAddress' | 'localPort'> {
  const extension = view.getUint32(at + abi.CONN_CONTROL, true) - abi.EXTENDED;
  const family = view.getUint8(view.getUint32(extension + abi.EXT_LOCAL, true) + abi.LOCAL_FAMILY);
  return {
    localAddress: addressAt(view, extension + abi.EXT_LADDR, family),
    localPort: view.getUint16(extension + abi.EXT_LPORT_BE, false),
  };
}

function controlsAny(view: DataView, at: number, isTemplate: boolean): boolean {
  const control = view.getUint32(at + abi.CONN_CONTROL, true);
  const isExtended = !isTemplate && (control & abi.EXTENDED) !== 0;
  if (!isTemplate && (!isExtended || view.getUint8(at + abi.CONN_METHOD) >= Method.FullNat)) return false;
  return view.getUint32(isTemplate ? at + abi.CONN_CONTROLS : control - abi.EXTENDED + abi.EXT_CONTROLS, true) !== 0;
}

function templateState(view: DataView, at: number): ConnStateName {
  return view.getUint8(at + abi.CONN_STATE) === 0 ? 'NONE' : 'ASSURED';
}

function readCallId(view: DataView, cell: number): Pick<ConnectionInfo, 'pe'> {
  if (cell === 0) return {};
  const length = view.getUint8(cell + abi.CALL_ID_LENGTH);
  const text = new Uint8Array(view.buffer, cell + abi.CALL_ID_TEXT, length);
  return { pe: { name: 'sip', data: String.fromCharCode(...text) } };
}

/** A record holds addresses of its client's family; a dest of the other is only in the dest's own record. */
function destAddress(view: DataView, at: number, family: Family): string {
  const dest = view.getUint32(at + abi.CONN_DEST, true);
  const destFamily = dest === 0 ? family : view.getUint8(dest + abi.DEST_FAMILY);
  if (destFamily !== family) return addressAt(view, dest + abi.DEST_ADDRESS, destFamily);
  return addressAt(view, at + (family === Family.V6 ? abi.CONN_DADDR6 : abi.CONN_DADDR_BE), family);
}

function nameOf<K extends string>(table: Readonly<Record<K, number>>, value: number): K {
  for (const name of Object.keys(table) as K[]) if (table[name] === value) return name;
  throw new RangeError(`expected a record of a known kind, got ${value}`);
}
