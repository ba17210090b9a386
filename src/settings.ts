/**
 * Sysctls and timeouts: their defaults, and where the core reads them.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { ConnState } from './abi/protocol.js';
import { voidCaches } from './net-tables.js';
import type { SysctlConfig } from './types.js';

const FIELDS: Readonly<Record<keyof SysctlConfig, number>> = {
  ip_forward: abi.SB_IP_FORWARD,
  pmtu_disc: abi.SB_PMTU_DISC,
  sloppy_tcp: abi.SB_SLOPPY_TCP,
  expire_nodest_conn: abi.SB_EXPIRE_NODEST_CONN,
  nat_icmp_send: abi.SB_NAT_ICMP_SEND,
};

/** The kernel's defaults, but that a director forwards. */
export const DEFAULT_SYSCTL: Required<SysctlConfig> = {
  ip_forward: 1,
  pmtu_disc: 1,
  sloppy_tcp: 0,
  expire_nodest_conn: 0,
  nat_icmp_send: 0,
};

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
};

/** ipvsadm's limit: 31 days. */
const TIMEOUT_MAX = 31 * 24 * 3600;

/** @throws RangeError for a value other than 0 and 1, or an unknown name. */
export function checkSysctl(sysctl: SysctlConfig): void {
  for (const [name, value] of Object.entries(sysctl)) {
    if (!Object.hasOwn(FIELDS, name))
      throw new RangeError(`expected a sysctl of ${Object.keys(FIELDS).join(', ')}, got ${name}`);
    if (value !== undefined && value !== 0 && value !== 1) {
      throw new RangeError(`sysctl ${name}: expected 0 or 1, got ${value}`);
    }
  }
}

/** Writes the switches that are given. Errors as {@link checkSysctl}, and nothing has changed. */
export function writeSysctl(view: DataView, sysctl: SysctlConfig): void {
  checkSysctl(sysctl);
  for (const [name, value] of Object.entries(sysctl) as [keyof SysctlConfig, number | undefined][]) {
    if (value !== undefined) view.setUint32(abi.SUPERBLOCK + FIELDS[name], value, true);
  }
  // Whether replies are forwarded at all is part of what a connection has cached.
  voidCaches(view);
}

/** All switches. */
export function readSysctl(view: DataView): Required<SysctlConfig> {
  const entries = Object.entries(FIELDS).map(([name, field]) => [name, view.getUint32(abi.SUPERBLOCK + field, true)]);
  return Object.fromEntries(entries) as Required<SysctlConfig>;
}

/** Writes the timeouts that are given, in seconds. @throws RangeError outside 1 s to 31 days, and nothing has changed. */
export function writeTimeouts(view: DataView, timeouts: Timeouts): void {
  const entries = Object.entries(timeouts);
  for (const [, seconds] of entries) {
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > TIMEOUT_MAX) {
      throw new RangeError(`expected a timeout from 1 to ${TIMEOUT_MAX} seconds, got ${seconds}`);
    }
  }
  for (const [state, seconds] of entries) {
    view.setUint32(abi.SUPERBLOCK + abi.SB_TIMEOUTS + Number(state) * 4, seconds * 1000, true);
  }
}
