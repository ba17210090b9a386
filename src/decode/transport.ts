/**
 * TCP and UDP headers.
 *
 * @module
 */
import { type OptionNames, options } from './options.js';
import { readU16, tcpFlagsText } from './text.js';
import { decimal, hex, type Place, type Walk } from './walk.js';

const TCP_OPTIONS: OptionNames = {
  0: 'eol',
  1: 'nop',
  2: 'mss',
  3: 'wscale',
  4: 'sack_perm',
  5: 'sack',
  8: 'timestamp',
};

/** RFC 9293 §3.1. */
export function tcp(walk: Walk, at: number, end: number, { prefix }: Place): void {
  const headerLength = at + 13 <= end ? (walk.frame[at + 12]! >> 4) * 4 : 20;
  const payload = Math.min(end, at + Math.max(20, headerLength));
  const layer = walk.layer('tcp', prefix, at, payload, end);
  walk.add(layer, 'tcp.srcport', at, 2, decimal);
  walk.add(layer, 'tcp.dstport', at + 2, 2, decimal);
  walk.add(layer, 'tcp.seq', at + 4, 4, decimal);
  walk.add(layer, 'tcp.ack', at + 8, 4, decimal);
  walk.add(layer, 'tcp.hdr_len', at + 12, 1, () => String(headerLength));
  walk.add(layer, 'tcp.flags', at + 12, 2, (f, i) => tcpFlagsText(readU16(f, i) & 0xfff));
  walk.add(layer, 'tcp.window_size', at + 14, 2, decimal);
  walk.add(layer, 'tcp.checksum', at + 16, 2, hex);
  walk.add(layer, 'tcp.urgent_pointer', at + 18, 2, decimal);
  options(walk, layer, at + 20, payload, 'tcp.options', TCP_OPTIONS);
}

/** RFC 768. */
export function udp(walk: Walk, at: number, end: number, { prefix }: Place): void {
  const layer = walk.layer('udp', prefix, at, at + 8, end);
  walk.add(layer, 'udp.srcport', at, 2, decimal);
  walk.add(layer, 'udp.dstport', at + 2, 2, decimal);
  walk.add(layer, 'udp.length', at + 4, 2, decimal);
  walk.add(layer, 'udp.checksum', at + 6, 2, hex);
}
