/**
 * IPv6 extension headers (RFC 8200 §4, RFC 4302): what stands behind them, and which a host refuses on receipt.
 *
 * @module
 */
import { isMulticast } from './address.js';
import { concatenate } from './checksum.js';
import { IPV6_LENGTH, type Ipv6Packet, NEXT_HEADER } from './ipv6.js';

/** Bytes of a fragment header. */
export const FRAGMENT_LENGTH = 8;

/** A fragment header taken apart (RFC 8200 §4.5); reserved bits are not kept. */
export interface FragmentHeader {
  nextHeader: number;
  /** In units of 8 bytes. */
  offset: number;
  more: boolean;
  /** 32 bits. */
  identification: number;
}

/** Reads the fragment header at the start of `bytes`. @throws RangeError below 8 bytes. */
export function parseFragmentHeader(bytes: Uint8Array): FragmentHeader {
  if (bytes.length < FRAGMENT_LENGTH) throw new RangeError(`a fragment header needs 8 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    nextHeader: view.getUint8(0),
    offset: view.getUint16(2) >>> 3,
    more: (view.getUint16(2) & 1) !== 0,
    identification: view.getUint32(4),
  };
}

/** Puts a fragment header together. */
export function serialiseFragmentHeader(header: FragmentHeader): Uint8Array {
  const bytes = new Uint8Array(FRAGMENT_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, header.nextHeader);
  view.setUint16(2, (header.offset << 3) | (header.more ? 1 : 0));
  view.setUint32(4, header.identification);
  return bytes;
}

/** A fragment header within the payload of a packet. */
export interface PlacedFragmentHeader {
  /** Where it begins, in bytes from the start of the payload. */
  at: number;
  /** Where the byte that announces it stands: -1 in the IPv6 header, else in the payload. */
  namedAt: number;
  header: FragmentHeader;
}

/** What stands behind the extension headers. */
export interface Upper {
  /** Protocol number: of a transport, of ICMPv6, of a tunnel, ESP, or 59 for nothing at all. */
  protocol: number;
  /** Where it begins, in bytes from the start of the payload. */
  offset: number;
  /** The fragment header on the way, if there is one. With an offset other than 0, nothing behind it has a header. */
  fragment: PlacedFragmentHeader | undefined;
}

/**
 * Walks over hop-by-hop options, destination options, routing, fragment and authentication headers, in any order and
 * number, without looking inside.
 *
 * @returns `ipv6-truncated` when the payload ends within one of them
 */
export function findUpper(packet: Pick<Ipv6Packet, 'nextHeader' | 'payload'>): Upper | 'ipv6-truncated' {
  let fragment: PlacedFragmentHeader | undefined;
  for (const { type, at, namedAt, length } of walk(packet)) {
    if (!isExtension(type)) return { protocol: type, offset: at, fragment };
    if (length === undefined) return 'ipv6-truncated';
    if (type !== NEXT_HEADER.fragment) continue;
    const header = parseFragmentHeader(packet.payload.subarray(at));
    fragment ??= { at, namedAt, header };
    if (header.offset !== 0) return { protocol: header.nextHeader, offset: at + length, fragment };
  }
  return 'ipv6-truncated';
}

/**
 * What the last header names whose beginning is there and whose end is not, and where that would be; `undefined` when it
 * names another extension header, or a fragment header is cut before its offset, or belongs to a later fragment.
 */
export function findUpperBehindCut(packet: Pick<Ipv6Packet, 'nextHeader' | 'payload'>): Upper | undefined {
  const { payload } = packet;
  for (const { type, at, length } of walk(packet)) {
    if (length !== undefined || !isExtension(type)) continue;
    const claimed = extensionLength(type, payload.subarray(at));
    const isFragment = type === NEXT_HEADER.fragment;
    if (claimed === undefined || payload.length < at + (isFragment ? 4 : 2)) return undefined;
    if (isFragment && ((payload[at + 2]! << 8) | payload[at + 3]!) >>> 3 !== 0) return undefined;
    const protocol = payload[at]!;
    return isExtension(protocol) ? undefined : { protocol, offset: at + claimed, fragment: undefined };
  }
  return undefined;
}

/** The packet with another protocol behind its extension headers, which are there whole. */
export function withUpperProtocol(packet: Ipv6Packet, protocol: number): Ipv6Packet {
  const { namedAt } = [...walk(packet)].at(-1)!;
  if (namedAt < 0) return { ...packet, nextHeader: protocol };
  const payload = packet.payload.slice();
  payload[namedAt] = protocol;
  return { ...packet, payload };
}

/** The first fragment header, whatever stands behind it; `undefined` when there is none whole. */
export function findFragmentHeader(
  packet: Pick<Ipv6Packet, 'nextHeader' | 'payload'>,
): PlacedFragmentHeader | undefined {
  for (const { type, at, namedAt, length } of walk(packet)) {
    if (type === NEXT_HEADER.fragment && length !== undefined) {
      return { at, namedAt, header: parseFragmentHeader(packet.payload.subarray(at)) };
    }
  }
  return undefined;
}

/** Where, from the start of the payload, a routing header says that the packet still has to go elsewhere. */
export function findSegmentsLeft(packet: Pick<Ipv6Packet, 'nextHeader' | 'payload'>): number | undefined {
  for (const { type, at, length } of walk(packet)) {
    if (type === NEXT_HEADER.routing && length !== undefined && packet.payload[at + 3] !== 0) return at + 3;
  }
  return undefined;
}

interface Step {
  type: number;
  at: number;
  namedAt: number;
  /** Of an extension header that is there whole. */
  length: number | undefined;
}

/** Each extension header, and what follows the last one. */
function* walk({ nextHeader, payload }: Pick<Ipv6Packet, 'nextHeader' | 'payload'>): Generator<Step> {
  let [type, at, namedAt] = [nextHeader, 0, -1];
  for (;;) {
    const claimed = isExtension(type) ? extensionLength(type, payload.subarray(at)) : undefined;
    const length = claimed === undefined || at + claimed > payload.length ? undefined : claimed;
    yield { type, at, namedAt, length };
    if (length === undefined) return;
    [type, at, namedAt] = [payload[at] ?? NEXT_HEADER.none, at + length, at];
  }
}

function isExtension(type: number): boolean {
  const { hopByHop, routing, fragment, authentication, destinationOptions } = NEXT_HEADER;
  return [hopByHop, routing, fragment, authentication, destinationOptions].some((each) => each === type);
}

/** Bytes of the extension header that `bytes` begin with; `undefined` when too few to tell. */
function extensionLength(type: number, bytes: Uint8Array): number | undefined {
  if (type === NEXT_HEADER.fragment) return FRAGMENT_LENGTH;
  const [, length] = bytes;
  if (length === undefined) return undefined;
  // AH counts in words, less two (RFC 4302 §2.2).
  return type === NEXT_HEADER.authentication ? (length + 2) * 4 : (length + 1) * 8;
}

/**
 * Bytes of the payload that every fragment of the packet repeats (RFC 8200 §4.5), as Linux counts them: hop-by-hop options
 * and routing headers, and destination options unless they stand behind a routing header.
 */
export function unfragmentableLength(packet: Pick<Ipv6Packet, 'nextHeader' | 'payload'>): number {
  let routed = false;
  for (const { type, at, length } of walk(packet)) {
    const repeated =
      type === NEXT_HEADER.hopByHop ||
      type === NEXT_HEADER.routing ||
      (type === NEXT_HEADER.destinationOptions && !routed);
    if (!repeated || length === undefined) return at;
    routed ||= type === NEXT_HEADER.routing;
  }
  return 0;
}

/** The packet with a fragment header in front of its fragmentable part, which begins at `at` in the payload. */
export function withFragmentHeader(
  packet: Ipv6Packet,
  at: number,
  header: Omit<FragmentHeader, 'nextHeader'>,
): Ipv6Packet {
  let namedAt = -1;
  for (const step of walk(packet)) if (step.at === at) namedAt = step.namedAt;
  const before = packet.payload.slice(0, at);
  const nextHeader = namedAt < 0 ? packet.nextHeader : (before[namedAt] ?? packet.nextHeader);
  if (namedAt >= 0) before[namedAt] = NEXT_HEADER.fragment;
  return {
    ...packet,
    nextHeader: namedAt < 0 ? NEXT_HEADER.fragment : packet.nextHeader,
    payload: concatenate(before, serialiseFragmentHeader({ nextHeader, ...header }), packet.payload.subarray(at)),
  };
}

/** The packet without its first fragment header: an atomic fragment becomes the packet that it is (RFC 6946). */
export function withoutFragmentHeader(packet: Ipv6Packet): Ipv6Packet {
  const fragment = findFragmentHeader(packet);
  if (fragment === undefined) return packet;
  const { at, namedAt, header } = fragment;
  const payload = concatenate(packet.payload.subarray(0, at), packet.payload.subarray(at + FRAGMENT_LENGTH));
  if (namedAt < 0) return { ...packet, nextHeader: header.nextHeader, payload };
  payload[namedAt] = header.nextHeader;
  return { ...packet, payload };
}

const OPTION = { pad1: 0x00, padN: 0x01, routerAlert: 0x05, calipso: 0x07, ioam: 0x31, jumbo: 0xc2 } as const;

/** Padding beyond this aligns nothing (RFC 4942 §2.1.9.5). */
const MOST_PADDING = 7;

/** Options other than padding that Linux takes in one header. */
const MOST_OPTIONS = 8;

/** Why a packet is dropped for its hop-by-hop options, and what its sender is told (RFC 8200 §4.2, RFC 4443 §3.4). */
export interface HopByHopFault {
  reason: 'ipv6-truncated' | 'ipv6-extension';
  /** A parameter problem: code, and the pointer in bytes from the start of the IPv6 header. */
  problem: { code: number; pointer: number } | undefined;
}

const SILENT: HopByHopFault = { reason: 'ipv6-extension', problem: undefined };

/**
 * Reads the hop-by-hop options, if the packet begins with any, as a host does with every packet that it takes in.
 * Options for the destination are not its business before it delivers the packet.
 */
export function findHopByHopFault(packet: Ipv6Packet): HopByHopFault | undefined {
  if (packet.nextHeader !== NEXT_HEADER.hopByHop) return undefined;
  const length = extensionLength(NEXT_HEADER.hopByHop, packet.payload);
  if (length === undefined || length > packet.payload.length) return { reason: 'ipv6-truncated', problem: undefined };
  const options = packet.payload.subarray(0, length);
  let padding = 0;
  let count = 0;
  for (let at = 2; at < length; ) {
    const type = options[at] ?? OPTION.pad1;
    const size = type === OPTION.pad1 ? 1 : 2 + (options[at + 1] ?? length);
    if (at + size > length) return SILENT;
    const data = options.subarray(at + 2, at + size);
    if (type === OPTION.pad1 || type === OPTION.padN) {
      padding += size;
      if (padding > MOST_PADDING || (type === OPTION.padN && data.some((byte) => byte !== 0))) return SILENT;
    } else {
      padding = 0;
      count += 1;
      const fault = count > MOST_OPTIONS ? SILENT : judgeOption(packet, type, data, IPV6_LENGTH + at);
      if (fault !== undefined) return fault;
    }
    at += size;
  }
  return undefined;
}

/** @param pointer of the option, from the start of the IPv6 header */
function judgeOption(packet: Ipv6Packet, type: number, data: Uint8Array, pointer: number): HopByHopFault | undefined {
  const problem = (code: number, at: number): HopByHopFault => ({ ...SILENT, problem: { code, pointer: at } });
  if (type === OPTION.routerAlert) return data.length === 2 ? undefined : SILENT;
  // A label (RFC 5570) of a domain that this host does not know.
  if (type === OPTION.calipso) return SILENT;
  // RFC 9486 §3: aligned to four bytes; without IOAM here no more is looked at.
  if (type === OPTION.ioam) return pointer % 4 === 0 ? undefined : SILENT;
  if (type === OPTION.jumbo) {
    if (data.length !== 4 || pointer % 4 !== 2) return SILENT;
    // A length that needs no option, or an option beside a length (RFC 2675 §3).
    const isLarge = data[0] !== 0 || data[1] !== 0;
    return problem(0, isLarge ? pointer : pointer + 2);
  }
  // The two highest bits of an unknown option say what to do (RFC 8200 §4.2).
  const action = type >>> 6;
  if (action === 0) return undefined;
  if (action === 1 || (action === 3 && isMulticast(packet.destination))) return SILENT;
  return problem(2, pointer);
}
