/**
 * Differences that docs/deviations.md lists and that cases may run into, by name.
 *
 * @module
 */
import type { SentFrame } from '../../src/scenario/compare.js';
import { packetOf } from '../../src/scenario/packet.js';
import { checksum } from '../support/packets.js';
import { ICMP } from './generate/bytes.js';
import { type Identity, identitiesIn, isSameButSource } from './identity.js';
import type { Emitted } from './uml.js';

/** A packet and what the two made of it. */
export interface Compared {
  readonly frame: Uint8Array;
  /** What the kernel sent. */
  readonly emitted: readonly Emitted[];
  /** What the core sent. */
  readonly sent: readonly SentFrame[];
  /** The director's addresses. */
  readonly own: ReadonlySet<string>;
  /** Whether the two would be the same if they had sent the frames of `emitted` and `sent`, changed like that. */
  isSame(theirs: (frame: Uint8Array) => Uint8Array, ours: (frame: SentFrame) => SentFrame): boolean;
}

interface Deviation {
  readonly name: string;
  accounts(compared: Compared): boolean;
}

const DEVIATIONS: readonly Deviation[] = [
  {
    // An answer of ours carries no IP options. Where the kernel's has no room for as much of a quotation, ours is cut.
    name: 'answers without options',
    accounts({ emitted, isSame }) {
      const answers = emitted.map(({ data }) => data).filter(hasOptions);
      const [longest = 0, ...others] = answers.map((data) => withoutOptions(data).length);
      const room = answers[0] === undefined ? 0 : answers[0].length - longest;
      return (
        answers.length > 0 &&
        others.length === 0 &&
        isSame(
          (data) => (hasOptions(data) ? withoutOptions(data) : data),
          (frame) => {
            const tooLong = frame.packet.made ? frame.data.length - longest : 0;
            return tooLong > 0 && tooLong <= room ? { ...frame, data: cut(frame.data, longest) } : frame;
          },
        )
      );
    },
  },
  {
    // With the options that the kernel echoes, its answer has no room for the ports, and schedule_icmp drops it.
    name: 'answers without options, of which schedule_icmp drops those with',
    accounts({ frame, emitted, sent }) {
      const [answer] = sent;
      if (
        emitted.length > 0 ||
        sent.length !== 1 ||
        !answer?.packet.made ||
        answer.packet.reason === 'parameter-problem'
      )
        return false;
      const about = packetOf(frame);
      if (about?.version !== 4) return false;
      const quoted = answer.data.length - ETHERNET - HEADER - ICMP_HEADER;
      const header = headerLength(about.whole);
      const isCut = quoted < about.whole.length;
      return isCut && echoedLength(about.whole.subarray(HEADER, header)) > quoted - header - PORTS;
    },
  },
  {
    // An ICMP error that the kernel owes itself, about a packet from one of its addresses or what was in such a tunnel
    // packet, goes through its own input, and from there to a server.
    name: 'errors to itself',
    accounts({ frame, emitted, sent, own }) {
      const about = identitiesIn(frame).filter(({ source }) => own.has(source));
      return (
        sent.length === 0 &&
        emitted.every(({ data }) => quotedIn(data).some((quoted) => about.some((one) => isSameButSource(one, quoted))))
      );
    },
  },
  {
    // An error goes to nobody who is many (RFC 1122 §3.2.2).
    name: 'errors to broadcast addresses',
    accounts({ emitted, sent }) {
      const isToAll = (data: Uint8Array) => data.subarray(0, 6).every((byte) => byte === 0xff);
      return (
        emitted.length > 0 &&
        emitted.every(({ data }) => isToAll(data) && packetOf(data)?.protocol === ICMP) &&
        sent.length === 0
      );
    },
  },
  {
    // Linux sums an ICMPv6 error of a server without the pseudo-header, and drops it unless something verified it before:
    // connection tracking, as in the captures, or the network card.
    name: 'unverified ICMPv6 errors',
    accounts({ emitted, sent }) {
      const isOut = ({ packet, data }: SentFrame) => packet.reason === 'icmp-out' && packetOf(data)?.version === 6;
      return emitted.length === 0 && sent.length > 0 && sent.every(isOut);
    },
  },
  {
    // Nobody verifies checksums before IPVS: it drops such errors to DR and TUN, too.
    name: 'unverified ICMP errors',
    accounts({ frame, emitted, sent }) {
      const isIn = ({ packet }: SentFrame) => packet.reason === 'icmp-in';
      return packetOf(frame)?.version === 4 && emitted.length === 0 && sent.length > 0 && sent.every(isIn);
    },
  },
];

/** What an ICMP error quotes, be it in a tunnel or not. */
function quotedIn(frame: Uint8Array): Identity[] {
  return [...identitiesIn(frame, 'quoted.'), ...identitiesIn(frame, 'inner.quoted.')];
}

const ETHERNET = 14;
const HEADER = 20;
const ICMP_HEADER = 8;
const PORTS = 4;
const ECHOED = [7, 68, 131, 134, 137];

function hasOptions(frame: Uint8Array): boolean {
  const packet = packetOf(frame);
  return packet?.version === 4 && packet.protocol === ICMP && headerLength(packet.whole) > HEADER;
}

function headerLength(packet: Uint8Array): number {
  return ((packet[0] ?? 0) & 15) * 4;
}

/** Bytes of the options that the kernel echoes, padded: record route, timestamp, source routes, CIPSO. */
function echoedLength(options: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    const size = options[at] === 1 ? 1 : (options[at + 1] ?? 0);
    if (size === 0) break;
    if (ECHOED.includes(options[at] ?? 0)) length += size;
    at += size;
  }
  return (length + 3) & ~3;
}

/** An IPv4 packet whose header has no options. */
function withoutOptions(frame: Uint8Array): Uint8Array {
  const options = headerLength(frame.subarray(ETHERNET)) - HEADER;
  const at = ETHERNET + HEADER;
  const short = Uint8Array.of(...frame.subarray(0, at), ...frame.subarray(at + options));
  short[ETHERNET] = 0x45;
  return withLength(short);
}

/** An ICMP message of `length` bytes with link and IP header. */
function cut(frame: Uint8Array, length: number): Uint8Array {
  const short = withLength(frame.slice(0, length));
  setChecksum(short.subarray(ETHERNET + HEADER), 2);
  return short;
}

/** An IPv4 packet whose header says how long it is. */
function withLength(frame: Uint8Array): Uint8Array {
  const length = frame.length - ETHERNET;
  frame.set([length >> 8, length & 255], ETHERNET + 2);
  setChecksum(frame.subarray(ETHERNET, ETHERNET + HEADER), 10);
  return frame;
}

function setChecksum(bytes: Uint8Array, at: number): void {
  bytes.set([0, 0], at);
  const sum = checksum(bytes);
  bytes.set([sum >> 8, sum & 255], at);
}

/** The name of the deviation that explains why the core sent something else; `undefined`: none does. */
export function accountFor(compared: Compared): string | undefined {
  return DEVIATIONS.find((one) => one.accounts(compared))?.name;
}
