/**
 * What the tests of the reference need: captures, scenarios, and packets made by hand.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ReferenceDirector, ReferenceNetwork } from '../../src/reference/index.js';

/** A captured frame. */
export interface CapturedFrame {
  /** Nanoseconds since the Unix epoch. */
  time: bigint;
  bytes: Uint8Array;
}

/** Reads a little-endian nanosecond pcap of Ethernet frames. */
export function readPcap(path: string): CapturedFrame[] {
  const file = readFileSync(path);
  if (file.readUInt32LE(0) !== 0xa1b23c4d || file.readUInt32LE(20) !== 1) throw new Error(`not a capture: ${path}`);
  const frames: CapturedFrame[] = [];
  for (let at = 24; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    if (length !== file.readUInt32LE(at + 12)) throw new Error(`cut frame in ${path}`);
    const time = BigInt(file.readUInt32LE(at)) * 1_000_000_000n + BigInt(file.readUInt32LE(at + 4));
    frames.push({ time, bytes: Uint8Array.from(file.subarray(at + 16, at + 16 + length)) });
    at += 16 + length;
  }
  return frames;
}

/** Something done to the director in a scenario. */
export interface ScenarioEvent {
  time: bigint;
  apply(director: ReferenceDirector): void;
}

/** What ipvsadm printed at some moment: words of each line, sorted. */
export interface Listing {
  time: bigint;
  /** `TCP ESTABLISHED client virtual dest`, and the seconds left behind it. */
  connections: { words: string; expires: number }[];
  /** `dest Masq weight active inactive`. */
  dests: string[];
}

/** A scenario folder. */
export interface Scenario {
  network: ReferenceNetwork;
  events: ScenarioEvent[];
  listings: Listing[];
  input: (CapturedFrame & { interface: string })[];
  output: Map<string, CapturedFrame[]>;
}

interface ScenarioFile {
  topology: {
    director: {
      interfaces: { name: string; mac: string; mtu: number; addrs: string[] }[];
      routes: ReferenceNetwork['routes'];
      neighbours: ReferenceNetwork['neighbours'];
    };
  };
  events: { t_ns: string; kind: string; ns?: string; cmd?: string; set?: string; label?: string }[];
}

/** Loads `test/fixtures/kernel/<name>`. */
export function loadScenario(name: string): Scenario {
  const folder = fileURLToPath(new URL(`../fixtures/kernel/${name}/`, import.meta.url));
  // Times have more digits than a number holds.
  const text = readFileSync(`${folder}scenario.json`, 'utf8').replace(/"t_ns": *(\d+)/g, '"t_ns":"$1"');
  const file = JSON.parse(text) as ScenarioFile;
  const { interfaces, routes, neighbours } = file.topology.director;
  const events: ScenarioEvent[] = [];
  const listings: Listing[] = [];
  for (const event of file.events) {
    if (event.kind === 'dump') listings.push(readListing(folder, event.label ?? '', BigInt(event.t_ns)));
    if (event.ns !== 'director' || (event.kind !== 'cmd' && event.kind !== 'sysctl')) continue;
    events.push({ time: BigInt(event.t_ns), apply: readEvent(event.cmd ?? '', event.set ?? '') });
  }
  const input = ['cli', 'srv'].flatMap((each) =>
    readPcap(`${folder}${each}-in.pcap`).map((frame) => ({ ...frame, interface: each })),
  );
  return {
    network: {
      interfaces: interfaces.map(({ addrs, ...rest }) => ({ ...rest, addresses: addrs })),
      routes: routes ?? [],
      neighbours: neighbours ?? [],
    },
    events,
    listings,
    input: input.sort((a, b) => (a.time < b.time ? -1 : 1)),
    output: new Map(['cli', 'srv'].map((each) => [each, readPcap(`${folder}${each}-out.pcap`)])),
  };
}

function readListing(folder: string, label: string, time: bigint): Listing {
  const files = label === '' ? ['conns.txt', 'services.txt'] : [`dump-${label}.txt`];
  const lines = files.flatMap((file) => readFileSync(folder + file, 'utf8').split('\n'));
  const listing: Listing = { time, connections: [], dests: [] };
  for (const line of lines) {
    const words = line.trim().split(/\s+/);
    const [minutes, seconds] = (words[1] ?? '').split(':').map(Number) as [number, number];
    if (words.length === 6 && /^\d+:\d\d$/.test(words[1]!)) {
      listing.connections.push({ words: [words[0], ...words.slice(2)].join(' '), expires: minutes * 60 + seconds });
    } else if (words.length === 6 && words[0] === '->' && /^(Masq|Route|Tunnel)$/.test(words[2]!)) {
      listing.dests.push(words.slice(1).join(' '));
    }
  }
  listing.connections.sort((a, b) => (a.words < b.words ? -1 : 1));
  listing.dests.sort();
  return listing;
}

/** What ipvsadm would print about `director`. */
export function listDirector(director: ReferenceDirector, time: bigint): Listing {
  const words = { nat: 'Masq', dr: 'Route', tun: 'Tunnel', fullnat: 'FullNat', snat: 'SNAT' };
  const connections = director.connections(Number(time) / 1e6).map((each) => ({
    words: [
      each.protocol.toUpperCase(),
      each.state,
      `${each.clientAddress}:${each.clientPort}`,
      `${each.virtualAddress}:${each.virtualPort}`,
      `${each.destAddress}:${each.destPort}`,
    ].join(' '),
    expires: each.expires,
  }));
  const dests = director.services().flatMap((service) =>
    service.dests.map((each) => {
      const counts = `${each.weight} ${each.activeConnections} ${each.inactiveConnections}`;
      return `${each.address}:${each.port} ${words[each.method]} ${counts}`;
    }),
  );
  connections.sort((a, b) => (a.words < b.words ? -1 : 1));
  return { time, connections, dests: dests.sort() };
}

/** The few words of sysctl and ipvsadm that the scenarios use. */
function readEvent(command: string, set: string): (director: ReferenceDirector) => void {
  const sysctl = /^net\/ipv4\/vs\/(\w+)=(\d+)$/.exec(set);
  if (sysctl !== null) return (director) => director.setSysctl({ [sysctl[1]!]: Number(sysctl[2]) });
  const words = command.trim().split(/\s+/);
  if (words.shift() !== 'ipvsadm') throw new Error(`unknown event ${command}${set}`);
  const option = (...names: string[]): string | undefined =>
    names
      .map((name) => words.indexOf(name))
      .filter((at) => at >= 0)
      .map((at) => words[at + 1])[0];
  const [address, port] = (option('-t', '-u') ?? '').split(':') as [string, string];
  const key = { protocol: words.includes('-t') ? 'tcp' : 'udp', address, port: Number(port) } as const;
  const [destAddress, destPort] = (option('-r') ?? '').split(':') as [string, string];
  const method = words.includes('-m') ? 'nat' : words.includes('-i') ? 'tun' : 'dr';
  const dest = { address: destAddress, port: Number(destPort), method, weight: Number(option('-w') ?? 1) } as const;
  const service = {
    ...key,
    scheduler: (option('-s') ?? 'wlc') as 'rr' | 'wrr' | 'wlc' | 'sh',
    flags: (option('-b')?.split(',') ?? []) as ('sh-port' | 'sh-fallback')[],
  };
  switch (words[0]) {
    case '-A':
      return (director) => director.addService(service);
    case '-E':
      return (director) => director.editService(service);
    case '-D':
      return (director) => director.deleteService(key);
    case '-a':
      return (director) => director.addDest(key, dest);
    case '-e':
      return (director) => director.editDest(key, dest);
    case '-d':
      return (director) => director.deleteDest(key, { address: dest.address, port: dest.port });
    default:
      throw new Error(`unknown command ${command}`);
  }
}

/** `de ad be ef`, blanks optional, to bytes. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'));
}

/** Bytes to `deadbeef`: differences of strings read better than those of arrays. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
