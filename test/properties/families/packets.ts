/**
 * Packets of both families from choices: mostly ordinary, then odd, then damaged.
 *
 * @module
 */
import {
  ACK,
  counting,
  FIN,
  fixIpv4,
  hex,
  icmp,
  join,
  type PacketWords,
  packet,
  RST,
  SYN,
  type TransportWords,
  tcp,
  udp,
} from '../../support/packets.js';
import { sctp } from '../../support/sctp.js';
import type { Choices } from './choices.js';
import { familyOf } from './hosts.js';
import type { Says } from './segments.js';

export interface Ends {
  protocol: 'tcp' | 'udp' | 'sctp';
  source: string;
  destination: string;
  sport: number;
  dport: number;
}

/** An IP packet; `partial`: its transport checksum is only begun. */
export interface Made {
  packet: Uint8Array;
  partial: boolean;
}

const FLAGS = [SYN, ACK, SYN, ACK, FIN | ACK, SYN, ACK, RST, RST | ACK, SYN | ACK, SYN | FIN, SYN | RST, 0, 0x3f, 0x18];
const CHUNKS = [[1], [0], [1], [10], [11], [2], [6], [7], [8], [14], [9], [10, 6], [11, 0], [200], []];

const OPTIONS = [
  '01010101',
  '94040000', // router alert
  '0707040000000000', // record route, room for one
  '070b04000000000000000000',
  '070b0c000000000000000000', // full
  '440c05000000000000000000', // timestamps
  '440c05010000000000000000', // with addresses
  '440c05030a00000100000000', // asked of us
  '44040500', // full
  '8307040a00000200', // loose source route
  '820b00000000000000000000', // security
  '00ffffff',
  '0707030000000000', // pointer into the option's own head
  '01010107',
].map(hex);

/** Hop-by-hop, destination options, routing, an atomic fragment, authentication, and none. */
const EXTENSIONS: readonly (readonly [number, string])[] = [
  [0, '00 0104 00000000'],
  [0, '00 0502 0000 0100'], // router alert
  [60, '00 0104 00000000'],
  [60, '01 010c 00000000 00000000 00000000'],
  [43, '00 0400 00000000'], // no segments left
  [43, '00 0401 00000000'],
  [43, '02 0201 00000000 fd00000000000000 0000000000000002'],
  [44, '00 0000 01020304'], // atomic
  [0, '00 1e04 00000000'], // unknown: skipped
  [0, '00 5e04 00000000'], // discarded
  [0, '00 9e04 00000000'], // answered
  [60, '00 de04 00000000'],
  [0, '00 c204 00010000'], // jumbo
  [0, '00 c904 fd000002'], // home address
  [0, '09 0104 00000000'], // longer than there is
  [51, '04 0000 00000001 00000001 00000000 00000000 00000000'],
  [59, '00 0104 00000000'],
];

/** What headers say. `plain`: nothing that a router would look at. */
export function ipWords(choices: Choices, source: string, destination: string, plain = false): PacketWords {
  const [ttl, tos] = [
    choices.of([64, 64, 64, 64, 64, 64, 255, 128, 3, 2, 1, 0]),
    choices.of([0, 0, 0, 1, 2, 3, 0xb8, 0xbb, 0xff]),
  ];
  const words = { source, destination, ttl, tos, df: choices.once(2), id: choices.word() };
  if (plain) return words;
  if (familyOf(source) === 4) {
    const options = choices.maybe(8, OPTIONS);
    return options === undefined ? words : { ...words, options };
  }
  const extensions = choices
    .of([[], [], [], [], [], [], [0], [0, 0]])
    .map((_, i) => choices.of(i === 0 ? EXTENSIONS : EXTENSIONS.filter(([number]) => number !== 0 && number !== 44)))
    .map(([number, rest]) => [number, hex(rest)] as const);
  return { ...words, flowLabel: choices.of([0, 0, 0x12345]), extensions };
}

/** One of a few calls, in one of the forms that a header may have, or nearly. */
function sipMessage(choices: Choices): Uint8Array {
  const name = choices.of(['Call-ID', 'call-id', 'i', 'i ', 'Call-ID\r\n ', 'ii']);
  const end = choices.of(['\r\n', '\n', '\r', '', ' ']);
  const call = choices.of(['a', 'a@b', 'b', 'a@', '@b', 'caf\u00e9', '']);
  const first = choices.of(['OPTIONS sip:a SIP/2.0\r\n', 'OPTIONS sip:a SIP/2.0\r\ni: \r\n', '\n\n', '']);
  return Buffer.from(`${first}${name}:${choices.of([' ', '', '\t\n '])}${call}${end}`, 'latin1');
}

/** Bytes of payload: few, or so many that the packet is about as large as a link or a tunnel takes. */
function payloadLength(choices: Choices): number {
  const small = choices.of([0, 0, 1, 7, 8, 18, 64, 65, 200, 501]);
  const around = choices.of([1280, 1300, 1400, 1500, 1500, 576, 2000, 3000]);
  const headers = choices.of([20, 28, 40, 48, 52, 60]) + choices.of([0, 20, 24, 28, 32, 36, 40, 44, 48, 52, 60]);
  const off = choices.of([0, 1, 8, 16]) - choices.of([0, 0, 1, 8]);
  return choices.once(4) ? Math.max(0, around - headers + off) : small;
}

/** A packet between two ends; `says` makes numbers and options of a segment with those flags. */
export function transportPacket(choices: Choices, ends: Ends, says?: (flags: number) => Says): Made {
  const { protocol, sport, dport } = ends;
  const words = ipWords(choices, ends.source, ends.destination);
  const payload = choices.once(3) ? sipMessage(choices) : counting(payloadLength(choices), choices.below(256));
  // Nobody leaves the checksum of a fragment to a card.
  const partial = choices.once(6) && !(words.extensions ?? []).some(([number]) => number === 44);
  const wrong = choices.once(6) ? { checksum: choices.of([0, 0xffff, 0x1234]) } : {};
  const all = { ...words, sport, dport, payload, partial, ...wrong };
  switch (protocol) {
    case 'tcp':
      return { packet: segment(choices, all, says), partial };
    case 'udp':
      return { packet: udp(all), partial };
    case 'sctp': {
      const made = sctp({ ...words, sport, dport, payload, chunks: choices.of(CHUNKS) });
      if (choices.once(10)) made[made.length - 1] = 0x77;
      return { packet: made, partial: false };
    }
  }
}

function segment(choices: Choices, all: TransportWords, says: ((flags: number) => Says) | undefined): Uint8Array {
  const flags = choices.of(FLAGS);
  return tcp({ ...all, flags, ...says?.(flags) });
}

/** A query of ICMP, or the reply to one; now and then another message, or with a wrong checksum. */
export function queryPacket(
  choices: Choices,
  source: string,
  destination: string,
  identifier: number,
  isReply: boolean,
): Made {
  const [query, reply] =
    familyOf(source) === 6
      ? [[128], [129]]
      : [
          [8, 8, 13],
          [0, 0, 14],
        ];
  const type = choices.of(isReply !== choices.once(12) ? reply : query);
  const body = counting(payloadLength(choices), choices.below(256));
  const rest = identifier * 0x10000 + choices.below(3);
  const words = ipWords(choices, source, destination);
  const whole = icmp(words, type, choices.once(16) ? 1 : 0, body, rest);
  if (choices.once(8)) whole[whole.length - 1] = (whole.at(-1) ?? 0) ^ 1;
  return { packet: whole, partial: false };
}

/** ESP or AH between two ends, or a protocol that nobody knows. */
export function otherPacket(choices: Choices, source: string, destination: string): Made {
  const protocol = choices.of([50, 51, 50, 200]);
  const body = choices.of([32, 1400, 8, 3]);
  return { packet: packet(ipWords(choices, source, destination), protocol, counting(body)), partial: false };
}

/** The packet with something wrong in it, or cut short. */
export function damaged(choices: Choices, whole: Uint8Array): Uint8Array {
  const copy = whole.slice();
  const v6 = (copy[0] ?? 0) >> 4 === 6;
  const view = new DataView(copy.buffer);
  const fixed = (bytes: Uint8Array) => (v6 || bytes.length < 60 ? bytes : fixIpv4(bytes));
  switch (choices.below(6)) {
    case 0: {
      const at = choices.below(Math.min(copy.length, 80));
      copy[at] = (copy[at] ?? 0) ^ (1 << choices.below(8));
      return choices.once(2) ? fixed(copy) : copy;
    }
    case 1:
      view.setUint16(v6 ? 4 : 2, 1 + choices.below(copy.length + 40));
      return fixed(copy);
    case 2:
      return copy.slice(0, choices.below(copy.length));
    case 3:
      // Version, or length of the header.
      copy[0] = choices.once(2)
        ? (choices.below(16) << 4) | ((copy[0] ?? 0) & 15)
        : ((copy[0] ?? 0) & 0xf0) | choices.below(16);
      return fixed(copy);
    case 4: {
      // Whole up to somewhere within the transport header, and consistent.
      const header = v6 ? 40 : ((copy[0] ?? 0) & 15) * 4;
      const cut = copy.slice(0, Math.min(copy.length, header + 1 + choices.below(25)));
      new DataView(cut.buffer).setUint16(v6 ? 4 : 2, cut.length - (v6 ? 40 : 0));
      return v6 ? cut : fixIpv4(cut);
    }
    default:
      return join(copy, counting(choices.of([1, 6, 20]), 0xee));
  }
}
