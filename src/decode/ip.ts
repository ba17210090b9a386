/**
 * IPv4 headers, IPv6 headers and their extension headers.
 *
 * @module
 */
import { type OptionNames, options } from './options.js';
import { addressText, hexText, readU16 } from './text.js';
import { address, address6, decimal, type Format, hex, type Layer, type LayerKind, type Walk } from './walk.js';

/** What follows the headers of a packet. */
export interface Next {
  readonly protocol: number;
  readonly at: number;
  /** Whether all of it is there: neither a fragment nor cut short. */
  readonly whole: boolean;
}

/** An IP header; `next` is absent where what follows cannot be told: in later fragments, behind damage. */
export interface IpPacket {
  readonly layer: Layer;
  readonly next: Next | undefined;
}

/** An IPv4 header (RFC 791). */
export function ipv4(walk: Walk, at: number, room: number, prefix: string): IpPacket {
  const { frame } = walk;
  const headerLength = (frame[at]! & 15) * 4;
  const payload = at + Math.max(20, headerLength);
  const ip = walk.layer('ip', prefix, at, payload, room);
  walk.add(ip, 'ip.version', at, 1, (f, i) => String(f[i]! >> 4));
  walk.add(ip, 'ip.hdr_len', at, 1, () => String(headerLength));
  walk.add(ip, 'ip.dsfield', at + 1, 1, hex);
  walk.add(ip, 'ip.len', at + 2, 2, decimal);
  walk.add(ip, 'ip.id', at + 4, 2, hex);
  walk.add(ip, 'ip.flags', at + 6, 1, (f, i) => ipFlagsText(f[i]! >> 5));
  walk.add(ip, 'ip.frag_offset', at + 6, 2, (f, i) => String((readU16(f, i) & 0x1fff) * 8));
  walk.add(ip, 'ip.ttl', at + 8, 1, decimal);
  walk.add(ip, 'ip.proto', at + 9, 1, decimal);
  walk.add(ip, 'ip.checksum', at + 10, 2, hex);
  walk.add(ip, 'ip.src', at + 12, 4, address);
  walk.add(ip, 'ip.dst', at + 16, 4, address);
  if (room < payload) return { layer: ip, next: undefined };
  const total = readU16(frame, at + 2);
  ip.end = Math.max(payload, Math.min(room, at + total));
  options(walk, ip, at + 20, payload, 'ip.opt', IP_OPTIONS, ipOption);
  const fragment = readU16(frame, at + 6) & 0x3fff;
  if ((fragment & 0x1fff) !== 0) return { layer: ip, next: undefined };
  const whole = fragment === 0 && ip.end === at + total;
  return { layer: ip, next: { protocol: frame[at + 9]!, at: payload, whole } };
}

/** The three bits before the fragment offset. */
function ipFlagsText(bits: number): string {
  const names = [bits & 4 ? 'RB' : '', bits & 2 ? 'DF' : '', bits & 1 ? 'MF' : ''].filter((name) => name !== '');
  return names.length === 0 ? 'none' : names.join('+');
}

const RECORD_ROUTE = 7;
const IP_OPTIONS: OptionNames = {
  0: 'eol',
  1: 'nop',
  [RECORD_ROUTE]: 'record_route',
  68: 'timestamp',
  130: 'security',
  131: 'lsrr',
  137: 'ssrr',
  148: 'router_alert',
};

function ipOption(type: number): Format | undefined {
  return type === RECORD_ROUTE ? recordRoute : undefined;
}

function recordRoute(frame: Uint8Array, start: number, length: number): string {
  if (length < 3) return '7';
  const slots: string[] = [];
  for (let at = start + 3; at + 4 <= start + length; at += 4) slots.push(addressText(frame, at));
  return `pointer ${frame[start + 2]} [${slots.join(' ')}]`;
}

/** An IPv6 header (RFC 8200) and the extension headers behind it, but for AH and ESP. */
export function ipv6(walk: Walk, at: number, room: number, prefix: string): IpPacket {
  const { frame } = walk;
  const ip = walk.layer('ipv6', prefix, at, at + 40, room);
  walk.add(ip, 'ipv6.version', at, 1, (f, i) => String(f[i]! >> 4));
  walk.add(ip, 'ipv6.tclass', at, 2, (f, i) => `0x${hexText(Uint8Array.of((readU16(f, i) >> 4) & 0xff), 0, 1)}`);
  walk.add(ip, 'ipv6.flow', at + 1, 3, (f, i) => `0x${hexText(Uint8Array.of(f[i]! & 15, f[i + 1]!, f[i + 2]!), 0, 3)}`);
  walk.add(ip, 'ipv6.plen', at + 4, 2, decimal);
  walk.add(ip, 'ipv6.nxt', at + 6, 1, decimal);
  walk.add(ip, 'ipv6.hlim', at + 7, 1, decimal);
  walk.add(ip, 'ipv6.src', at + 8, 16, address6);
  walk.add(ip, 'ipv6.dst', at + 24, 16, address6);
  if (room < at + 40) return { layer: ip, next: undefined };
  const total = 40 + readU16(frame, at + 4);
  ip.end = Math.min(room, at + total);
  return { layer: ip, next: extensions(walk, ip, frame[at + 6]!, at + 40, ip.end === at + total) };
}

interface Extension {
  readonly kind: LayerKind;
  /** The start of its field names. */
  readonly group: string;
}

const FRAGMENT = 44;
const EXTENSIONS: Readonly<Record<number, Extension>> = {
  0: { kind: 'hopopts', group: 'ipv6.hopopts' },
  43: { kind: 'routing', group: 'ipv6.routing' },
  [FRAGMENT]: { kind: 'fragment', group: 'ipv6.fraghdr' },
  60: { kind: 'dstopts', group: 'ipv6.dstopts' },
};

function extensions(walk: Walk, ip: Layer, protocol: number, from: number, uncut: boolean): Next | undefined {
  const { frame } = walk;
  let at = from;
  let next = protocol;
  let whole = uncut;
  for (let found = EXTENSIONS[next]; found !== undefined; found = EXTENSIONS[next]) {
    const { kind, group } = found;
    if (at + 8 > ip.end) return undefined;
    const length = next === FRAGMENT ? 8 : (frame[at + 1]! + 1) * 8;
    const layer = walk.layer(kind, ip.prefix, at, at + length, ip.end);
    walk.add(layer, `${group}.nxt`, at, 1, decimal);
    if (next === FRAGMENT) {
      fragment(walk, layer, at);
      const word = readU16(frame, at + 2);
      if (word >> 3 !== 0) return undefined;
      whole &&= (word & 1) === 0;
    } else {
      walk.add(layer, `${group}.len`, at + 1, 1, decimal);
      if (at + length > ip.end) return undefined;
      if (next === 43) routing(walk, layer, at, length);
      else options(walk, layer, at + 2, at + length, 'ipv6.opt', IPV6_OPTIONS);
    }
    next = frame[at]!;
    at += length;
  }
  return { protocol: next, at, whole };
}

/** RFC 8200 §4.5. */
function fragment(walk: Walk, layer: Layer, at: number): void {
  walk.add(layer, 'ipv6.fraghdr.reserved_octet', at + 1, 1, hex);
  walk.add(layer, 'ipv6.fraghdr.offset', at + 2, 2, (f, i) => String(readU16(f, i) & 0xfff8));
  walk.add(layer, 'ipv6.fraghdr.reserved_bits', at + 3, 1, (f, i) => String((f[i]! >> 1) & 3));
  walk.add(layer, 'ipv6.fraghdr.more', at + 3, 1, (f, i) => String(f[i]! & 1));
  walk.add(layer, 'ipv6.fraghdr.ident', at + 4, 4, hex);
}

/** RFC 8200 §4.4. */
function routing(walk: Walk, layer: Layer, at: number, length: number): void {
  walk.add(layer, 'ipv6.routing.type', at + 2, 1, decimal);
  walk.add(layer, 'ipv6.routing.segleft', at + 3, 1, decimal);
  walk.rest(layer, 'ipv6.routing.data', at + 4, at + length);
}

const IPV6_OPTIONS: OptionNames = { 0: 'pad1', 1: 'padn', 5: 'router_alert', 194: 'jumbo' };
