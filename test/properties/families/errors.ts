/**
 * ICMP and ICMPv6 errors about packets that were sent: from their destination or from a router on the way, whole or
 * short, right or damaged.
 *
 * @module
 */
import { formatIPv4Bytes } from '../../../src/address.js';
import { icmp } from '../../support/packets.js';
import type { Choices } from './choices.js';
import { familyOf, HOSTS } from './hosts.js';
import { ipWords, type Made } from './packets.js';

/** Type and code. */
const ERRORS = {
  4: [
    [3, 3],
    [3, 4],
    [3, 1],
    [11, 0],
    [3, 4],
    [11, 1],
    [3, 0],
    [3, 13],
    [4, 0],
    [12, 0],
    [3, 2],
    [3, 9],
    [3, 14],
    [12, 2],
    [5, 1],
    [8, 0],
    [0, 0],
    [13, 0],
  ],
  6: [
    [1, 4],
    [2, 0],
    [1, 0],
    [3, 0],
    [2, 0],
    [3, 1],
    [1, 3],
    [4, 0],
    [4, 1],
    [4, 2],
    [100, 0],
    [128, 0],
    [129, 0],
    [137, 0],
  ],
} as const;

const MTUS = [1300, 1400, 1280, 0, 68, 1500, 576, 65_535, 1452];

/** What else the second word tells: pointers of either family, and how long the quotation is where something follows it. */
const OTHERS = [
  ...[1, 4, 6, 7, 8, 24, 39, 40],
  ...[1, 3, 8, 9, 12, 16, 20].map((pointer) => pointer * 2 ** 24),
  ...[0x200000, 0x010000, 0x20000578, 0x10000000, 0x02000000],
];

/** Source and destination of a packet that is whole up to there. */
export function endsOf(packet: Uint8Array): { source: string; destination: string } | undefined {
  const v6 = (packet[0] ?? 0) >> 4 === 6;
  const [at, size] = v6 ? [8, 16] : [12, 4];
  if (packet.length < at + 2 * size) return undefined;
  const text = (from: number) => (v6 ? groups(packet.subarray(from, from + size)) : formatIPv4Bytes(packet, from));
  return { source: text(at), destination: text(at + size) };
}

/** An IPv6 address group by group. */
function groups(bytes: Uint8Array): string {
  return Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16)).join(
    ':',
  );
}

/** An error about `quoted`, a packet that was seen on a wire. */
export function errorAbout(choices: Choices, quoted: Uint8Array): (Made & { source: string }) | undefined {
  const ends = endsOf(quoted);
  if (ends === undefined) return undefined;
  const family = familyOf(ends.source);
  const { routers, clients, own } = HOSTS[family];
  const source = choices.of([ends.destination, routers[0], routers[1], clients[0]] as string[]);
  const destination = choices.once(10) ? choices.of([own, clients[0] as string]) : ends.source;
  const [type, code] = choices.of<readonly [number, number]>(ERRORS[family]);
  const rest = choices.once(3) ? choices.of(OTHERS) : choices.of(MTUS);
  const largest = family === 4 ? 548 : 1232;
  const header = family === 4 ? ((quoted[0] ?? 0) & 15) * 4 : 40;
  const length = choices.of([
    largest,
    header + 8,
    largest,
    header + 4,
    header + 20,
    header + 64,
    header + 3,
    header,
    7,
    0,
  ]);
  const body = quoted.slice(0, Math.min(largest, length));
  if (choices.once(6) && body.length > 0) {
    const at = choices.below(Math.min(body.length, 64));
    body[at] = (body[at] ?? 0) ^ (1 << choices.below(8));
  }
  const words = ipWords(choices, source, destination, !choices.once(8));
  const packet = icmp(words, type, code, body, rest);
  // Of IPv6 a wrong one is dropped by the core alone (docs/deviations.md).
  if (choices.once(12) && family === 4) packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
  return { packet, partial: false, source };
}
