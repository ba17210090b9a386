/**
 * Packets that come in through a tunnel which ends at the director: well-formed ones, and ones that are not.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { checksum, join } from '../../support/packets.js';
import type { Wire } from '../case.js';
import type { Random } from '../random.js';
import { DESTINATION, GRE, gre, IPIP, IPV6, ip, isSix, optionsHeader, UDP, udp } from './bytes.js';
import { type Context, type Kind, type Move, replyEnds, requestEnds } from './context.js';
import { damaged, oddAddress } from './damage.js';
import { extensionHeaders, hopByHop } from './extensions.js';
import { type Ends, ipOptions, ipWords, transportPacket } from './shapes.js';
import { GUE_PORT, HOSTS, ownAddresses, type World } from './world.js';

/** What a tunnel carries, and the flow that it is of. */
interface Inside extends Pick<Move, 'flow' | 'direction'> {
  readonly packet: Uint8Array;
}

const DSCP = [0, 0, 0, 0xb8, 0xfc];

const u16 = (value: number) => Uint8Array.of((value >> 8) & 255, value & 255);

/** A service class with any of the ECN codepoints. */
function tos(random: Random): number {
  return random.of(DSCP) | random.below(4);
}

function inside(context: Context, wire: Wire): Inside {
  const { random, world } = context;
  const flow = context.flow();
  const make = (ends: Ends): Uint8Array => {
    const words = { tos: tos(random), ...extras(random, isSix(ends.source), ends.protocol) };
    const packet = transportPacket(random, world, ends, { wire, ip: words, length: random.of([0, 1, 7, 26, 64, 200]) });
    return random.once(8) ? damaged(random, packet) : packet;
  };
  if (flow !== undefined && !random.once(3)) {
    if (!random.once(3)) return { packet: make(requestEnds(flow)), flow, direction: 'request' };
    const ends = replyEnds(flow);
    if (ends !== undefined) return { packet: make(ends), flow, direction: 'reply' };
  }
  return { packet: make(strangeEnds(context)) };
}

/** Options of IPv4, extension headers of IPv6; UDP alone has these, as in extensions.ts. */
function extras(random: Random, six: boolean, protocol: string) {
  if (!random.once(8)) return {};
  if (!six) return { options: ipOptions(random) };
  return protocol === 'udp' ? { extensions: extensionHeaders(random) } : {};
}

function strangeEnds(context: Context): Ends {
  const { random } = context;
  const service = context.service();
  const family = service?.family ?? context.family();
  const { own, inside: back, servers, vips } = HOSTS[family];
  const six = family === 6;
  const client = random.once(8) ? oddAddress(random, six, 'source') : context.client(family);
  const [protocol, dport] = [service?.protocol ?? 'tcp', service?.port ?? 80];
  const destination = random.weighted<string>([
    [4, service?.vip ?? vips[0]],
    [2, random.of(servers)],
    [1, random.of([own, back])],
    [1, oddAddress(random, six, 'destination')],
  ]);
  // Past a service: as in extensions.ts.
  const ports = six && (servers as readonly string[]).includes(destination) ? [1100] : [1000, 1001, 1002];
  return { protocol, source: client, destination, sport: random.of(ports), dport };
}

/** The middle of a tunnel packet: its protocol, and the bytes before and with what it carries. */
interface Middle {
  readonly protocol: number;
  make(outer: { source: string; destination: string }): Uint8Array;
}

/** The number that says that `packet` is inside; now and then that of the other family. */
function numberOf(random: Random, packet: Uint8Array): number {
  const isV6 = (packet[0] ?? 0) >> 4 === 6;
  return isV6 !== random.once(30) ? IPV6 : IPIP;
}

function inIp(random: Random, packet: Uint8Array): Middle {
  return { protocol: numberOf(random, packet), make: () => packet };
}

/** Flags of GRE that a packet may have or not: key, sequence number, routing, version 1, reserved ones. */
const GRE_KEY = 0x2000;
const GRE_FLAGS = [0x2000, 0x1000, 0x3000, 0x4000, 0x0001, 0x0002, 0x0800, 0x0080, 0x0008];

function inGre(random: Random, packet: Uint8Array, { greChecksum }: World): Middle {
  // Not ERSPAN, which its own devices take, and the host answers where there are none (docs/deviations.md).
  const type = random.once(20) ? random.of([0x6558, 0x0806, 0]) : etherType(numberOf(random, packet));
  const sum = random.once(8) ? random.below(0x1_0000) : undefined;
  if (!random.once(8)) return { protocol: GRE, make: () => gre(packet, type, greChecksum, sum) };
  // A device for checksums is one of several, which keys tell apart.
  const flags = random.of(greChecksum ? GRE_FLAGS.filter((flag) => (flag & GRE_KEY) === 0) : GRE_FLAGS);
  const fields = random.of([0, 1, 1, 2]);
  // Where checksums are wanted, one that is wrong would be all that counts.
  if (greChecksum)
    return {
      protocol: GRE,
      make: () => summed(join(u16(flags | 0x8000), u16(type), new Uint8Array(4), random.bytes(fields * 4), packet)),
    };
  return { protocol: GRE, make: () => join(u16(flags), u16(type), random.bytes(fields * 4), packet) };
}

/** With the right checksum of GRE. */
function summed(whole: Uint8Array): Uint8Array {
  whole.set(u16(checksum(whole)), 4);
  return whole;
}

const etherType = (number: number) => (number === IPV6 ? 0x86dd : 0x0800);

function inGue(random: Random, packet: Uint8Array): Middle {
  const payload = random.once(6) ? oddGue(random, packet) : join(gueHead(0, numberOf(random, packet), 0), packet);
  const length = random.once(40) ? random.of([0, 8, 12, 100, 0xffff]) : undefined;
  const sum = random.weighted<number | undefined>([
    [3, undefined],
    [3, 0],
    [1, random.below(0x1_0000)],
  ]);
  const words = { sport: 32_768 + random.below(28_000), dport: GUE_PORT, payload, sum, length };
  return { protocol: UDP, make: (outer) => udp(outer, words) };
}

const gueHead = (first: number, protocol: number, flags: number) => join(Uint8Array.of(first, protocol), u16(flags));

/** GUE that is not the plain one. */
function oddGue(random: Random, packet: Uint8Array): Uint8Array {
  const number = numberOf(random, packet);
  const word = random.bytes(4);
  const privately = Uint8Array.of(0x80, 0, 0, 0);
  switch (random.below(9)) {
    case 0: // a word more than there are fields
      return join(gueHead(1, number, 0), word, packet);
    case 1: // private flags, none of which is set
      return join(gueHead(1, number, 1), new Uint8Array(4), packet);
    case 2: // ones that nobody knows
      return join(gueHead(1, number, 1), Uint8Array.of(0x40, 0, 0, 1), packet);
    case 3: // a flag that nobody knows
      return join(gueHead(random.of([0, 1, 2]), number, random.of([0x8000, 2, 0x0101])), word, packet);
    case 4: // a control message
      return join(gueHead(0x20, random.of([0, 1, number]), 0), packet);
    case 5: // versions that are not there; version 1 we do not take (docs/deviations.md)
      return join(gueHead(random.of([0x80, 0xc0]), number, 0), packet);
    case 6: // fields beyond the end
      return join(gueHead(random.of([3, 31]), number, random.of([0, 1])), packet.subarray(0, random.below(40)));
    case 7: {
      // A remote checksum, with room for more than that.
      const more = random.below(2);
      const head = gueHead(2 + more, number, 1);
      return join(head, privately, ...remoteChecksum(random, packet).map(u16), random.bytes(more * 4), packet);
    }
    default:
      return packet.subarray(0, random.below(6));
  }
}

/**
 * Where a remote checksum starts and lies: mostly the transport's. Not in a header that is read again on the way, nor at an
 * odd place, where Linux sums up wrongly what it sends on in a tunnel with a checksum (docs/deviations.md).
 */
function remoteChecksum(random: Random, packet: Uint8Array): [start: number, offset: number] {
  const headers = (packet[0] ?? 0) >> 4 === 6 ? 40 : ((packet[0] ?? 0) & 15) * 4;
  if (random.once(2)) return [headers, headers + random.of([16, 16, 6, 2])];
  const start = 2 * random.below(35);
  // Before the start it can be filled in nowhere.
  if (start > 0 && random.once(3)) return [start, 2 * random.below(start / 2)];
  return [start, Math.max(start, headers) + 2 * random.below(20)];
}

export const tunnelled: Kind = {
  weight: 8,
  make(context) {
    const { random, world } = context;
    const wire = random.of<Wire>(['cli', 'srv']);
    const { packet, ...of } = inside(context, wire);
    const middle = random.of([inIp, inIp, inGre, inGue])(random, packet, world);
    const family: Family = context.family();
    const { servers } = HOSTS[family];
    const ends = {
      source: random.once(12)
        ? oddAddress(random, family === 6, 'source')
        : random.of([...servers.slice(0, 3), context.client(family)]),
      destination: random.once(12) ? random.of(servers) : random.of(ownAddresses(family)),
    };
    const body = middle.make(ends);
    const words = { ...ipWords(random), tos: tos(random), ...outerExtras(random, family) };
    const whole = ip({ ...words, ...ends, protocol: middle.protocol }, body);
    const sent = random.once(20) ? damaged(random, whole) : whole;
    return [{ ...of, step: context.frame(wire, sent, 'tunnelled') }];
  },
};

/** What comes before a tunnel's own headers: anything hop by hop; of the rest only what tunnels themselves put there. */
const OUTER_EXTENSIONS = [
  (random: Random) => [hopByHop(random)],
  // The tunnel encapsulation limit (RFC 2473 §4.1.1).
  () => [optionsHeader(DESTINATION, Uint8Array.of(4, 1, 4))],
];

function outerExtras(random: Random, family: Family) {
  if (!random.once(15)) return {};
  return family === 6 ? { extensions: random.of(OUTER_EXTENSIONS)(random) } : { options: ipOptions(random) };
}
