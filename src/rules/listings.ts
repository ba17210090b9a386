/**
 * Services and connections as `ipvsadm -Ln`, `-Ln --stats`, `-Ln --tun-info` and `-Lnc` print them, byte for byte:
 * column widths, blanks at line ends, scaled numbers and sort order are ipvsadm 1.31's. (Only marks of 2^31 and more
 * ipvsadm prints as negative numbers, which it does not read itself.)
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import { SCHEDULER_FLAGS } from '../schedulers.js';
import type { ServiceKey, TunnelConfig } from '../types.js';
import type { ListedConnection, ListedDest, ListedService, ListedStats } from './listed.js';
import { compareDests, compareServices, mergeSort, sortConnections } from './order.js';

/** The version of IPVS that the listings name: the kernel's has been 1.2.1 since 2.6. */
const IPVS_VERSION = '1.2.1';
const CHECKSUM_WORD: Record<NonNullable<TunnelConfig['checksum']>, string> = {
  nocsum: '-c',
  csum: '+c',
  remcsum: 'r+c',
};
const FORWARD_WORD: Record<ListedDest['method'], string> = { nat: 'Masq', dr: 'Route', tun: 'Tunnel', local: 'Local' };

/** How to list services. */
export interface ServiceListOptions {
  /** Counters instead of weights and connections: `--stats`. */
  readonly stats?: boolean;
  /** Counters in full: `--exact`. Default: 10^8 and more are scaled by powers of 1000, without rounding. */
  readonly exact?: boolean;
  /** How packets are put into tunnels: `--tun-info`. With `stats` the counters win, as in ipvsadm. */
  readonly tunnels?: boolean;
  /** Buckets of the connection table that the first line tells. Default 4096, the kernel's. */
  readonly size?: number;
}

/**
 * `ipvsadm -Ln`, `ipvsadm -Ln --stats [--exact]` or `ipvsadm -Ln --tun-info`: a line a service and a line a dest, sorted
 * as ipvsadm sorts.
 */
export function listServices(services: readonly ListedService[], options: ServiceListOptions = {}): string {
  const { stats = false, exact = false, tunnels = false, size = 4096 } = options;
  let text = `IP Virtual Server version ${IPVS_VERSION} (size=${size})\n`;
  text += stats
    ? `${'Prot LocalAddress:Port'.padEnd(33)}${columns(['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'])}\n` +
      '  -> RemoteAddress:Port\n'
    : 'Prot LocalAddress:Port Scheduler Flags\n' +
      `  -> RemoteAddress:Port           Forward ${tunnels ? 'TunnelInfo    ' : ''}Weight ActiveConn InActConn\n`;
  for (const service of mergeSort(services, compareServices)) {
    const name = serviceName(service);
    const flags = SCHEDULER_FLAGS.filter((flag) => service.flags.includes(flag)).join(',');
    text += stats
      ? `${name.padEnd(33)}${counters(service.stats, exact)}\n`
      : `${name} ${service.scheduler}${flags && ` (${flags})`}\n`;
    for (const dest of mergeSort(service.dests, compareDests)) {
      const destName = `  -> ${formatEndpoint(dest.address, dest.port).padEnd(28)}`;
      text += `${destName}${stats ? counters(dest.stats, exact) : ` ${destState(dest, tunnels)}`}\n`;
    }
  }
  return text;
}

function serviceName(service: Readonly<ServiceKey>): string {
  if ('fwmark' in service) return `FWM  ${service.fwmark}${service.family === 6 ? ' IPv6' : ''}`;
  return `${service.protocol.toUpperCase().padEnd(4)} ${formatEndpoint(service.address, service.port)}`;
}

function destState(dest: ListedDest, tunnels: boolean): string {
  const forward = FORWARD_WORD[dest.method].padEnd(7) + (tunnels ? ` ${tunnelInfo(dest).padEnd(13)}` : '');
  const weight = String(dest.weight).padEnd(6);
  const active = String(dest.activeConnections).padEnd(10);
  return `${forward} ${weight} ${active} ${String(dest.inactiveConnections).padEnd(10)}`;
}

/** `ipip`, `gue:6080:+c`, `gre:-c`. */
function tunnelInfo({ method, tunnel = {} }: ListedDest): string {
  if (method !== 'tun') return 'n/a';
  const { type = 'ipip', port, checksum = 'nocsum' } = tunnel;
  if (type === 'ipip') return type;
  return `${type}:${port === undefined ? '' : `${port}:`}${CHECKSUM_WORD[checksum]}`;
}

function columns(names: readonly string[]): string {
  return names.map((name) => ` ${name.padStart(8)}`).join('');
}

function counters(stats: ListedStats, exact: boolean): string {
  const { connections, inPackets, outPackets, inBytes, outBytes } = stats;
  const format = exact ? exactNumber : scaledNumber;
  return [connections, inPackets, outPackets, inBytes, outBytes].map(format).join('');
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
}

/** `ipvsadm -Lnc`: a line a connection. Minutes are not capped at 59, and what is left of a second is cut off. */
export function listConnections(connections: readonly ListedConnection[], options: ConnectionListOptions = {}): string {
  const rows = options.order === 'given' ? connections : sortConnections(connections);
  let text = 'IPVS connection entries\n';
  text += 'pro expire state       source             virtual            destination\n';
  for (const row of rows) {
    const source = formatEndpoint(row.clientAddress, row.clientPort).padEnd(18);
    const virtual = formatEndpoint(row.virtualAddress, row.virtualPort).padEnd(18);
    const protocol = row.protocol.toUpperCase().padEnd(3);
    const state = row.state.padEnd(11);
    text += `${protocol} ${clock(row.expires).padEnd(6)} ${state} ${source} ${virtual} ${destination(row)}\n`;
  }
  return text;
}

/** What goes past its service has no server: the unspecified address stands there. */
function destination({ method, virtualAddress, destAddress, destPort }: ListedConnection): string {
  if (method === 'bypass') return formatEndpoint(virtualAddress.includes(':') ? '::' : '0.0.0.0', 0);
  return formatEndpoint(destAddress, destPort);
}

function clock(expires: number): string {
  const seconds = Math.max(0, Math.floor(expires));
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
