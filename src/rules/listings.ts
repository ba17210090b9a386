/**
 * Services and connections as `ipvsadm -Ln` and `ipvsadm -Lnc` print them, byte for byte: column widths, blanks at line
 * ends, scaled numbers and sort order are ipvsadm 1.31's.
 *
 * @module
 */
import type { TunnelConfig } from '../types.js';
import type { ListedConnection, ListedDest, ListedService, ListedStats } from './listed.js';
import { type Names, NO_NAMES } from './names.js';
import { flagsText, maskOf, Naming, SERVICE_ROOM } from './naming.js';
import { compareDests, compareServices, mergeSort, sortConnections } from './order.js';

/** The version of IPVS that the listings name: the kernel's has been 1.2.1 since 2.6. */
export const IPVS_VERSION = '1.2.1';
const CHECKSUM_WORD: Record<NonNullable<TunnelConfig['checksum']>, string> = {
  nocsum: '-c',
  csum: '+c',
  remcsum: 'r+c',
};
const FORWARD_WORD: Record<ListedDest['method'], string> = {
  nat: 'Masq',
  dr: 'Route',
  tun: 'Tunnel',
  fullnat: 'FullNat',
  snat: 'SNAT',
  local: 'Local',
};
const NO_RATES: ListedStats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

/** How to list services. Of several columns that are asked for, the first of this list win, as in ipvsadm. */
export interface ServiceListOptions {
  /** Counters instead of weights and connections: `--stats`. */
  readonly stats?: boolean;
  /** What goes through each second: `--rate`. */
  readonly rate?: boolean;
  /** `--thresholds`. */
  readonly thresholds?: boolean;
  /** Templates of persistent services: `--persistent-conn`. */
  readonly persistent?: boolean;
  /** How packets are put into tunnels: `--tun-info`. */
  readonly tunnels?: boolean;
  /** Counters in full: `--exact`. Default: 10^8 and more are scaled by powers of 1000, without rounding. */
  readonly exact?: boolean;
  /** Default true; `--nosort`: services as they come, dests newest first. */
  readonly sort?: boolean;
  /** Default: all addresses and ports stay numbers, as with `-n`. */
  readonly names?: Names;
  /** Whether the first line tells the version, as it does unless one service was asked for. Default true. */
  readonly version?: boolean;
  /** Buckets of the connection table that the first line tells. Default 4096, the kernel's. */
  readonly size?: number;
}

/** One way of listing: its header, and what stands behind the names. */
interface Layout {
  readonly header: string;
  service(name: string, service: ListedService): string;
  dest(dest: ListedDest): string;
}

/** `ipvsadm -Ln` in all its ways: a line a service and a line a dest, sorted as ipvsadm sorts. */
export function listServices(services: readonly ListedService[], options: ServiceListOptions = {}): string {
  const { names = NO_NAMES, sort = true, version = true, size = 4096 } = options;
  const naming = new Naming(names);
  const layout = layoutOf(options);
  let text = version ? `IP Virtual Server version ${IPVS_VERSION} (size=${size})\n` : '';
  text += layout.header;
  for (const service of sort ? mergeSort(services, compareServices) : services) {
    text += `${layout.service(naming.service(service), service)}\n`;
    for (const dest of sort ? mergeSort(service.dests, compareDests) : service.dests) {
      text += `  -> ${naming.dest(service, dest)}${layout.dest(dest)}\n`;
    }
  }
  return text;
}

function layoutOf(options: ServiceListOptions): Layout {
  const { stats, rate, thresholds, persistent, tunnels, exact = false } = options;
  if (stats) return STATS(exact);
  if (rate) return RATE(exact);
  if (thresholds) return THRESHOLDS;
  return persistent ? PERSISTENT : tunnels ? TUNNELS : PLAIN;
}

const PLAIN: Layout = {
  header:
    'Prot LocalAddress:Port Scheduler Flags\n' +
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n',
  service: settings,
  dest: (dest) => ` ${FORWARD_WORD[dest.method].padEnd(7)} ${column(dest.weight, 6)} ${connections(dest)}`,
};
const TUNNELS: Layout = {
  header:
    'Prot LocalAddress:Port Scheduler Flags\n' +
    '  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n',
  service: settings,
  dest: (dest) => {
    const forward = `${FORWARD_WORD[dest.method].padEnd(7)} ${tunnelInfo(dest).padEnd(13)}`;
    return ` ${forward} ${column(dest.weight, 6)} ${connections(dest)}`;
  },
};
const THRESHOLDS: Layout = {
  header: titled('Uthreshold Lthreshold ActiveConn InActConn '),
  service: settings,
  dest: (dest) => ` ${column(dest.upperThreshold, 10)} ${column(dest.lowerThreshold, 10)} ${connections(dest)}`,
};
const PERSISTENT: Layout = {
  header: titled('Weight    PersistConn ActiveConn InActConn '),
  service: settings,
  dest: (dest) => ` ${column(dest.weight, 9)} ${column(dest.persistentConnections ?? 0, 11)} ${connections(dest)}`,
};
const STATS = (exact: boolean): Layout => ({
  header: titled('   Conns   InPkts  OutPkts  InBytes OutBytes'),
  service: (name, { stats }) => name.padEnd(SERVICE_ROOM) + counters(stats, exact),
  dest: ({ stats }) => counters(stats, exact),
});
const RATE = (exact: boolean): Layout => ({
  header: titled('     CPS    InPPS   OutPPS    InBPS   OutBPS'),
  service: (name, { rates = NO_RATES }) => name.padEnd(SERVICE_ROOM) + counters(rates, exact),
  // Of a server only the bytes are scaled.
  dest: ({ rates = NO_RATES }) => {
    const packets = [rates.connections, rates.inPackets, rates.outPackets].map(
      (value) => ` ${String(value).padStart(8)}`,
    );
    return packets.join('') + [rates.inBytes, rates.outBytes].map(exact ? exactNumber : scaledNumber).join('');
  },
});

function titled(columns: string): string {
  return `${'Prot LocalAddress:Port'.padEnd(SERVICE_ROOM)} ${columns}\n  -> RemoteAddress:Port\n`;
}

/** A service with its scheduler, its flags, and what persistence it has. */
function settings(name: string, service: ListedService): string {
  const { scheduler, persistent, pe, ops, synproxy } = service;
  const flags = flagsText(service);
  const mask = maskOf(service);
  let text = `${name} ${scheduler}${flags === undefined ? '' : ` (${flags})`}`;
  if (persistent !== undefined) {
    text += ` persistent ${persistent}${mask === undefined ? '' : ` mask ${mask}`}${pe === undefined ? '' : ` pe ${pe}`}`;
  }
  return text + (ops ? ' ops' : '') + (synproxy ? ' synproxy' : '');
}

function column(value: number, width: number): string {
  return String(value).padEnd(width);
}

function connections({ activeConnections, inactiveConnections }: ListedDest): string {
  return `${column(activeConnections, 10)} ${column(inactiveConnections, 10)}`;
}

/** `ipip`, `gue:6080:+c`, `gre:-c`. */
function tunnelInfo({ method, tunnel = {} }: ListedDest): string {
  if (method !== 'tun') return 'n/a';
  const { type = 'ipip', port, checksum = 'nocsum' } = tunnel;
  if (type === 'ipip') return type;
  return `${type}:${port === undefined ? '' : `${port}:`}${CHECKSUM_WORD[checksum]}`;
}

function counters(stats: ListedStats, exact: boolean): string {
  const { connections, inPackets, outPackets, inBytes, outBytes } = stats;
  return [connections, inPackets, outPackets, inBytes, outBytes].map(exact ? exactNumber : scaledNumber).join('');
}

/** Always with a blank in front: a number of nine digits and more widens its column. */
function exactNumber(value: bigint): string {
  return ` ${String(value).padStart(8)}`;
}

function scaledNumber(value: bigint): string {
  if (value < 10n ** 8n) return String(value).padStart(9);
  if (value < 10n ** 9n) return `${value / 10n ** 3n}K`.padStart(9);
  if (value < 10n ** 11n) return `${value / 10n ** 6n}M`.padStart(9);
  if (value < 10n ** 14n) return `${value / 10n ** 9n}G`.padStart(9);
  return `${value / 10n ** 12n}T`.padStart(9);
}

/** How to list connections. */
export interface ConnectionListOptions {
  /**
   * `sorted` (the default): by protocol, client address and port, then virtual address and port. `given`: as they
   * come. The kernel lists by hash bucket, in an order that differs from boot to boot.
   */
  readonly order?: 'sorted' | 'given';
  /** What persistence engines know connections by: `--persistent-conn`. */
  readonly persistent?: boolean;
  /** Default: all addresses and ports stay numbers, as with `-n`. */
  readonly names?: Names;
}

/** `ipvsadm -Lnc`: a line a connection. With FullNAT among them, a column for local addresses, as DPVS has it. Minutes are not capped at 59, and what is left of a second is cut off. */
export function listConnections(connections: readonly ListedConnection[], options: ConnectionListOptions = {}): string {
  const { order, persistent = false, names = NO_NAMES } = options;
  const naming = new Naming(names);
  const isLocal = connections.some(({ localAddress }) => localAddress !== undefined);
  let text = 'IPVS connection entries\npro expire state       source             virtual            ';
  text += isLocal ? 'local              destination' : 'destination';
  text += persistent ? '        pe name          pe_data\n' : '\n';
  for (const row of order === 'given' ? connections : sortConnections(connections)) {
    // Of other protocols ipvsadm does not know the ports.
    const protocol = row.protocol === 'tcp' || row.protocol === 'udp' ? row.protocol : undefined;
    const source = naming.endpoint(row.clientAddress, row.clientPort, protocol).padEnd(18);
    const virtual = naming.endpoint(row.virtualAddress, row.virtualPort, protocol).padEnd(18);
    const destination = destinationOf(row, naming);
    const first = `${row.protocol.toUpperCase().padEnd(3)} ${clock(row.expires).padEnd(6)} ${row.state.padEnd(11)}`;
    // The widths of these two are not those of the header.
    const last =
      persistent && row.pe ? `${destination.padEnd(16)} ${row.pe.name.padEnd(18)} ${row.pe.data}` : destination;
    const local = isLocal ? `${localOf(row, naming).padEnd(18)} ` : '';
    text += `${first} ${source} ${virtual} ${local}${last}\n`;
  }
  return text;
}

function localOf({ localAddress, localPort = 0 }: ListedConnection, naming: Naming): string {
  return localAddress === undefined ? '-' : naming.endpoint(localAddress, localPort);
}

/** What goes past its service has no server: the unspecified address stands there. */
function destinationOf(row: ListedConnection, naming: Naming): string {
  const { method, protocol, virtualAddress, destAddress, destPort } = row;
  if (method === 'bypass') return naming.endpoint(virtualAddress.includes(':') ? '::' : '0.0.0.0', 0);
  return naming.endpoint(destAddress, destPort, protocol === 'tcp' || protocol === 'udp' ? protocol : undefined);
}

function clock(expires: number): string {
  const seconds = Math.max(0, Math.floor(expires));
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
