/**
 * Sysctls and timeouts: their defaults, and where the core reads them.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { Kind } from './abi/memory.js';
import { ConnState, EcnMode } from './abi/protocol.js';
import { voidCaches } from './net-tables.js';
import { assertKeys, assertObject, shown } from './shape.js';
import type { SysctlConfig } from './types.js';

interface Field {
  readonly at: number;
  readonly least?: number;
  readonly most?: number;
  /** What the core has in place of 1. */
  readonly unit?: number;
}

/** Seconds, which the core has in milliseconds, of 32 bits. */
const SECONDS = { least: 1, most: 2 ** 22, unit: 1000 } as const;

const INT_MAX = 2 ** 31 - 1;

const FIELDS: Readonly<Record<keyof SysctlConfig, Field>> = {
  ip_forward: { at: abi.SB_IP_FORWARD },
  pmtu_disc: { at: abi.SB_PMTU_DISC },
  sloppy_tcp: { at: abi.SB_SLOPPY_TCP },
  expire_nodest_conn: { at: abi.SB_EXPIRE_NODEST_CONN },
  expire_quiescent_template: { at: abi.SB_EXPIRE_QUIESCENT_TEMPLATE },
  nat_icmp_send: { at: abi.SB_NAT_ICMP_SEND },
  ipv6_forwarding: { at: abi.SB_IPV6_FORWARDING },
  schedule_icmp: { at: abi.SB_SCHEDULE_ICMP },
  cache_bypass: { at: abi.SB_CACHE_BYPASS },
  ignore_tunneled: { at: abi.SB_IGNORE_TUNNELED },
  sloppy_sctp: { at: abi.SB_SLOPPY_SCTP },
  conn_reuse_mode: { at: abi.SB_CONN_REUSE_MODE, most: 3 },
  lblc_expiration: { at: abi.SB_LBLC_EXPIRATION, ...SECONDS },
  lblcr_expiration: { at: abi.SB_LBLCR_EXPIRATION, ...SECONDS },
  secure_tcp: { at: abi.SB_SECURE_TCP, most: 3 },
  drop_entry: { at: abi.SB_DROP_ENTRY, most: 3 },
  drop_packet: { at: abi.SB_DROP_PACKET, most: 3 },
  am_droprate: { at: abi.SB_AM_DROPRATE, most: INT_MAX },
  amemthresh: { at: abi.SB_AMEMTHRESH, most: INT_MAX },
  synproxy_defer: { at: abi.SB_SYNPROXY_DEFER },
  synproxy_mss: { at: abi.SB_SYNPROXY_MSS, least: 536, most: 65_495 },
  synproxy_wscale: { at: abi.SB_SYNPROXY_WSCALE, most: 14 },
  synproxy_sack: { at: abi.SB_SYNPROXY_SACK },
  synproxy_timestamp: { at: abi.SB_SYNPROXY_TIMESTAMP },
  synproxy_retries: { at: abi.SB_SYNPROXY_RETRIES, most: 7 },
  synproxy_max_ack_saved: { at: abi.SB_SYNPROXY_MAX_ACK_SAVED, most: 10 },
  synproxy_dup_ack: { at: abi.SB_SYNPROXY_DUP_ACK, most: 255 },
  conn_expire_tcp_rst: { at: abi.SB_CONN_EXPIRE_TCP_RST },
};

/** The kernel's defaults, but that a director forwards. */
export const DEFAULT_SYSCTL: Required<SysctlConfig> = {
  ip_forward: 1,
  pmtu_disc: 1,
  sloppy_tcp: 0,
  expire_nodest_conn: 0,
  expire_quiescent_template: 0,
  nat_icmp_send: 0,
  ipv6_forwarding: 1,
  schedule_icmp: 0,
  cache_bypass: 0,
  ignore_tunneled: 0,
  sloppy_sctp: 0,
  conn_reuse_mode: 1,
  lblc_expiration: 86_400,
  lblcr_expiration: 86_400,
  secure_tcp: 0,
  drop_entry: 0,
  drop_packet: 0,
  am_droprate: 10,
  amemthresh: 1024,
  synproxy_defer: 0,
  synproxy_mss: 1460,
  synproxy_wscale: 7,
  synproxy_sack: 1,
  synproxy_timestamp: 1,
  synproxy_retries: 3,
  synproxy_max_ack_saved: 3,
  synproxy_dup_ack: 10,
  conn_expire_tcp_rst: 0,
};

/** Those that count as soon as they are written; what the others mean to the defence it asks each second. */
const DEFENCE_MODES: readonly (keyof SysctlConfig)[] = ['secure_tcp', 'drop_entry', 'drop_packet'];

/** What becomes of the ECN field of an outer header, see {@link EcnMode}. */
export type EcnName = 'kernel' | 'rfc6040' | 'copy';

const ECN_MODES: Readonly<Record<EcnName, EcnMode>> = {
  kernel: EcnMode.Kernel,
  rfc6040: EcnMode.Rfc6040,
  copy: EcnMode.Copy,
};

export const ECN_NAMES = Object.keys(ECN_MODES) as readonly EcnName[];

/** The core's number of an ECN mode. @throws RangeError for an unknown name. */
export function ecnMode(name: EcnName): EcnMode {
  if (typeof name !== 'string' || !Object.hasOwn(ECN_MODES, name)) {
    throw new RangeError(`expected an ecn of ${ECN_NAMES.join(', ')}, got ${shown(name)}`);
  }
  return ECN_MODES[name];
}

/**
 * The last kind of connections that make room for a new one, of `half-open`, `closing`, `datagram` and `established` in this
 * order: none is ended while there is one of a kind before it.
 */
export type EvictName = 'none' | 'half-open' | 'closing' | 'datagram' | 'established';

const EVICTED: Readonly<Record<EvictName, number>> = {
  none: 0,
  'half-open': Kind.HalfOpen + 1,
  closing: Kind.Closing + 1,
  datagram: Kind.Datagram + 1,
  established: Kind.Established + 1,
};

/** In their order. */
export const EVICT_NAMES = Object.keys(EVICTED) as readonly EvictName[];

/** How many kinds make room. @throws RangeError for an unknown name. */
export function evictedKinds(name: EvictName): number {
  if (typeof name !== 'string' || !Object.hasOwn(EVICTED, name)) {
    throw new RangeError(`expected an evict of ${EVICT_NAMES.join(', ')}, got ${shown(name)}`);
  }
  return EVICTED[name];
}

/** Seconds by ConnState. */
export type Timeouts = Partial<Record<ConnState, number>>;

/** The kernel's timeouts. */
export const DEFAULT_TIMEOUTS: Timeouts = {
  [ConnState.None]: 2,
  [ConnState.Established]: 900,
  [ConnState.SynSent]: 120,
  [ConnState.SynRecv]: 60,
  [ConnState.FinWait]: 120,
  [ConnState.TimeWait]: 120,
  [ConnState.Close]: 10,
  [ConnState.CloseWait]: 60,
  [ConnState.LastAck]: 30,
  [ConnState.Listen]: 120,
  [ConnState.SynAck]: 120,
  [ConnState.Udp]: 300,
  [ConnState.SctpNone]: 2,
  [ConnState.SctpInit1]: 4,
  [ConnState.SctpInit]: 61,
  [ConnState.SctpCookieSent]: 61,
  [ConnState.SctpCookieReplied]: 61,
  [ConnState.SctpCookieWait]: 61,
  [ConnState.SctpCookie]: 61,
  [ConnState.SctpCookieEchoed]: 61,
  [ConnState.SctpEstablished]: 900,
  [ConnState.SctpShutdownSent]: 61,
  [ConnState.SctpShutdownReceived]: 61,
  [ConnState.SctpShutdownAckSent]: 61,
  [ConnState.SctpRejected]: 4,
  [ConnState.SctpClosed]: 61,
};

/** ipvsadm's limit: 31 days. */
const TIMEOUT_MAX = 31 * 24 * 3600;

/** @throws RangeError for a value that the name does not have (most have 0 and 1), or an unknown name. */
export function checkSysctl(sysctl: SysctlConfig): void {
  assertObject('sysctl', sysctl);
  for (const [name, value] of Object.entries(sysctl)) {
    if (!Object.hasOwn(FIELDS, name))
      throw new RangeError(`expected a sysctl of ${Object.keys(FIELDS).join(', ')}, got ${name}`);
    const { least = 0, most = 1 } = FIELDS[name as keyof SysctlConfig];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      const expected = most === 1 ? '0 or 1' : `an integer from ${least} to ${most}`;
      throw new RangeError(`sysctl ${name}: expected ${expected}, got ${shown(value)}`);
    }
  }
}

/**
 * Writes the switches that are given; true when a mode of the defence is another than it was. Errors as
 * {@link checkSysctl}, and nothing has changed.
 */
export function writeSysctl(view: DataView, sysctl: SysctlConfig): boolean {
  checkSysctl(sysctl);
  const before = readSysctl(view);
  for (const [name, value] of Object.entries(sysctl) as [keyof SysctlConfig, number | undefined][]) {
    const { at, unit = 1 } = FIELDS[name];
    if (value !== undefined) view.setUint32(abi.SUPERBLOCK + at, value * unit, true);
  }
  // Whether replies are forwarded at all is part of what a connection has cached.
  voidCaches(view);
  return DEFENCE_MODES.some((name) => (sysctl[name] ?? before[name]) !== before[name]);
}

/** All switches. */
export function readSysctl(view: DataView): Required<SysctlConfig> {
  const entries = Object.entries(FIELDS).map(([name, { at, unit = 1 }]) => [
    name,
    view.getUint32(abi.SUPERBLOCK + at, true) / unit,
  ]);
  return Object.fromEntries(entries) as Required<SysctlConfig>;
}

const TIMEOUT_KEYS = { tcp: true, tcpfin: true, udp: true };

/** Those that `ipvsadm --set` knows, by their states; 0 and `undefined` leave one as it is. @throws RangeError for an unknown key. */
export function timeoutsOf(given: { tcp?: number; tcpfin?: number; udp?: number }): Timeouts {
  assertKeys('timeouts', given, TIMEOUT_KEYS);
  const { tcp = 0, tcpfin = 0, udp = 0 } = given;
  return {
    ...(tcp !== 0 && { [ConnState.Established]: tcp }),
    ...(tcpfin !== 0 && { [ConnState.FinWait]: tcpfin }),
    ...(udp !== 0 && { [ConnState.Udp]: udp }),
  };
}

/** Writes the timeouts that are given, in seconds. @throws RangeError outside 1 s to 31 days, and nothing has changed. */
export function writeTimeouts(view: DataView, timeouts: Timeouts): void {
  const entries = Object.entries(timeouts);
  for (const [, seconds] of entries) {
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > TIMEOUT_MAX) {
      throw new RangeError(`expected a timeout from 1 to ${TIMEOUT_MAX} seconds, got ${shown(seconds)}`);
    }
  }
  for (const [state, seconds] of entries) {
    view.setUint32(abi.SUPERBLOCK + abi.SB_TIMEOUTS + Number(state) * 4, seconds * 1000, true);
  }
}

/** Those that `ipvsadm --set` knows, in seconds. */
export function readTimeouts(view: DataView): { tcp: number; tcpfin: number; udp: number } {
  const seconds = (state: ConnState): number =>
    view.getUint32(abi.SUPERBLOCK + abi.SB_TIMEOUTS + state * 4, true) / 1000;
  return { tcp: seconds(ConnState.Established), tcpfin: seconds(ConnState.FinWait), udp: seconds(ConnState.Udp) };
}
