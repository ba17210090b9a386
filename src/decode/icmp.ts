/**
 * ICMP and ICMPv6 messages, with the packets that errors quote.
 *
 * @module
 */
import { readU16 } from './text.js';
import { address, address6, decimal, hex, type Layer, mac, type Place, type Walk } from './walk.js';

/** RFC 792. */
export function icmp(walk: Walk, at: number, end: number, { prefix, inside }: Place): void {
  const layer = walk.layer('icmp', prefix, at, at + 8, end);
  walk.add(layer, 'icmp.type', at, 1, decimal);
  walk.add(layer, 'icmp.code', at + 1, 1, decimal);
  walk.add(layer, 'icmp.checksum', at + 2, 2, hex);
  if (end < at + 8) return;
  const type = walk.frame[at]!;
  if (type === 0 || type === 8 || (type >= 13 && type <= 18)) {
    walk.add(layer, 'icmp.ident', at + 4, 2, decimal);
    walk.add(layer, 'icmp.seq', at + 6, 2, decimal);
  } else if (type === 5) {
    walk.add(layer, 'icmp.redir_gw', at + 4, 4, address);
  } else {
    walk.add(layer, 'icmp.unused', at + 4, 2, hex);
    walk.add(layer, 'icmp.mtu', at + 6, 2, decimal);
  }
  if (type === 3 || type === 4 || type === 5 || type === 11 || type === 12) inside(at + 8, end, 'quoted.');
}

/** RFC 4443; neighbour discovery: RFC 4861. */
export function icmp6(walk: Walk, at: number, end: number, { prefix, inside }: Place): void {
  const layer = walk.layer('icmpv6', prefix, at, at + 8, end);
  walk.add(layer, 'icmpv6.type', at, 1, decimal);
  walk.add(layer, 'icmpv6.code', at + 1, 1, decimal);
  walk.add(layer, 'icmpv6.checksum', at + 2, 2, hex);
  if (end < at + 8) return;
  const type = walk.frame[at]!;
  if (type === 128 || type === 129) {
    walk.add(layer, 'icmpv6.echo.identifier', at + 4, 2, decimal);
    walk.add(layer, 'icmpv6.echo.sequence_number', at + 6, 2, decimal);
  } else if (type >= 133 && type <= 137) {
    neighbourDiscovery(walk, layer, type, at, end);
  } else {
    const name = type === 2 ? 'mtu' : type === 4 ? 'pointer' : 'reserved';
    walk.add(layer, `icmpv6.${name}`, at + 4, 4, name === 'reserved' ? hex : decimal);
  }
  if (type >= 1 && type <= 4) inside(at + 8, end, 'quoted.');
}

/** Router solicitation and advertisement, neighbour solicitation and advertisement, redirect: 133 to 137. */
function neighbourDiscovery(walk: Walk, layer: Layer, type: number, at: number, end: number): void {
  let next = at + 8;
  if (type === 134) {
    walk.add(layer, 'icmpv6.nd.ra.cur_hop_limit', at + 4, 1, decimal);
    walk.add(layer, 'icmpv6.nd.ra.flag', at + 5, 1, hex);
    walk.add(layer, 'icmpv6.nd.ra.router_lifetime', at + 6, 2, decimal);
    walk.add(layer, 'icmpv6.nd.ra.reachable_time', at + 8, 4, decimal);
    walk.add(layer, 'icmpv6.nd.ra.retrans_timer', at + 12, 4, decimal);
    next = at + 16;
  } else {
    walk.add(layer, type === 136 ? 'icmpv6.nd.na.flag' : 'icmpv6.reserved', at + 4, 4, hex);
    const word = type === 135 ? 'ns' : type === 136 ? 'na' : 'rd';
    if (type !== 133) {
      walk.add(layer, `icmpv6.nd.${word}.target_address`, at + 8, 16, address6);
      next = at + 24;
    }
    if (type === 137) {
      walk.add(layer, 'icmpv6.rd.na.destination_address', at + 24, 16, address6);
      next = at + 40;
    }
  }
  while (next + 8 <= end) {
    const [option, length] = [readU16(walk.frame, next) >> 8, walk.frame[next + 1]! * 8];
    if (length === 0 || next + length > end) break;
    const isLink = (option === 1 || option === 2) && length === 8;
    walk.add(layer, 'icmpv6.opt.type', next, 1, decimal);
    walk.add(layer, 'icmpv6.opt.length', next + 1, 1, decimal);
    if (isLink) walk.add(layer, 'icmpv6.opt.linkaddr', next + 2, 6, mac);
    else walk.rest(layer, 'icmpv6.opt.data', next + 2, next + length);
    next += length;
  }
  layer.payload = Math.min(end, next);
}
