/**
 * Random values of headers, most of them ordinary.
 *
 * @module
 */
import { counting, hex } from '../../support/packets.js';
import type { Wire } from '../case.js';
import type { Random } from '../random.js';
import { type IpWords, ip, isSix, SCTP, sctp, TCP, tcp, UDP, udp } from './bytes.js';
import type { Protocol, World } from './world.js';

/** Bytes of a packet beyond the MTU that an interface of the guest still takes in. */
const RECEIVED_BEYOND = 12;

const TCP_FLAGS: readonly (readonly [number, number])[] = [
  [6, 0x02], // SYN
  [10, 0x10], // ACK
  [3, 0x18], // PSH
  [2, 0x11], // FIN
  [1, 0x04], // RST
  [1, 0x14],
  [1, 0x12], // SYN ACK
  [1, 0x03],
  [1, 0x06],
  [1, 0x00],
  [1, 0x01],
  [1, 0x3f],
  [1, 0xc2], // with ECN
];

/** DATA, INIT, INIT ACK, SACK, HEARTBEAT, its ACK, ABORT, SHUTDOWN, its ACK, ERROR, COOKIE ECHO, its ACK, COMPLETE, unknown. */
const SCTP_CHUNKS = [1, 1, 0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 200];

/** Ends of a transport packet. */
export interface Ends {
  readonly protocol: Protocol;
  readonly source: string;
  readonly destination: string;
  readonly sport: number;
  readonly dport: number;
}

/** What a caller wants otherwise than by chance. */
export interface Wish {
  /** The wire that it comes in by; default `cli`. */
  readonly wire?: Wire;
  readonly flags?: number;
  readonly chunk?: number;
  /** Bytes of payload. */
  readonly length?: number;
  /** Bytes that the packet may have; default: what the guest takes in by the wire. */
  readonly longest?: number;
  readonly ttl?: number;
  readonly ip?: Partial<IpWords>;
  readonly sum?: number;
}

/** The largest packet that the guest takes in by an interface. */
export function receivedLength({ mtu }: World, wire: Wire): number {
  return mtu[wire] + RECEIVED_BEYOND;
}

/** Header fields. */
export function ipWords(random: Random): Partial<IpWords> {
  return {
    ttl: random.of([64, 64, 64, 64, 64, 64, 64, 64, 255, 128, 3, 2, 1, 0]),
    tos: random.of([0, 0, 0, 0, 1, 2, 3, 0xb8, 0xb9, 0xbb, 0xff]),
    id: random.below(0x1_0000),
    df: random.once(2),
    reserved: random.once(40),
    flow: random.of([0, 0, 0x12345, 0xfffff]),
  };
}

/** A length of an IP packet: mostly small, now and then about an MTU, with and without a tunnel's headers. */
function packetLength(random: Random, world: World): number {
  const small = random.of([0, 0, 0, 1, 2, 7, 8, 18, 26, 64, 65, 200, 501]);
  if (!random.once(5)) return 40 + small;
  const edge = random.of([world.mtu.cli, world.mtu.srv]) - random.of([0, 0, 20, 24, 28, 32, 36, 40, 44, 48, 52, 60]);
  return edge + random.of([-9, -8, -1, 0, 0, 1, 2, 8, 9, 60, 400]);
}

const HEADERS: Record<Protocol, number> = { tcp: 20, udp: 8, sctp: 16 };

/** A packet of a transport protocol, with right checksums unless by chance. */
export function transportPacket(random: Random, world: World, ends: Ends, wish: Wish = {}): Uint8Array {
  const { protocol, source } = ends;
  const ipHeader = isSix(source) ? 40 : 20;
  const options = wish.ip?.options?.length ?? 0;
  const extensions = (wish.ip?.extensions ?? []).reduce((sum, { rest }) => sum + rest.length + 1, 0);
  const headers = ipHeader + options + extensions + HEADERS[protocol];
  const limit = (wish.longest ?? receivedLength(world, wish.wire ?? 'cli')) - headers;
  const length = Math.max(0, Math.min(limit, wish.length ?? packetLength(random, world) - headers));
  const words = { ...ipWords(random), ...wish.ip };
  if (wish.ttl !== undefined) words.ttl = wish.ttl;
  const sum =
    wish.sum ??
    random.weighted<number | undefined>([
      [12, undefined],
      [1, 0],
      [1, 0xffff],
      [1, random.below(0x1_0000)],
    ]);
  const payload = counting(length, random.below(256));
  const { body, number } = transport(random, ends, payload, wish, sum);
  return ip({ ...words, source, destination: ends.destination, protocol: number }, body);
}

function transport(random: Random, ends: Ends, payload: Uint8Array, wish: Wish, sum: number | undefined) {
  const { sport, dport } = ends;
  const words = { sport, dport, payload, sum };
  switch (ends.protocol) {
    case 'tcp': {
      const flags = wish.flags ?? random.weighted(TCP_FLAGS);
      const more = { flags, seq: random.word(), ack: random.word() };
      const withOptions = payload.length >= 12 && random.once(4);
      const options = withOptions ? random.of(TCP_OPTIONS) : new Uint8Array(0);
      const rest = payload.subarray(options.length);
      const dataOffset = random.once(30) ? random.below(16) : undefined;
      return { number: TCP, body: tcp(ends, { ...words, ...more, options, payload: rest, dataOffset }) };
    }
    case 'udp': {
      const [whole, odd] = [8 + payload.length, random.below(0x1_0000)];
      const length = random.once(30) ? random.of([0, 7, 8, 9, whole - 1, whole + 1, 100, 0xffff, odd]) : undefined;
      return { number: UDP, body: udp(ends, { ...words, length }) };
    }
    case 'sctp': {
      const chunk = wish.chunk ?? random.of(SCTP_CHUNKS);
      return { number: SCTP, body: sctp({ ...words, sum: random.once(10) ? random.word() : undefined, chunk }) };
    }
  }
}

const TCP_OPTIONS = ['020405b4', '020405b40402080a00000001', '01030307', 'ff00ffff', '00000000'].map(hex);

const GOOD_OPTIONS = [
  '01010101',
  '94040000', // router alert
  '070704 00000000 00', // record route, room for one
  '070b04 00000000 00000000 00',
  '070b0c 00000000 00000000 00', // full
  '070904 00000000 0000 000000', // room for one and a half
  '440c0500 00000000 00000000', // timestamps
  '440c0501 00000000 00000000', // with addresses
  '440c0503 0a000001 00000000', // asked of us
  '440c0503 0a000002 00000000', // asked of another
  '44140501 00000000 00000000 00000000 00000000', // with room for two
  '44140503 0a000001 00000000 0a000064 00000000',
  '44100503 0a000064 00000000 0a000064', // one and a half
  '440a0500 00000000 0000 0000',
  '440c0500 00000000 00000000 070b04 00000000 00000000 00', // and a route
  '44040500', // full
  '830704 0a000002 00', // loose source route
  '890704 0a000002 00', // strict source route
  '00ffffff', // something after the end
  '820b0000 00000000 00000000', // security
  '1e04abcd', // of no known kind
].map(hex);

const MALFORMED_OPTIONS = [
  '440405f0', // no room, and the count of hosts without is full
  '07070300 00000000', // pointer into the option's own head
  '07060400 00000000', // no room for four bytes
  '070b04 00000000 00000000 00 4404 0400', // twice
  '440c0505 00000000 00000000', // a flag that nobody knows
  '440c0b01 00000000 00000000', // half a slot
  '440405f3',
  '44040400',
  '83030301', // malformed source route
  '00440404',
  '07010000',
  '07280000',
  '07000000',
  '01010107',
  '070b04 00000000 00000000 07', // a good one before
  '440c0501 00000000 00000000 07000000',
  '860a0000 00010104 00000000', // a label of no known domain
  '86060000 00010000',
  '830f10 0a000003 0a000004 0a000002 07000000', // a source route that was gone, and something wrong
  '890f0c 0a000003 0a000004 0a000002 07000000',
  '830b0c 0a000003 0a000002 07',
].map(hex);

/** Options of an IPv4 header. */
export function ipOptions(random: Random): Uint8Array {
  return random.of(random.once(3) ? MALFORMED_OPTIONS : GOOD_OPTIONS);
}
