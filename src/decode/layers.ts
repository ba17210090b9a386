/**
 * Takes a frame apart into layers of named fields, for people and for comparing. Never throws: what is cut short or
 * not known has no fields.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';
import { addressText, hexText, macText, readU16, readUint, tcpFlagsText } from './text.js';

/** A named part of a frame. Fields smaller than a byte share theirs (`ip.version` and `ip.hdr_len`). */
export interface Field {
  /** As Wireshark calls it; `inner.` and `quoted.` stand before those of a tunnelled packet and of one within ICMP. */
  readonly name: string;
  /** First byte, from the start of the frame. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
  /** For people: decimal, `0x` hexadecimal, dotted quad, flags as letters. */
  readonly value: string;
}

/** A header and what it carries. */
export interface Layer {
  readonly kind: 'eth' | 'vlan' | 'arp' | 'ip' | 'tcp' | 'udp' | 'icmp';
  /** Stands before the field names of this layer. */
  readonly prefix: string;
  readonly fields: Field[];
  /** First byte after the header. */
  payload: number;
  /** First byte after all that the layer carries. */
  end: number;
}

type Format = (frame: Uint8Array, start: number, length: number) => string;

const decimal: Format = (frame, start, length) => String(readUint(frame, start, length));
const hex: Format = (frame, start, length) => `0x${hexText(frame, start, length)}`;
const address: Format = (frame, start) => addressText(frame, start);
const mac: Format = (frame, start) => macText(frame, start);

/** Deep enough for a quoted tunnel packet; bounds what a hostile frame can ask for. */
const MAX_DEPTH = 4;

/** Walks a frame; gives its layers from the outside in. */
export function layersOf(frame: Uint8Array, link: LinkKind = 'ether'): Layer[] {
  const walk = new Walk(frame);
  if (link === 'ether') walk.ethernet();
  else walk.ipv4(0, frame.length, '', 0);
  return walk.layers;
}

class Walk {
  readonly layers: Layer[] = [];
  readonly #frame: Uint8Array;

  constructor(frame: Uint8Array) {
    this.#frame = frame;
  }

  ethernet(): void {
    const end = this.#frame.length;
    const eth = this.#layer('eth', '', 14, end);
    this.#add(eth, 'eth.dst', 0, 6, mac);
    this.#add(eth, 'eth.src', 6, 6, mac);
    this.#add(eth, 'eth.type', 12, 2, hex);
    if (end < 14) return;
    let type = readU16(this.#frame, 12);
    let at = 14;
    for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8) && end >= at + 4; tags++) {
      const vlan = this.#layer('vlan', '', at + 4, end);
      this.#add(vlan, 'vlan.priority', at, 1, (f, i) => String(f[i]! >> 5));
      this.#add(vlan, 'vlan.dei', at, 1, (f, i) => String((f[i]! >> 4) & 1));
      this.#add(vlan, 'vlan.id', at, 2, (f, i) => String(readU16(f, i) & 0xfff));
      this.#add(vlan, 'vlan.etype', at + 2, 2, hex);
      type = readU16(this.#frame, at + 2);
      at += 4;
    }
    if (type === 0x0806) this.#arp(at, end);
    if (type !== 0x0800) return;
    const ip = this.ipv4(at, end, '', 0);
    if (ip !== undefined && ip.end < end) this.#add(eth, 'eth.padding', ip.end, end - ip.end, hex);
  }

  #arp(at: number, end: number): void {
    const arp = this.#layer('arp', '', at + 28, end);
    this.#add(arp, 'arp.hw.type', at, 2, decimal);
    this.#add(arp, 'arp.proto.type', at + 2, 2, hex);
    this.#add(arp, 'arp.hw.size', at + 4, 1, decimal);
    this.#add(arp, 'arp.proto.size', at + 5, 1, decimal);
    this.#add(arp, 'arp.opcode', at + 6, 2, decimal);
    this.#add(arp, 'arp.src.hw_mac', at + 8, 6, mac);
    this.#add(arp, 'arp.src.proto_ipv4', at + 14, 4, address);
    this.#add(arp, 'arp.dst.hw_mac', at + 18, 6, mac);
    this.#add(arp, 'arp.dst.proto_ipv4', at + 24, 4, address);
  }

  ipv4(at: number, room: number, prefix: string, depth: number): Layer | undefined {
    const frame = this.#frame;
    if (room <= at || frame[at]! >> 4 !== 4) return undefined;
    const headerLength = (frame[at]! & 15) * 4;
    const payload = at + Math.max(20, headerLength);
    const ip = this.#layer('ip', prefix, payload, room);
    this.#add(ip, 'ip.version', at, 1, (f, i) => String(f[i]! >> 4));
    this.#add(ip, 'ip.hdr_len', at, 1, () => String(headerLength));
    this.#add(ip, 'ip.dsfield', at + 1, 1, hex);
    this.#add(ip, 'ip.len', at + 2, 2, decimal);
    this.#add(ip, 'ip.id', at + 4, 2, hex);
    this.#add(ip, 'ip.flags', at + 6, 1, (f, i) => ipFlagsText(f[i]! >> 5));
    this.#add(ip, 'ip.frag_offset', at + 6, 2, (f, i) => String((readU16(f, i) & 0x1fff) * 8));
    this.#add(ip, 'ip.ttl', at + 8, 1, decimal);
    this.#add(ip, 'ip.proto', at + 9, 1, decimal);
    this.#add(ip, 'ip.checksum', at + 10, 2, hex);
    this.#add(ip, 'ip.src', at + 12, 4, address);
    this.#add(ip, 'ip.dst', at + 16, 4, address);
    if (room < payload) return ip;
    ip.end = Math.max(payload, Math.min(room, at + readU16(frame, at + 2)));
    this.#options(ip, at + 20, payload, IP_OPTIONS, 'ip.opt');
    if ((readU16(frame, at + 6) & 0x1fff) !== 0) return ip;
    const protocol = frame[at + 9]!;
    if (protocol === 6) this.#tcp(payload, ip.end, prefix);
    else if (protocol === 17) this.#udp(payload, ip.end, prefix);
    else if (protocol === 1) this.#icmp(payload, ip.end, prefix, depth);
    else if (protocol === 4 && depth < MAX_DEPTH) this.ipv4(payload, ip.end, `${prefix}inner.`, depth + 1);
    return ip;
  }

  #tcp(at: number, end: number, prefix: string): void {
    const headerLength = at + 13 <= end ? (this.#frame[at + 12]! >> 4) * 4 : 20;
    const payload = Math.min(end, at + Math.max(20, headerLength));
    const tcp = this.#layer('tcp', prefix, payload, end);
    this.#add(tcp, 'tcp.srcport', at, 2, decimal);
    this.#add(tcp, 'tcp.dstport', at + 2, 2, decimal);
    this.#add(tcp, 'tcp.seq', at + 4, 4, decimal);
    this.#add(tcp, 'tcp.ack', at + 8, 4, decimal);
    this.#add(tcp, 'tcp.hdr_len', at + 12, 1, () => String(headerLength));
    this.#add(tcp, 'tcp.flags', at + 12, 2, (f, i) => tcpFlagsText(readU16(f, i) & 0xfff));
    this.#add(tcp, 'tcp.window_size', at + 14, 2, decimal);
    this.#add(tcp, 'tcp.checksum', at + 16, 2, hex);
    this.#add(tcp, 'tcp.urgent_pointer', at + 18, 2, decimal);
    this.#options(tcp, at + 20, payload, TCP_OPTIONS, 'tcp.options');
  }

  #udp(at: number, end: number, prefix: string): void {
    const udp = this.#layer('udp', prefix, Math.min(end, at + 8), end);
    this.#add(udp, 'udp.srcport', at, 2, decimal);
    this.#add(udp, 'udp.dstport', at + 2, 2, decimal);
    this.#add(udp, 'udp.length', at + 4, 2, decimal);
    this.#add(udp, 'udp.checksum', at + 6, 2, hex);
  }

  #icmp(at: number, end: number, prefix: string, depth: number): void {
    const icmp = this.#layer('icmp', prefix, Math.min(end, at + 8), end);
    this.#add(icmp, 'icmp.type', at, 1, decimal);
    this.#add(icmp, 'icmp.code', at + 1, 1, decimal);
    this.#add(icmp, 'icmp.checksum', at + 2, 2, hex);
    if (end < at + 8) return;
    const type = this.#frame[at]!;
    if (type === 0 || type === 8 || (type >= 13 && type <= 18)) {
      this.#add(icmp, 'icmp.ident', at + 4, 2, decimal);
      this.#add(icmp, 'icmp.seq', at + 6, 2, decimal);
    } else if (type === 5) {
      this.#add(icmp, 'icmp.redir_gw', at + 4, 4, address);
    } else {
      this.#add(icmp, 'icmp.unused', at + 4, 2, hex);
      this.#add(icmp, 'icmp.mtu', at + 6, 2, decimal);
    }
    const quotes = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
    if (quotes && depth < MAX_DEPTH) this.ipv4(at + 8, end, `${prefix}quoted.`, depth + 1);
  }

  /** IP and TCP options have the same form: type, length, data; 0 ends them, 1 is one byte long. */
  #options(layer: Layer, from: number, to: number, names: Readonly<Record<number, string>>, group: string): void {
    let at = from;
    while (at < to) {
      const type = this.#frame[at]!;
      const length = type <= 1 ? 1 : (this.#frame[at + 1] ?? 0);
      if (length < (type <= 1 ? 1 : 2) || at + length > to) return;
      const value: Format =
        group === 'ip.opt' && type === 7
          ? recordRoute
          : (f, i, n) => (n <= 2 ? String(type) : `0x${hexText(f, i + 2, n - 2)}`);
      this.#add(layer, `${group}.${names[type] ?? type}`, at, length, value);
      if (type === 0) return;
      at += length;
    }
  }

  #layer(kind: Layer['kind'], prefix: string, payload: number, end: number): Layer {
    const layer: Layer = { kind, prefix, fields: [], payload: Math.min(payload, end), end };
    this.layers.push(layer);
    return layer;
  }

  /** Adds a field if the layer holds all of it. */
  #add(layer: Layer, name: string, start: number, length: number, format: Format): void {
    if (start + length > layer.end) return;
    layer.fields.push({ name: layer.prefix + name, start, length, value: format(this.#frame, start, length) });
  }
}

const IP_OPTIONS: Readonly<Record<number, string>> = {
  0: 'eol',
  1: 'nop',
  7: 'record_route',
  68: 'timestamp',
  130: 'security',
  131: 'lsrr',
  137: 'ssrr',
  148: 'router_alert',
};

const TCP_OPTIONS: Readonly<Record<number, string>> = {
  0: 'eol',
  1: 'nop',
  2: 'mss',
  3: 'wscale',
  4: 'sack_perm',
  5: 'sack',
  8: 'timestamp',
};

function recordRoute(frame: Uint8Array, start: number, length: number): string {
  if (length < 3) return '7';
  const slots: string[] = [];
  for (let at = start + 3; at + 4 <= start + length; at += 4) slots.push(addressText(frame, at));
  return `pointer ${frame[start + 2]} [${slots.join(' ')}]`;
}

/** The three bits before the fragment offset. */
function ipFlagsText(bits: number): string {
  const names = [bits & 4 ? 'RB' : '', bits & 2 ? 'DF' : '', bits & 1 ? 'MF' : ''].filter((name) => name !== '');
  return names.length === 0 ? 'none' : names.join('+');
}
