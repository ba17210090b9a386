/**
 * TOA: the client's port and address as an option of TCP, as alibaba/LVS and DPVS have it.
 *
 * @module
 */
import { type Address, addressBytes, type Family, familyOf } from '../packet/address.js';
import { concatenate } from '../packet/checksum.js';
import { hasFlag, TCP_LENGTH, type TcpSegment } from '../packet/tcp.js';
import { TCP_OPTION, type TcpOption, tcpOptions } from '../packet/tcp-options.js';
import type { ReferenceProfile } from '../types.js';
import type { Numbers } from './numbers.js';

/** Bytes of the option. */
export const TOA_LENGTH: Readonly<Record<Family, number>> = { 4: 8, 6: 20 };

/** alibaba/LVS has a kind of its own for IPv6, DPVS one for both families. */
const KINDS = [254, 253];

const LONGEST_HEADER = 60;

/** The largest segment that every host takes, by family (RFC 9293 §3.7.1): none is made smaller than what leaves room in it. */
const LEAST_MSS: Readonly<Record<Family, number>> = { 4: 536, 6: 1220 };

/** Port and address, behind kind and length: TOA and UOA are alike. */
export function addressOption(kind: number, address: Address, port: number): Uint8Array {
  const bytes = addressBytes(address);
  return concatenate(Uint8Array.of(kind, bytes.length + 4, port >>> 8, port & 0xff), bytes);
}

export function toaOption(profile: ReferenceProfile, address: Address, port: number): Uint8Array {
  const isOther = profile === 'alibaba' && familyOf(address) === 6;
  return addressOption(isOther ? 253 : 254, address, port);
}

/**
 * Whether a segment of the client carries the option: until the server's first data are acknowledged. With alibaba each SYN
 * does, too, and no FIN.
 */
export function wantsToa(segment: TcpSegment, profile: ReferenceProfile, { server, initial }: Numbers): boolean {
  if (hasFlag(segment, 'rst') || (profile === 'alibaba' && hasFlag(segment, 'fin'))) return false;
  if (hasFlag(segment, 'syn')) return profile === 'alibaba' && !hasFlag(segment, 'ack');
  if (!hasFlag(segment, 'ack')) return false;
  // Without the server's number there is no telling what is acknowledged.
  return server === undefined ? initial !== undefined : segment.acknowledgment === (server + 1) >>> 0;
}

/** Options as they stand behind the fixed header, and the data behind them. */
function split({ offsetAndReserved, rest }: TcpSegment): [options: Uint8Array, data: Uint8Array] {
  const length = (offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  return [rest.subarray(0, length), rest.subarray(length)];
}

/** The segment with other options, of whole words. */
export function withOptions(segment: TcpSegment, ...options: Uint8Array[]): TcpSegment {
  const [, data] = split(segment);
  const rest = concatenate(...options, data);
  const words = (TCP_LENGTH + rest.length - data.length) / 4;
  return { ...segment, offsetAndReserved: (words << 4) | (segment.offsetAndReserved & 0xf), rest };
}

/** The segment with the option in front of all others; `undefined` when the header has no room. */
export function withToa(segment: TcpSegment, option: Uint8Array): TcpSegment | undefined {
  const [options] = split(segment);
  if (TCP_LENGTH + option.length + options.length > LONGEST_HEADER) return undefined;
  return withOptions(segment, option, options);
}

/** The segment with no operation where `chosen` options were. */
function without(segment: TcpSegment, chosen: (option: TcpOption) => boolean): TcpSegment {
  const rest = segment.rest.slice();
  for (const { at, length } of tcpOptions(segment).options.filter(chosen)) {
    rest.fill(TCP_OPTION.noOperation, at, at + length);
  }
  return { ...segment, rest };
}

/** A client may not name itself. */
export function withoutToa(segment: TcpSegment): TcpSegment {
  const lengths = Object.values(TOA_LENGTH);
  return without(segment, ({ kind, length }) => KINDS.includes(kind) && lengths.includes(length));
}

/** Both ends go without timestamps. */
export function withoutTimestamps(segment: TcpSegment): TcpSegment {
  return without(segment, ({ kind, length }) => kind === TCP_OPTION.timestamp && length === TIMESTAMP_LENGTH);
}

export const TIMESTAMP_LENGTH = 10;

/** Options of whole words, filled up with no operation. */
export function filled(...options: Uint8Array[]): Uint8Array {
  const all = concatenate(...options);
  return concatenate(all, new Uint8Array(-all.length & 3).fill(TCP_OPTION.noOperation));
}

/** The segment without no operation, and without what follows the end of the options; nothing, if they cannot all be read. */
export function compact(segment: TcpSegment): TcpSegment {
  const { options, isWhole } = tcpOptions(segment);
  if (!isWhole) return segment;
  const kept = options.filter(({ kind }) => kind !== TCP_OPTION.noOperation);
  return withOptions(segment, filled(...kept.map(({ at, length }) => segment.rest.subarray(at, at + length))));
}

/** A server's SYN-ACK that asks for segments which leave the option room in the server's own. */
export function withLowerMss(segment: TcpSegment, family: Family): TcpSegment {
  if (!hasFlag(segment, 'syn') || !hasFlag(segment, 'ack')) return segment;
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  for (const { kind, at, length } of tcpOptions(segment).options) {
    if (kind !== TCP_OPTION.mss || length !== 4) continue;
    view.setUint16(at + 2, lowerMss(view.getUint16(at + 2), family));
  }
  return { ...segment, rest };
}

/** What a client may be told to send in place of `mss`, so that there is room for the option. */
export function lowerMss(mss: number, family: Family): number {
  const least = Math.min(mss, LEAST_MSS[family] - TOA_LENGTH[family]);
  return Math.max(least, mss - TOA_LENGTH[family]);
}
