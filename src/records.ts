/**
 * Services, dests and connections as objects, read out of the core's records.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { ConnFlag } from './abi/memory.js';
import { ConnState, Method, Protocol, Scheduler, ServiceFlag } from './abi/protocol.js';
import { formatIPv4, memoryOrder } from './address.js';
import type { MethodName, ProtocolName, SchedulerFlag, SchedulerName } from './types.js';

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
  port: number;
  method: MethodName;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  activeConnections: number;
  inactiveConnections: number;
  stats: Stats;
}

/** A virtual service, as it stands; its dests in the kernel's order, the one added last first. */
export interface ServiceInfo {
  protocol: ProtocolName;
  address: string;
  port: number;
  scheduler: SchedulerName;
  flags: SchedulerFlag[];
  stats: Stats;
  dests: DestInfo[];
}

/** Name of a connection's state, as `ipvsadm -Lnc` prints it. */
export type ConnStateName = (typeof STATE_NAMES)[number];

/** A connection. */
export interface ConnectionInfo {
  protocol: ProtocolName;
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
  method: MethodName;
  state: ConnStateName;
  /** Seconds until it ends if no packet comes. */
  expires: number;
  /** Packets from the client. */
  inPackets: number;
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
] as const;

/** Protocols by name. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = { tcp: Protocol.Tcp, udp: Protocol.Udp };

/** Forwarding methods by name. */
export const METHODS: Readonly<Record<MethodName, Method>> = {
  nat: Method.Masq,
  dr: Method.Route,
  tun: Method.Tunnel,
};

/** Schedulers by name. */
export const SCHEDULERS: Readonly<Record<SchedulerName, Scheduler>> = {
  rr: Scheduler.Rr,
  wrr: Scheduler.Wrr,
  wlc: Scheduler.Wlc,
  sh: Scheduler.Sh,
};

/** Scheduler flags by name. */
export const SCHEDULER_FLAGS: Readonly<Record<SchedulerFlag, ServiceFlag>> = {
  'sh-fallback': ServiceFlag.Sched1,
  'sh-port': ServiceFlag.Sched2,
};

/** An address as it stands in a record. */
export function addressAt(view: DataView, at: number): string {
  return formatIPv4(memoryOrder(view.getUint32(at, true)));
}

/** Reads the service whose record is at `at`, with its dests. */
export function readService(view: DataView, at: number): ServiceInfo {
  const flags = view.getUint32(at + abi.SVC_FLAGS, true);
  const dests: DestInfo[] = [];
  for (
    let dest = view.getUint32(at + abi.SVC_DESTS, true);
    dest !== 0;
    dest = view.getUint32(dest + abi.DEST_NEXT, true)
  ) {
    dests.push(readDest(view, dest));
  }
  return {
    protocol: nameOf(PROTOCOLS, view.getUint8(at + abi.SVC_PROTOCOL)),
    address: addressAt(view, at + abi.SVC_ADDRESS_BE),
    port: view.getUint16(at + abi.SVC_PORT_BE, false),
    scheduler: nameOf(SCHEDULERS, view.getUint8(at + abi.SVC_SCHEDULER)),
    flags: (Object.keys(SCHEDULER_FLAGS) as SchedulerFlag[]).filter((name) => flags & SCHEDULER_FLAGS[name]),
    stats: readStats(view, at + abi.SVC_STATS),
    dests,
  };
}

function readDest(view: DataView, at: number): DestInfo {
  return {
    address: addressAt(view, at + abi.DEST_ADDRESS_BE),
    port: view.getUint16(at + abi.DEST_PORT_BE, false),
    method: nameOf(METHODS, view.getUint8(at + abi.DEST_METHOD)),
    weight: view.getInt32(at + abi.DEST_WEIGHT, true),
    upperThreshold: view.getUint32(at + abi.DEST_UPPER_THRESHOLD, true),
    lowerThreshold: view.getUint32(at + abi.DEST_LOWER_THRESHOLD, true),
    activeConnections: view.getUint32(at + abi.DEST_ACTIVE, true),
    inactiveConnections: view.getUint32(at + abi.DEST_INACTIVE, true),
    stats: readStats(view, at + abi.DEST_STATS),
  };
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
  if ((view.getUint8(at + abi.CONN_FLAGS) & ConnFlag.Used) === 0) return undefined;
  const timeout = view.getUint32(at + abi.CONN_TIMEOUT, true);
  const clock = Number(view.getBigUint64(abi.SUPERBLOCK + abi.SB_NOW, true));
  const sinceTouched = (clock - view.getUint32(at + abi.CONN_TOUCHED, true)) >>> 0;
  const age = sinceTouched + Math.max(0, Math.floor(now) - clock);
  if (age >= timeout) return undefined;
  const state = view.getUint8(at + abi.CONN_STATE);
  return {
    protocol: nameOf(PROTOCOLS, view.getUint8(at + abi.CONN_PROTOCOL)),
    clientAddress: addressAt(view, at + abi.CONN_CADDR_BE),
    clientPort: view.getUint16(at + abi.CONN_CPORT_BE, false),
    virtualAddress: addressAt(view, at + abi.CONN_VADDR_BE),
    virtualPort: view.getUint16(at + abi.CONN_VPORT_BE, false),
    destAddress: addressAt(view, at + abi.CONN_DADDR_BE),
    destPort: view.getUint16(at + abi.CONN_DPORT_BE, false),
    method: nameOf(METHODS, view.getUint8(at + abi.CONN_METHOD)),
    state: STATE_NAMES[state] ?? STATE_NAMES[ConnState.None],
    expires: (timeout - age) / 1000,
    inPackets: view.getUint32(at + abi.CONN_IN_PACKETS, true),
  };
}

function nameOf<K extends string>(table: Readonly<Record<K, number>>, value: number): K {
  for (const name of Object.keys(table) as K[]) if (table[name] === value) return name;
  throw new RangeError(`expected a record of a known kind, got ${value}`);
}
