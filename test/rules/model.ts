/**
 * Helpers of the rule tests: a table that obeys rules as the kernel does, and real listings read back into numbers.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { IpvsError } from '../../src/errors.js';
import type { RuleDest, RuleService, RuleTarget } from '../../src/rules/ipvsadm.js';
import type { ListedConnection, ListedDest, ListedService, ListedStats, SavedService } from '../../src/rules/listed.js';
import type {
  DestConfig,
  DestKey,
  MethodName,
  ProtocolName,
  SchedulerFlag,
  ServiceConfig,
  ServiceKey,
  TunnelConfig,
} from '../../src/types.js';

export const FIXTURES = new URL('../fixtures/', import.meta.url);
const KERNEL = new URL('kernel/', FIXTURES);

/** Recorded scenarios. */
export const SCENARIOS = readdirSync(KERNEL, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

export function kernelFile(scenario: string, file: string): string {
  return readFileSync(new URL(`${scenario}/${file}`, KERNEL), 'utf8');
}

/** The listings of a kind (`services`, `stats`, `conns`, …) beside those of the scenarios. */
export function listingsOf(kind: string): string[] {
  return readdirSync(new URL('listings/', FIXTURES)).filter((name) => name.endsWith(`-${kind}.txt`));
}

export function fixture(path: string): string {
  return readFileSync(new URL(path, FIXTURES), 'utf8');
}

type Row = RuleService & { dests: RuleDest[] };

/** A text that names a service. */
export function keyOf(key: Readonly<ServiceKey>): string {
  if ('fwmark' in key) return `fwm ${key.fwmark} ${key.family ?? 4}`;
  return `${key.protocol} ${key.address} ${key.port}`;
}

/** Keeps rules like the kernel: dests newest first. */
export class RuleTable implements RuleTarget {
  rows: Row[] = [];
  timeouts: { tcp?: number; tcpfin?: number; udp?: number }[] = [];

  services(): SavedService[] {
    return this.rows;
  }

  private row(key: ServiceKey): Row {
    const row = this.find(key);
    if (row === undefined) throw new IpvsError('NO_SUCH_SERVICE', 'Service not defined');
    return row;
  }

  private find(key: ServiceKey): Row | undefined {
    return this.rows.find((row) => keyOf(row) === keyOf(key));
  }

  addService(service: ServiceConfig): void {
    if (this.find(service)) throw new IpvsError('SERVICE_EXISTS', 'Service already exists');
    this.rows.push({ ...(service as RuleService), dests: [] });
  }

  editService(service: ServiceConfig): void {
    Object.assign(this.row(service), service);
  }

  addLocalAddress(service: ServiceKey, address: string): void {
    const row = this.row(service);
    Object.assign(row, { localAddresses: [...(row.localAddresses ?? []), address] });
  }

  deleteLocalAddress(service: ServiceKey, address: string): void {
    const row = this.row(service);
    Object.assign(row, { localAddresses: (row.localAddresses ?? []).filter((one) => one !== address) });
  }

  deleteService(key: ServiceKey): void {
    const row = this.row(key);
    this.rows = this.rows.filter((other) => other !== row);
  }

  clear(): void {
    this.rows = [];
  }

  addDest(service: ServiceKey, dest: DestConfig): void {
    const row = this.row(service);
    if (row.dests.some((other) => other.address === dest.address && other.port === dest.port)) {
      throw new IpvsError('DEST_EXISTS', 'Destination already exists');
    }
    row.dests.unshift({ ...(dest as RuleDest) });
  }

  editDest(service: ServiceKey, dest: DestConfig): void {
    Object.assign(this.dest(service, dest), dest);
  }

  deleteDest(service: ServiceKey, key: DestKey): void {
    const dest = this.dest(service, key);
    const row = this.row(service);
    row.dests = row.dests.filter((other) => other !== dest);
  }

  private dest(service: ServiceKey, key: DestKey): RuleDest {
    const dest = this.row(service).dests.find((other) => other.address === key.address && other.port === key.port);
    if (dest === undefined) throw new IpvsError('NO_SUCH_DEST', 'No such destination');
    return dest;
  }

  zeroStats(service?: ServiceKey): void {
    if (service !== undefined) this.row(service);
  }

  setTimeouts(timeouts: { tcp?: number; tcpfin?: number; udp?: number }): void {
    this.timeouts.push(timeouts);
  }
}

export const NO_STATS: ListedStats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
const METHODS: Record<string, MethodName> = { Masq: 'nat', Route: 'dr', Tunnel: 'tun' };

function endpoint(text: string | undefined): { address: string; port: number } {
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(text!)!;
  return { address: address!, port: Number(port) };
}

/** Reads the words that name a service; gives those that follow. */
function nameOf([protocol, name, ...rest]: string[]): { key: ServiceKey; rest: string[] } {
  if (protocol !== 'FWM')
    return { key: { protocol: protocol!.toLowerCase() as ProtocolName, ...endpoint(name) }, rest };
  const ipv6 = rest[0] === 'IPv6';
  return { key: { fwmark: Number(name), family: ipv6 ? 6 : 4 }, rest: rest.slice(ipv6 ? 1 : 0) };
}

const CHECKSUMS: Record<string, TunnelConfig['checksum']> = { '-c': 'nocsum', '+c': 'csum', 'r+c': 'remcsum' };

function tunnelOf(text: string): TunnelConfig {
  const [type, ...rest] = text.split(':');
  const port = rest.length === 2 ? { port: Number(rest[0]) } : {};
  return { type: type as 'ipip', checksum: CHECKSUMS[rest.at(-1) ?? '-c']!, ...port };
}

/** Reads what stands behind a service's scheduler. */
function persistenceOf(words: string[]): Pick<ListedService, 'persistent' | 'netmask' | 'pe' | 'ops'> {
  const after = (word: string) => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined);
  const [seconds, mask] = [after('persistent'), after('mask')];
  return {
    ...(seconds !== undefined && { persistent: Number(seconds) }),
    ...(mask !== undefined && { netmask: mask.includes('.') ? mask : Number(mask) }),
    ...(after('pe') === 'sip' && { pe: 'sip' }),
    ...(words.includes('ops') && { ops: true }),
  };
}

/** Reads `-Ln`, `-Ln --tun-info` or `-Ln --stats --exact` back; the dests come out in reverse, as from a kernel that keeps the newest first. */
export function readServices(listing: string): ListedService[] {
  const services: (ListedService & { dests: ListedDest[] })[] = [];
  const lines = listing.trimEnd().split('\n');
  const stats = lines[1]!.includes('Conns');
  const tunnels = lines[2]!.includes('TunnelInfo');
  const numbers = (words: string[]): ListedStats => {
    const [connections, inPackets, outPackets, inBytes, outBytes] = words.map(BigInt);
    return {
      connections: connections!,
      inPackets: inPackets!,
      outPackets: outPackets!,
      inBytes: inBytes!,
      outBytes: outBytes!,
    };
  };
  for (const line of lines.slice(3)) {
    const words = line.trim().split(/ +/);
    if (words[0] !== '->') {
      const { key, rest } = nameOf(words);
      services.push({
        ...key,
        scheduler: stats ? 'rr' : rest[0]!,
        flags: (rest[1]?.match(/[sm]h-\w+/g) ?? []) as SchedulerFlag[],
        ...(stats ? {} : persistenceOf(rest)),
        stats: stats ? numbers(rest) : NO_STATS,
        dests: [],
      });
      continue;
    }
    const info = tunnels ? words.splice(3, 1)[0]! : 'n/a';
    services.at(-1)!.dests.unshift({
      ...endpoint(words[1]),
      method: stats ? 'dr' : METHODS[words[2]!]!,
      weight: stats ? 1 : Number(words[3]),
      activeConnections: stats ? 0 : Number(words[4]),
      inactiveConnections: stats ? 0 : Number(words[5]),
      upperThreshold: 0,
      lowerThreshold: 0,
      ...(info !== 'n/a' && { tunnel: tunnelOf(info) }),
      stats: stats ? numbers(words.slice(2)) : NO_STATS,
    });
  }
  return services;
}

/** Reads `-Lnc` back. */
export function readConnections(listing: string): ListedConnection[] {
  return listing
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) => {
      const [protocol, expire, state, source, virtual, dest] = line.split(/ +/);
      const [minutes, seconds] = expire!.split(':').map(Number);
      return {
        protocol: protocol!.toLowerCase() as ProtocolName,
        clientAddress: endpoint(source).address,
        clientPort: endpoint(source).port,
        virtualAddress: endpoint(virtual).address,
        virtualPort: endpoint(virtual).port,
        destAddress: endpoint(dest).address,
        destPort: endpoint(dest).port,
        state: state!,
        // What is left of the second must not show.
        expires: minutes! * 60 + seconds! + 0.999,
      };
    });
}
