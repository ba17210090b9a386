/**
 * Packets that come in as fragments: most of them whole, in some order; some with a piece that is missing, twice there,
 * too long, or somewhere else.
 *
 * @module
 */
import { addressBytes, type Family } from '../../../src/address.js';
import { fixIpv4, join } from '../../support/packets.js';
import type { Wire } from '../case.js';
import type { Random } from '../random.js';
import { FRAGMENT, fragmentHeader, ICMP } from './bytes.js';
import type { Context, Kind, Move } from './context.js';
import { replyEnds, requestEnds } from './context.js';
import { errorAbout } from './icmp-errors.js';
import { opening } from './requests.js';
import { ipOptions, transportPacket, type Wish } from './shapes.js';
import { HOSTS } from './world.js';

/** How a packet is cut. */
interface Shape {
  /** Of the wire that it comes in by. */
  readonly mtu: number;
  /**
   * Into fragments of equal lengths, but for the last one. The guest's network card leaves so much room behind each frame
   * that its kernel moves what is for itself together there, and loses sight of other boundaries (docs/deviations.md).
   */
  readonly isEven: boolean;
  /** Only what is answered for being too long: all else leaves with DF or without it for the same reason. */
  readonly mayHaveDf: boolean;
  /** Whether the sender of a malformed fragment is told: it was for the director itself. */
  readonly isAnswered: boolean;
}

/** A part of a datagram's payload, in bytes. */
interface Piece {
  offset: number;
  data: Uint8Array;
  more: boolean;
  df: boolean;
  tos: number | undefined;
  ttl: number | undefined;
  id: number;
}

/** Bytes of the IP header that all fragments have. */
function headerLength(packet: Uint8Array): number {
  return (packet[0] ?? 0) >> 4 === 6 ? 40 : ((packet[0] ?? 0) & 15) * 4;
}

/**
 * Bytes of the first fragment, at least. It holds all that NAT changes, quoted headers and their options included: Linux
 * moves what is missing there from the next ones.
 */
const HEADERS = 80;

/** Bytes of the longest transport header that Linux wants whole in a fragment that is the first, or all. */
const TRANSPORT = 20;

/** Where a payload of `length` bytes is cut: after multiples of eight. */
function cutsOf(random: Random, length: number, mtu: number, isEven: boolean): number[] {
  const eights = (bytes: number) => Math.max(8, Math.ceil(bytes / 8) * 8);
  const cuts: number[] = [];
  const size = Math.max(length / 12, random.of([mtu - 20, mtu - 48, mtu - 60, 552, 256, 24, 8]));
  for (let at = 0; cuts.length < 11; cuts.push(at)) {
    const wanted = isEven ? size : 8 + random.below(Math.max(1, Math.min(mtu - 60, length)));
    at += eights(at === 0 || isEven ? Math.max(HEADERS, wanted) : wanted);
    if (at >= length) break;
  }
  return cuts;
}

function piecesOf(random: Random, packet: Uint8Array, { mtu, isEven, mayHaveDf }: Shape): Piece[] {
  const payload = packet.subarray(headerLength(packet));
  const edges = [0, ...cutsOf(random, payload.length, mtu, isEven), payload.length];
  const df = random.of([() => false, () => mayHaveDf, () => mayHaveDf && random.once(2)]);
  const tos = random.of([undefined, undefined, undefined, () => random.of([0, 1, 2, 3]), () => random.of([1, 2, 3])]);
  const id = random.word();
  return edges.slice(1).map((to, i) => {
    const from = edges[i] as number;
    const ttl = random.once(8) ? random.of([1, 2, 3, 200]) : undefined;
    const common = { df: df(), tos: tos?.(), ttl, id };
    return { ...common, offset: from, data: payload.subarray(from, to), more: to < payload.length };
  });
}

/** One thing that is wrong with the pieces. */
function spoilt(random: Random, pieces: Piece[], isEven: boolean): Piece[] {
  const at = random.below(pieces.length);
  const one = pieces[at] as Piece;
  const others = pieces.filter((each) => each !== one);
  const before = [...others.slice(0, at), one, ...others.slice(at)];
  switch (random.below(10)) {
    case 0:
      return others;
    case 1:
      return [...before, one];
    case 2:
      return [...before, { ...one, offset: Math.max(0, one.offset + random.of([-16, -8, 8])) }];
    case 3:
      return [...before, { ...one, data: one.data.subarray(0, random.below(one.data.length + 1)) }];
    case 4:
      if (isEven && !one.more) return pieces;
      one.data = join(one.data, new Uint8Array(random.of([1, 7, 8, 16])));
      return pieces;
    case 5:
      one.data = one.data.subarray(0, random.below(Math.max(1, one.data.length)));
      return pieces;
    case 6:
      return [...before, { ...one, offset: random.of([65_528, 65_000, 32_768]), more: random.once(2) }];
    case 7:
      one.more = !one.more;
      return pieces;
    case 8:
      one.id = (one.id + 1) >>> 0;
      return pieces;
    default:
      return [...before, { ...one, data: new Uint8Array(0), more: random.once(2) }];
  }
}

function fragmentOf(packet: Uint8Array, piece: Piece): Uint8Array {
  const header = packet.slice(0, headerLength(packet));
  return (header[0] as number) >> 4 === 6 ? fragment6(header, piece) : fragment4(header, piece);
}

function fragment4(header: Uint8Array, { offset, data, more, df, tos, ttl, id }: Piece): Uint8Array {
  const view = new DataView(header.buffer);
  view.setUint16(2, header.length + data.length);
  view.setUint16(4, id & 0xffff);
  view.setUint16(6, (df ? 0x4000 : 0) | (more ? 0x2000 : 0) | (offset >> 3));
  if (tos !== undefined) header[1] = ((header[1] as number) & 0xfc) | tos;
  if (ttl !== undefined) header[8] = ttl;
  return fixIpv4(join(header, data));
}

function fragment6(header: Uint8Array, { offset, data, more, tos, ttl, id }: Piece): Uint8Array {
  const { rest } = fragmentHeader(offset >> 3, more, id);
  const next = Uint8Array.of(header[6] as number);
  header[6] = FRAGMENT;
  new DataView(header.buffer).setUint16(4, 1 + rest.length + data.length);
  if (tos !== undefined) header[1] = ((header[1] as number) & 0xcf) | (tos << 4);
  if (ttl !== undefined) header[7] = ttl;
  return join(header, next, rest, data);
}

/** The order in which pieces come. */
function ordered<T>(random: Random, values: readonly T[]): T[] {
  switch (random.below(4)) {
    case 0:
      return [...values].reverse();
    case 1: {
      const left = [...values];
      return values.map(() => left.splice(random.below(left.length), 1)[0] as T);
    }
    default:
      return [...values];
  }
}

/** The fragments of a packet. */
function cutUp(random: Random, packet: Uint8Array, shape: Shape): Uint8Array[] {
  const isSpoilt = random.once(4);
  // What a spoilt one becomes may be short enough to leave.
  const pieces = ordered(random, piecesOf(random, packet, { ...shape, mayHaveDf: shape.mayHaveDf && !isSpoilt }));
  const sent = isSpoilt ? spoilt(random, pieces, shape.isEven) : pieces;
  const six = (packet[0] as number) >> 4 === 6;
  return (six ? sent.flatMap((piece) => possible(piece, shape)) : sent).map((piece) => fragmentOf(packet, piece));
}

/** Linux passes IPv6 fragments on that nobody can put together, but for those the host answers (docs/deviations.md). */
function possible(piece: Piece, { isAnswered }: Shape): Piece[] {
  if (!piece.more) return piece.offset > 0 || piece.data.length >= TRANSPORT ? [piece] : [];
  const data =
    isAnswered && piece.offset > 0 ? piece.data : piece.data.subarray(0, piece.data.length - (piece.data.length % 8));
  return piece.offset > 0 || data.length >= HEADERS ? [{ ...piece, data }] : [];
}

/** How long a datagram is: some fit the MTU, others do not. */
function datagram(context: Context, wire: Wire): Wish {
  const { random, world } = context;
  const lengths = [40, 64, 100, 600, world.mtu[wire], world.mtu[wire] + 100, 2000, 3500];
  const withOptions = random.once(8) ? { ip: { options: ipOptions(random) } } : {};
  return { wire, longest: 5000, length: random.of(lengths) + random.below(9), ...withOptions };
}

/** A datagram of a flow, from either end, or of a new one. */
function source(
  context: Context,
): { packet: Uint8Array; wire: Wire; mac?: string; move: Omit<Move, 'step'> } | undefined {
  const { random, world } = context;
  const flow = context.flow();
  if (flow === undefined) return undefined;
  if (random.once(6)) {
    const error = errorAbout(context, flow);
    return error === undefined ? undefined : { ...error, move: {} };
  }
  const ends = random.once(2) ? replyEnds(flow) : undefined;
  if (ends === undefined || flow.server === undefined) {
    const wish = { ...datagram(context, 'cli'), ...opening(context, flow.protocol) };
    return {
      packet: transportPacket(random, world, requestEnds(flow), wish),
      wire: 'cli',
      move: { flow, direction: 'request' },
    };
  }
  const { wire, mac } = flow.server;
  const packet = transportPacket(random, world, ends, datagram(context, wire));
  return { packet, wire, mac, move: { flow, direction: 'reply' } };
}

/** Whether the packet is addressed to the director itself. */
function isForDirector(packet: Uint8Array, family: Family): boolean {
  const { own, inside, vips } = HOSTS[family];
  const destination = family === 6 ? packet.subarray(24, 40) : packet.subarray(16, 20);
  return [own, inside, ...vips].some((address) => Buffer.compare(addressBytes(address).bytes, destination) === 0);
}

export const fragments: Kind = {
  weight: 3,
  make(context) {
    const { random, world } = context;
    const found = source(context);
    if (found === undefined) return [];
    const { packet, wire, mac, move } = found;
    const family = (packet[0] as number) >> 4 === 6 ? 6 : 4;
    const isTold = isForDirector(packet, family);
    const isOwn = isTold && family === 4;
    const isTooLong = packet.length > Math.max(world.mtu.cli, world.mtu.srv) && packet[9] !== ICMP;
    const shape = {
      mtu: world.mtu[wire],
      isEven: isOwn || random.once(2),
      mayHaveDf: isOwn && isTooLong,
      isAnswered: isTold,
    };
    return cutUp(random, packet, shape).map((fragment) => ({
      step: context.frame(wire, fragment, 'fragment', mac),
      ...move,
    }));
  },
};
