/**
 * Queries of ICMP by SNAT, their replies, and errors about either.
 *
 * @module
 */
import {
  type IpPacket,
  icmpv6ChecksumIsRight,
  internetChecksum,
  isIpv6,
  parseAnyAddress,
  parseIcmp,
  serialiseIcmp,
  serialiseIcmpv6,
  serialiseIp,
} from '../../src/reference/index.js';
import { icmpError, packet, type Words } from './builders6.js';
import type { Family } from './fullnat.js';
import { LOCALS, TALKERS } from './snat.js';

export const PROTOCOL = { 4: 1, 6: 58 } as const;
export const ECHO = { 4: [8, 0], 6: [128, 129] } as const;
const UNREACHABLE = { 4: [3, 1, 0], 6: [1, 3, 0] } as const;

/** A message with a right checksum. */
export function message(
  from: string,
  to: string,
  type: number,
  identifier: number,
  { data = 12, code = 0, ...words }: Words & { data?: number; code?: number } = {},
): IpPacket {
  const [source, destination] = [parseAnyAddress(from), parseAnyAddress(to)];
  const payload = Uint8Array.from({ length: data }, (_, i) => i + 1);
  const said = { type, code, rest: identifier * 0x10000 + 7, payload };
  const isV6 = typeof source === 'bigint';
  const bytes = isV6 ? serialiseIcmpv6(said, source, destination) : serialiseIcmp(said);
  return packet(from, to, PROTOCOL[isV6 ? 6 : 4], bytes, words);
}

export const identifierOf = ({ payload }: IpPacket): number => parseIcmp(payload).rest >>> 16;

export function isRight({ source, destination, payload }: IpPacket): boolean {
  if (typeof source === 'bigint') return icmpv6ChecksumIsRight(payload, source, destination);
  return internetChecksum(payload) === 0;
}

/** Who asks whom in a family, `second` being a neighbour of who asks, and how. */
export function queriesOf(family: Family) {
  const { inside, outside, far } = TALKERS[family];
  const [local, other] = LOCALS[family];
  const [query, reply] = ECHO[family];
  return {
    ...{ inside, outside, far, local, other, query, reply },
    second: family === 4 ? '10.1.0.12' : 'fd00:1::12',
    /** The length of the IP header. */
    header: family === 4 ? 20 : 40,
    ask: (identifier: number, to: string = outside, from: string = inside) => message(from, to, query, identifier),
    answer: (identifier: number, from: string = outside, to: string = local) => message(from, to, reply, identifier),
  };
}

/** From anybody, about what was sent. */
export function error(from: string, to: string, about: IpPacket, cutAt?: number, damage = 0): IpPacket {
  const made = icmpError([from, to], [...UNREACHABLE[isIpv6(about) ? 6 : 4]], serialiseIp(about).slice(0, cutAt), {
    ttl: 9,
  });
  made.payload[2]! ^= damage;
  return made;
}
