/**
 * One scenario for everybody: the director's network in the library's words, and the same as the rivals' world.
 *
 * Clients are 172.16.0.0 + n behind a router at 10.0.0.2; the service is 10.0.0.100:80/tcp, round
 * robin over four servers; one connection per client. With SNAT clients call the servers themselves. Frames come in a random order of flows, each
 * flow once a turn, so that with a million connections nearly every record is cold.
 *
 * @module
 */
import type { NetworkConfig } from 'ipvs-wasm';
import {
  ACK_FLAG,
  addressNumber,
  addressText,
  ETHERNET,
  type FrameSpec,
  framed,
  ICMP,
  IPV4,
  IPV6,
  icmpError,
  macBytes,
  packet,
  SYN_FLAG,
  TCP,
  tunnelled,
} from './frames.js';
import { CONN_WORDS, ESTABLISHED, type Frames, MASQ, ROUTE, TUNNEL, UDP_STATE, type World } from './rivals/world.js';

/** What is done with each frame. */
export type Mode = 'nat-in' | 'nat-out' | 'dr' | 'ipip-encap' | 'ipip-decap';

/** What only the library and the reference do. */
export type FurtherMode =
  | 'nat6-in'
  | 'nat6-out'
  | 'fullnat-in'
  | 'fullnat-out'
  | 'fullnat-toa'
  | 'nat64-in'
  | 'nat64-out'
  | 'snat-in'
  | 'snat-out'
  | 'gre-encap'
  | 'gre-csum-encap'
  | 'gue-encap'
  | 'gue-csum-encap'
  | 'icmp-in'
  | 'icmp-out';

export type AnyMode = Mode | FurtherMode;

type Protocol = 'tcp' | 'udp';

export const VIP = '10.0.0.100';
export const SERVICE_PORT = 80;
const NAT_PORT = 8080;
const VIP6 = 'fd00::100';
const GUE_PORT = 6080;
/** On this host, without a service: where decapsulated packets go. */
const INNER_VIP = '10.0.0.101';
/** Of the frames that SNAT takes. */
const SNAT_MARK = 7;
/** Of FullNAT and SNAT, in turn: enough ports for a million connections to four servers. */
const LOCALS = [1, 2, 3, 4, 5].map((n) => `10.1.0.${n}`);
const FIRST_LOCAL_PORT = 1024;
const CLIENT_BASE = addressNumber('172.16.0.0');
const OTHER_DIRECTOR = '10.0.0.50';
const MTU = 1500;
const MIN_FRAMES = 4096;

const INTERFACE_NAMES = ['cli', 'srv'] as const;

export const CLI = {
  name: 'cli',
  mac: '02:00:00:00:00:01',
  addresses: ['10.0.0.1/24', `${VIP}/32`, `${INNER_VIP}/32`, `${VIP6}/128`, 'fd00::1/64'],
};
export const SRV = {
  name: 'srv',
  mac: '02:00:00:00:00:02',
  addresses: [...LOCALS.map((address) => `${address}/24`), 'fd00:1::1/64'],
};
export const ROUTER = { dst: '10.0.0.2', dev: 'cli', lladdr: '02:00:00:00:00:10' };
const ROUTER6 = { ...ROUTER, dst: 'fd00::2' };
const SERVERS = [11, 12, 13, 14].map((n) => ({
  dst: `10.1.0.${n}`,
  dev: 'srv',
  lladdr: `02:00:00:00:01:${n}`,
}));
const SERVERS6 = SERVERS.map((server, i) => ({ ...server, dst: `fd00:1::${11 + i}` }));

/** Interfaces as numbered in the network below. */
export const CLI_INTERFACE = 0;
export const SRV_INTERFACE = 1;

export const NETWORK: NetworkConfig = {
  interfaces: [CLI, SRV, { name: 'tunl0', kind: 'ipip' }],
  routes: [
    { dst: '10.0.0.0/24', dev: 'cli' },
    { dst: '10.1.0.0/24', dev: 'srv' },
    { dst: '172.16.0.0/12', dev: 'cli', gateway: ROUTER.dst },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: ROUTER6.dst },
  ],
  neighbours: [ROUTER, ...SERVERS, ROUTER6, ...SERVERS6],
};

const isSnat = (mode: AnyMode): boolean => mode === 'snat-in' || mode === 'snat-out';
const isNat64 = (mode: AnyMode): boolean => mode === 'nat64-in' || mode === 'nat64-out';
/** Whether clients are of IPv6. */
const isV6 = (mode: AnyMode): boolean => mode === 'nat6-in' || mode === 'nat6-out' || isNat64(mode);

/** The VIP that a mode's clients call. */
export function vipOf(mode: AnyMode): string {
  return isV6(mode) ? VIP6 : VIP;
}

/** Name of an interface. */
export function interfaceName(number: number): string {
  return INTERFACE_NAMES[number] ?? 'tunl0';
}

/** The library's name of the forwarding method that a mode needs. */
export function methodOf(mode: AnyMode): 'nat' | 'dr' | 'tun' | 'fullnat' | 'snat' {
  if (mode.startsWith('fullnat-') || isNat64(mode)) return 'fullnat';
  if (isSnat(mode)) return 'snat';
  return mode === 'dr' ? 'dr' : mode.endsWith('-encap') ? 'tun' : 'nat';
}

/** The tunnel of a mode that is not IPIP's. */
export function tunnelOf(
  mode: AnyMode,
): { type: 'gre' | 'gue'; port?: number; checksum: 'csum' | 'nocsum' } | undefined {
  switch (mode) {
    case 'gre-encap':
      return { type: 'gre', checksum: 'nocsum' };
    case 'gre-csum-encap':
      return { type: 'gre', checksum: 'csum' };
    case 'gue-encap':
      return { type: 'gue', port: GUE_PORT, checksum: 'nocsum' };
    case 'gue-csum-encap':
      return { type: 'gue', port: GUE_PORT, checksum: 'csum' };
    default:
      return undefined;
  }
}

/** The firewall mark of the frames that open a mode's flows, and of its own; 0: none. */
export function markOf(mode: AnyMode): { opening: number; own: number } {
  return { opening: isSnat(mode) ? SNAT_MARK : 0, own: mode === 'snat-in' ? SNAT_MARK : 0 };
}

/** Servers in the order of adding: address and port. */
export function servers(mode: AnyMode): { address: string; port: number }[] {
  const port = ['nat', 'fullnat', 'snat'].includes(methodOf(mode)) ? NAT_PORT : SERVICE_PORT;
  return (isV6(mode) && !isNat64(mode) ? SERVERS6 : SERVERS).map(({ dst }) => ({ address: dst, port }));
}

/** Client of flow `n`. */
export function client(n: number): { address: string; port: number } {
  return { address: addressText(CLIENT_BASE + n), port: 1024 + ((n * 40503) & 0x7fff) };
}

/** The same in the family of a mode. */
function clientOf(mode: AnyMode, n: number): { address: string; port: number } {
  const { address, port } = client(n);
  return isV6(mode)
    ? { address: `fd00:9::${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}`, port }
    : { address, port };
}

/** The director's addresses from which a mode's flows come to servers. */
export function localsOf(mode: AnyMode): readonly string[] {
  return ['fullnat', 'snat'].includes(methodOf(mode)) ? LOCALS : [];
}

/** How a mode's servers are told of clients. No server has answered, so TOA is in each packet. */
export function carryOf(mode: AnyMode): 'toa' | undefined {
  return mode === 'fullnat-toa' ? 'toa' : undefined;
}

/** What the server of flow `n` sees of its client by FullNAT and SNAT, when flows begin in their order: servers and addresses take turns. */
function localOf(mode: AnyMode, n: number): { address: string; port: number } {
  const turns = SERVERS.length * LOCALS.length;
  const turn = n % LOCALS.length;
  // Those of SNAT are dests: the one added last begins.
  const address = LOCALS[isSnat(mode) ? LOCALS.length - 1 - turn : turn]!;
  return { address, port: FIRST_LOCAL_PORT + Math.floor(n / turns) };
}

/** Server of flow `n`, in the order of adding: round robin begins with the one added last. */
export function serverOf(n: number): number {
  return SERVERS.length - 1 - (n % SERVERS.length);
}

/** Network order, as a little-endian machine loads it. */
function loaded(address: string): number {
  return new DataView(Uint8Array.from(address.split('.'), Number).buffer).getInt32(0, true);
}

function loadedPort(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}

/** A frame, and the number of the interface it comes in by. */
export interface Arrival {
  frame: Uint8Array;
  interface: number;
}

/** The same with its firewall mark, 0: none. */
export interface MarkedArrival extends Arrival {
  mark: number;
}

/** How a frame differs from the usual one. */
export type FrameChanges = Omit<FrameSpec, 'source' | 'destination'> & { outerTos?: number };

/** A frame of flow `n`. An ICMP error's is one about a packet with these changes. */
export function frameOf(mode: AnyMode, n: number, changes: FrameChanges = {}): Arrival {
  const server = servers(mode)[serverOf(n)]!;
  const vip = isSnat(mode) ? server : { address: vipOf(mode), port: SERVICE_PORT };
  const common = { id: n & 0xffff, ...changes };
  const peer = clientOf(mode, n);
  const fromServer = (bytes: Uint8Array): Arrival => {
    return { frame: framed(bytes, SRV.mac, SERVERS[serverOf(n)]!.lladdr), interface: SRV_INTERFACE };
  };
  if (mode === 'nat-out' || mode === 'nat6-out') {
    return fromServer(packet({ ...common, source: server, destination: peer }));
  }
  if (mode === 'fullnat-out' || mode === 'nat64-out' || mode === 'snat-out') {
    return fromServer(packet({ ...common, source: server, destination: localOf(mode, n) }));
  }
  if (mode === 'icmp-out') {
    return fromServer(icmpError(server, peer, packet({ ...common, source: peer, destination: server }), common.id));
  }
  if (mode === 'icmp-in') {
    const error = icmpError(peer, vip, packet({ ...common, source: vip, destination: peer }), common.id);
    return { frame: framed(error, CLI.mac, ROUTER.lladdr), interface: CLI_INTERFACE };
  }
  if (mode === 'ipip-decap') {
    const inner = packet({ ...common, source: peer, destination: { ...vip, address: INNER_VIP } });
    const outer = tunnelled(inner, OTHER_DIRECTOR, '10.0.0.1', changes.outerTos);
    return { frame: framed(outer, CLI.mac, ROUTER.lladdr), interface: CLI_INTERFACE };
  }
  const request = packet({ ...common, source: peer, destination: vip });
  return { frame: framed(request, CLI.mac, ROUTER.lladdr), interface: CLI_INTERFACE };
}

/** A server's answer to what opens flow `n` of SNAT. */
export function answeringFrame(n: number): MarkedArrival {
  return { ...frameOf('snat-out', n, { flags: SYN_FLAG | ACK_FLAG }), mark: 0 };
}

/** A frame that opens flow `n` (SYN, or any datagram) or, with ACK, establishes it. */
export function openingFrame(n: number, flags: number, protocol: Protocol = 'tcp', mode?: AnyMode): Uint8Array {
  const opening = mode === undefined ? 'nat-in' : isV6(mode) ? 'nat6-in' : isSnat(mode) ? 'snat-in' : 'nat-in';
  return frameOf(opening, n, { flags, protocol }).frame;
}

/** A repeatable order of 0..count-1 (Fisher and Yates over xorshift32). */
export function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let x = 0x9e3779b9;
  for (let i = count - 1; i > 0; i--) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    const j = (x >>> 0) % (i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** Lays frames out one after the other. */
export function layOut(
  frames: Iterable<{ frame: Uint8Array; interface: number }>,
  count: number,
  longest: number,
): Frames {
  const stride = (longest + 15) & ~15;
  const words = new Int32Array((count * stride) / 4);
  const bytes = new Uint8Array(words.buffer);
  const meta = new Uint32Array(count);
  let i = 0;
  for (const { frame, interface: inside } of frames) {
    bytes.set(frame, i * stride);
    meta[i++] = frame.length | (inside << 16);
  }
  return { count, stride, words, meta };
}

/** A mode and its size. */
export interface Scenario<M extends AnyMode = Mode> {
  mode: M;
  connections: number;
  /** Bytes of a frame, without a tunnel's header. Default 64. */
  length?: number;
  /** Default `tcp`. */
  protocol?: Protocol;
}

function connectionsOf(count: number, protocol: number, state: number): Int32Array {
  const connections = new Int32Array(count * CONN_WORDS);
  const vip = loaded(VIP);
  const vport = loadedPort(SERVICE_PORT);
  for (let n = 0; n < count; n++) {
    const { address, port } = client(n);
    const at = n * CONN_WORDS;
    connections[at] = loaded(address);
    connections[at + 1] = loadedPort(port) | (vport << 16);
    connections[at + 2] = vip;
    connections[at + 3] = serverOf(n) | (protocol << 16) | (state << 24);
  }
  return connections;
}

/** Bytes of the headers in a mode's frame, without those of a tunnel that it comes in. */
function headersOf(mode: AnyMode): number {
  if (isV6(mode) && mode !== 'nat64-out') return ETHERNET + IPV6 + TCP;
  return ETHERNET + IPV4 + TCP + (mode.startsWith('icmp-') ? IPV4 + ICMP : 0);
}

/** Bytes of a mode's frame, without those of a tunnel that it comes in: no less than its headers. */
function lengthOf({ mode, length = 64 }: Scenario<AnyMode>): number {
  return Math.max(length, headersOf(mode));
}

function* framesOf(scenario: Scenario<AnyMode>, count: number): Generator<Arrival> {
  const order = shuffled(scenario.connections);
  const payload = lengthOf(scenario) - headersOf(scenario.mode);
  for (let i = 0; i < count; i++) yield frameOf(scenario.mode, order[i % order.length]!, { payload });
}

/** The frames of a benchmark: every flow at least once, in a random order. */
export function makeFrames(scenario: Scenario<AnyMode>): Frames {
  const count = Math.max(scenario.connections, MIN_FRAMES);
  const longest = lengthOf(scenario) + (scenario.mode === 'ipip-decap' ? IPV4 : 0);
  return layOut(framesOf(scenario, count), count, longest);
}

/** The world of a scenario, its connections established. */
export function makeWorld(scenario: Scenario, frames: Frames = makeFrames(scenario)): World {
  const { mode, connections } = scenario;
  const udp = scenario.protocol === 'udp';
  const protocol = udp ? 17 : 6;
  const method = mode === 'dr' ? ROUTE : mode === 'ipip-encap' ? TUNNEL : MASQ;
  return {
    interfaces: [CLI, SRV].map(({ mac }) => ({ mac: macBytes(mac), mtu: MTU })),
    locals: [CLI, SRV]
      .flatMap(({ addresses }) => addresses.filter((text) => !text.includes(':')))
      .map((text) => loaded(text.split('/')[0]!)),
    dests: servers(mode).map(({ address, port }, i) => ({
      address: loaded(address),
      port: loadedPort(port),
      method,
      interface: SRV_INTERFACE,
      mac: macBytes(SERVERS[i]!.lladdr),
      source: loaded('10.1.0.1'),
      mtu: MTU,
    })),
    vip: loaded(VIP),
    vport: loadedPort(SERVICE_PORT),
    protocol,
    clientMac: macBytes(ROUTER.lladdr),
    connections: connectionsOf(connections, protocol, udp ? UDP_STATE : ESTABLISHED),
    frames,
  };
}
