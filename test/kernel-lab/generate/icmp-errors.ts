/**
 * ICMP and ICMPv6 errors about connections: of clients, of servers, of routers in between, and about the director's own
 * tunnel packets.
 *
 * @module
 */
import { addressBytes } from '../../../src/address.js';
import type { Wire } from '../case.js';
import type { Random } from '../random.js';
import { ICMP, ICMP6, IPIP, IPV6, icmp, ip, isSix } from './bytes.js';
import type { Context, Kind } from './context.js';
import { damaged } from './damage.js';
import type { Flow } from './flows.js';
import { CLIENT_PORTS } from './requests.js';
import { ipOptions, ipWords, receivedLength, transportPacket } from './shapes.js';
import { HOSTS, type World } from './world.js';

/** An error packet, and the wire that it comes in by. */
export interface ErrorPacket {
  readonly packet: Uint8Array;
  readonly wire: Wire;
  readonly mac?: string;
}

/** Type and code: most often those of unreachable hosts, MTUs and hops. */
const HOST_UNREACHABLE = [3, 1] as const;
const FRAGMENTATION_NEEDED = [3, 4] as const;
const MESSAGES = [
  [3, 0],
  HOST_UNREACHABLE,
  [3, 3],
  [3, 3],
  FRAGMENTATION_NEEDED,
  FRAGMENTATION_NEEDED,
  [3, 13],
  [4, 0],
  [5, 1],
  [11, 0],
  [11, 1],
  [12, 0],
  [8, 0],
  [0, 0],
  [40, 0],
] as const;
const MESSAGES6 = [
  [1, 0],
  [1, 3],
  [1, 4],
  [1, 4],
  [2, 0],
  [2, 0],
  [3, 0],
  [3, 1],
  [4, 0],
  [4, 1],
  [100, 0],
  [128, 0],
  [137, 0],
] as const;

/** Next-hop MTUs, believable and not. The kernel holds what is shorter than its own errors against all that goes there. */
const MTUS = [1500, 1480, 1400, 1300, 1280, 1006, 1000, 576, 65_535, 70_000];
const SMALL_MTUS = [575, 552, 551, 300, 100, 68, 67, 1, 0];

/**
 * What is left of the packet that the error is about: never a later fragment, in which Debian's user-mode kernel looks for
 * ports, as later ones of Linux 6.1 do not (test/fixtures/kernel/nat-icmp).
 */
function quotation(random: Random, packet: Uint8Array): Uint8Array {
  const header = isSix4(packet) ? 40 : ((packet[0] ?? 0) & 15) * 4;
  const spoilt = random.once(12) ? damaged(random, packet) : packet;
  // A header of less than five words is none.
  const whole = isSix4(packet) || ((spoilt[0] ?? 0) & 15) >= 5 ? spoilt : packet;
  const lengths = [
    whole.length,
    whole.length,
    whole.length,
    548,
    header + 8,
    header + 8,
    header + 4,
    header + 3,
    header,
  ];
  const length = random.once(10) ? random.below(whole.length + 1) : random.of(lengths);
  return whole.slice(0, length);
}

function isSix4(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) >> 4 === 6;
}

/** The error about `quoted` from one address to another. */
function errorPacket(context: Context, wire: Wire, source: string, destination: string, about: Uint8Array): Uint8Array {
  const { random, world } = context;
  // Over IPv6 the host's own tunnels learn the path MTU, which then counts for all that goes there.
  const messages6 = isOwnTunnel6(about) ? MESSAGES6.filter(([type]) => type !== 2) : MESSAGES6;
  const message = random.of<readonly [number, number]>(isSix(source) ? messages6 : MESSAGES);
  const isTunnels = isOwnTunnel(about);
  // The host's own tunnels learn from such an error, too, if IPVS leaves it to them.
  const [type, code] = isTunnels && hasTunnels(world) && message === FRAGMENTATION_NEEDED ? HOST_UNREACHABLE : message;
  const isMtu = isSix(source) ? type === 2 : message === FRAGMENTATION_NEEDED;
  const rest = isMtu ? random.of(isTunnels ? MTUS : [...MTUS, ...SMALL_MTUS]) : random.once(6) ? random.word() : 0;
  // The kernel reads the options of an error about its tunnel in the quoted packet, and may die of it.
  const hasOptions = !isSix(source) && !isTunnels && hasWayBack(world, source) && random.once(10);
  const options = hasOptions ? ipOptions(random) : new Uint8Array(0);
  const room = receivedLength(world, wire) - (isSix(source) ? 48 : 28) - options.length - 3;
  // What a host echoes is cut by the host, if it is too long.
  const isEcho = type === 8 || type === 128;
  const quoted = quotation(random, about).subarray(0, isEcho ? 28 : Math.max(0, room));
  const ends = { source, destination };
  const sum = random.once(8) ? random.of([0, 0xffff, random.below(0x1_0000)]) : undefined;
  const whole = icmp(ends, type, code, rest, quoted, sum);
  const body = random.once(25) ? whole.subarray(0, random.below(9)) : whole;
  const words = ipWords(random);
  return ip({ ...words, ...ends, options, protocol: isSix(source) ? ICMP6 : ICMP }, body);
}

/** Whether a packet from there tells the director what its own address on the way back is. */
function hasWayBack({ hasDefault }: World, source: string): boolean {
  return hasDefault || (source !== HOSTS[4].clients.at(-1) && source !== HOSTS[4].servers.at(-1));
}

/** Whether a packet over IPv4 that left to a server is one of the director's own tunnels. */
function isOwnTunnel(packet: Uint8Array): boolean {
  const source = addressIn(packet, 'source');
  return !isSix4(packet) && (source === HOSTS[4].own || source === HOSTS[4].inside);
}

function isOwnTunnel6(packet: Uint8Array): boolean {
  const { own, inside } = HOSTS[6];
  const source = packet.subarray(8, 24);
  return isSix4(packet) && [own, inside].some((one) => Buffer.compare(addressBytes(one).bytes, source) === 0);
}

/** Whether the director takes packets out of tunnels. */
function hasTunnels({ setup }: World): boolean {
  return setup.some((step) => step.kind === 'command' && /^ip (link set|fou)/.test(step.text));
}

function addressIn(packet: Uint8Array, end: 'source' | 'destination'): string {
  if (isSix4(packet)) {
    const at = end === 'source' ? 8 : 24;
    const words = Array.from({ length: 8 }, (_, i) =>
      ((packet[at + 2 * i] ?? 0) * 256 + (packet[at + 2 * i + 1] ?? 0)).toString(16),
    );
    return words.join(':');
  }
  const at = end === 'source' ? 12 : 16;
  return packet.subarray(at, at + 4).join('.');
}

/** Somebody on the client's side: the client itself, or a router before it. */
function fromClients(random: Random, { client, service: { family } }: Flow): string {
  return random.once(3) ? random.of(HOSTS[family].clients) : client;
}

/** A client's error about a reply. */
function aboutReply(context: Context, flow: Flow, about: Uint8Array): ErrorPacket {
  const { random } = context;
  const source = fromClients(random, flow);
  const { family, vip } = flow.service;
  const { servers, own } = HOSTS[family];
  const destination = random.weighted<string>([
    [10, vip],
    [1, own],
    [1, random.of(servers)],
  ]);
  const wire = random.once(12) ? 'srv' : 'cli';
  return { packet: errorPacket(context, wire, source, destination, about), wire };
}

/** A server's error, or that of a router before it, about a packet that left to it. */
function aboutRequest(context: Context, flow: Flow, about: Uint8Array): ErrorPacket {
  const { random } = context;
  const { server } = flow;
  // The tunnel's own packets are of the family that the server has.
  const family = isSix4(about) ? 6 : 4;
  const source = random.once(3) ? random.of(HOSTS[family].servers) : addressIn(about, 'destination');
  const [destination, wire] = [addressIn(about, 'source'), server?.wire ?? 'srv'];
  return { packet: errorPacket(context, wire, source, destination, about), wire, ...(server && { mac: server.mac }) };
}

/** An error about a packet of a flow that the kernel sent; nothing when it sent none. */
export function errorAbout(context: Context, flow: Flow): ErrorPacket | undefined {
  const { toServer, toClient } = flow;
  if (toServer !== undefined && (toClient === undefined || context.random.once(2))) {
    return aboutRequest(context, flow, toServer);
  }
  return toClient === undefined ? undefined : aboutReply(context, flow, toClient);
}

/** An error about what a service never said, with `schedule_icmp` the start of a connection. */
export const unaskedErrors: Kind = {
  weight: 3,
  make(context) {
    const { random, world } = context;
    const service = context.service();
    if (service === undefined) return [];
    const { protocol, family, vip, port } = service;
    const client = context.client(family);
    const clientPort = random.of(CLIENT_PORTS);
    const [asked, answered] = [
      { protocol, source: client, destination: vip, sport: clientPort, dport: port },
      { protocol, source: vip, destination: client, sport: port, dport: clientPort },
    ];
    const flow = context.flows.of(service, client, clientPort);
    const { packet, wire } = random.once(4)
      ? aboutRequest(context, flow, inTunnel(context, family, transportPacket(random, world, asked)))
      : aboutReply(context, flow, transportPacket(random, world, answered));
    return [{ step: context.frame(wire, packet, 'icmp-unasked') }];
  },
};

/** As if the director had sent it to a server. */
function inTunnel({ random }: Context, family: 4 | 6, packet: Uint8Array): Uint8Array {
  const { inside, servers } = HOSTS[4];
  const ends = { source: inside, destination: random.of(servers) };
  return ip({ ...ipWords(random), ...ends, protocol: family === 6 ? IPV6 : IPIP }, packet);
}

export const icmpErrors: Kind = {
  weight: 8,
  make(context) {
    const flow = context.flow();
    const error = flow === undefined ? undefined : errorAbout(context, flow);
    if (error === undefined) return [];
    return [{ step: context.frame(error.wire, error.packet, 'icmp-error', error.mac) }];
  },
};
