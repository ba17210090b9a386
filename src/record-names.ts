/**
 * What the core's records have as numbers, by name: protocols, forwarding methods, states, schedulers and their flags.
 *
 * @module
 */
import { Family } from './abi/memory.js';
import {
  Carry,
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
import type {
  CarryName,
  MethodName,
  PersistenceEngineName,
  ProfileName,
  ProtocolName,
  SchedulerFlag,
  SchedulerName,
  TunnelConfig,
} from './types.js';

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

/** Names of connections' states, by ConnState. */
export const STATE_NAMES = [
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

/** The name that a number stands for in `table`. @throws RangeError when it stands for none */
export function nameOf<K extends string>(table: Readonly<Record<K, number>>, value: number): K {
  for (const name of Object.keys(table) as K[]) if (table[name] === value) return name;
  throw new RangeError(`expected a record of a known kind, got ${value}`);
}

/** The address of that family at `at`. */
export function addressAt(view: DataView, at: number, family: Family): string {
  return formatAddress(new Uint8Array(view.buffer, at, family === Family.V6 ? 16 : 4));
}
