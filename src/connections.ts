/**
 * Connections and templates as objects, read out of the core's records.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { ConnFlag, Family } from './abi/memory.js';
import { ConnState, Method, Protocol } from './abi/protocol.js';
import type { Plan } from './plan.js';
import { addressAt, METHODS, nameOf, PROTOCOLS, STATE_NAMES } from './record-names.js';
import { addressOf, type Region } from './region.js';
import type { MethodName, PersistenceEngineName, ProtocolName } from './types.js';

/** Name of a connection's state, as `ipvsadm -Lnc` prints it; `ASSURED` only of a template. */
export type ConnStateName = (typeof STATE_NAMES)[number] | 'ASSURED';

/** A connection, or the template of a client's connections. */
export interface ConnectionInfo {
  /**
   * `ip`: a template of a service by firewall mark, whose virtual address is the mark. `icmp`, `icmpv6`: queries by SNAT, whose
   * identifiers stand as ports of client and director; those of the server are 0.
   */
  protocol: ProtocolName | 'icmp' | 'icmpv6' | 'ip';
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

/** ms for which a template that is due lives on while it controls connections. */
const LONGER = 60_000;

/** Those and what a template may have instead. */
const CONN_PROTOCOLS: Readonly<Record<ConnectionInfo['protocol'], number>> = {
  ...PROTOCOLS,
  icmp: Protocol.Icmp,
  icmpv6: Protocol.Icmpv6,
  ip: 0,
};

/** Those and what a connection may have instead. */
const CONN_METHODS: Readonly<Record<ConnectionInfo['method'], Method>> = { ...METHODS, bypass: Method.Bypass };

function connMethodOf(value: number): ConnectionInfo['method'] {
  return value === Method.Nat64 ? 'fullnat' : nameOf(CONN_METHODS, value);
}

/** All connections that are not due at `now` (ms), in the order of their records. */
export function readConnections(view: DataView, plan: Plan, now: number): ConnectionInfo[] {
  const found: ConnectionInfo[] = [];
  const read = (region: Region, size: number, highField: number): void => {
    const high = view.getUint32(abi.SUPERBLOCK + highField, true);
    for (let i = 0; i < high; i++) {
      const connection = readConnection(view, addressOf(region, size, i), now);
      if (connection !== undefined) found.push(connection);
    }
  };
  read(plan.conns, abi.CONN_SIZE, abi.SB_CONN_HIGH);
  read(plan.conns6, abi.CONN6_SIZE, abi.SB_CONN6_HIGH);
  return found;
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
