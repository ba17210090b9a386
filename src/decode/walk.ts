/**
 * Layers and fields of a frame, gathered while it is walked.
 *
 * @module
 */
import { address6Text, addressText, hexText, macText, readUint } from './text.js';

/** A named part of a frame. Fields smaller than a byte share theirs (`ip.version` and `ip.hdr_len`). */
export interface Field {
  /** As Wireshark calls it; `inner.` and `quoted.` stand before those of a tunnelled packet and of one within ICMP. */
  readonly name: string;
  /** First byte, from the start of the frame. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
  /** For people: decimal, `0x` hexadecimal, addresses as usual, flags as letters. */
  readonly value: string;
}

/** What a layer is: link headers, the network layer with its extension headers, tunnels, transport. */
export type LayerKind =
  | 'eth'
  | 'vlan'
  | 'arp'
  | 'ip'
  | 'ipv6'
  | 'hopopts'
  | 'dstopts'
  | 'routing'
  | 'fragment'
  | 'ah'
  | 'esp'
  | 'gre'
  | 'gue'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6';

/** A header and what it carries. */
export interface Layer {
  readonly kind: LayerKind;
  /** Stands before the field names of this layer. */
  readonly prefix: string;
  readonly fields: Field[];
  /** First byte of the header. */
  readonly start: number;
  /** First byte after the header. */
  payload: number;
  /** First byte after all that the layer carries. */
  end: number;
}

/** How the bytes of a field are shown. */
export type Format = (frame: Uint8Array, start: number, length: number) => string;

export const decimal: Format = (frame, start, length) => String(readUint(frame, start, length));
export const hex: Format = (frame, start, length) => `0x${hexText(frame, start, length)}`;
export const address: Format = (frame, start) => addressText(frame, start);
export const address6: Format = (frame, start) => address6Text(frame, start);
export const mac: Format = (frame, start) => macText(frame, start);

/** Where a header is: the prefix of its fields, and what reads a packet within it. */
export interface Place {
  readonly prefix: string;
  /** Whether all that the IP packet carries is there: neither a fragment nor cut short. */
  readonly whole: boolean;
  /** Reads the packet that starts at `at`, if there is one of a known version. */
  inside(at: number, end: number, word: 'inner.' | 'quoted.'): void;
}

/** The layers found so far. */
export class Walk {
  readonly layers: Layer[] = [];

  constructor(readonly frame: Uint8Array) {}

  layer(kind: LayerKind, prefix: string, start: number, payload: number, end: number): Layer {
    const layer: Layer = { kind, prefix, fields: [], start, payload: Math.min(payload, end), end };
    this.layers.push(layer);
    return layer;
  }

  /** Adds a field if the layer holds all of it. */
  add(layer: Layer, name: string, start: number, length: number, format: Format): void {
    if (start + length > layer.end) return;
    layer.fields.push({ name: layer.prefix + name, start, length, value: format(this.frame, start, length) });
  }

  /** Adds what is between `start` and `end`, if anything. */
  rest(layer: Layer, name: string, start: number, end: number): void {
    if (end > start) this.add(layer, name, start, end - start, hex);
  }
}
