/**
 * The outermost IP packet of a frame, as far as a comparison needs it.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';
import { type Layer, layersOf } from '../decode/layers.js';

/** An IP packet without link header and padding. */
export interface Packet {
  readonly version: 4 | 6;
  /** What follows the header and, in IPv6, the extension headers. */
  readonly protocol: number;
  readonly src: string;
  readonly dst: string;
  /** Whether it is a fragment of a larger one. */
  readonly fragment: boolean;
  /** All of it. */
  readonly whole: Uint8Array;
  /** What follows its headers. */
  readonly body: Uint8Array;
  /** Its layers and those within. */
  readonly layers: readonly Layer[];
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  hopopts: 'ipv6.hopopts.nxt',
  dstopts: 'ipv6.dstopts.nxt',
  routing: 'ipv6.routing.nxt',
  fragment: 'ipv6.fraghdr.nxt',
};

/** The packet of a frame; `undefined` when there is none, or its header is cut off. */
export function packetOf(frame: Uint8Array, link: LinkKind = 'ether'): Packet | undefined {
  const all = layersOf(frame, link);
  const layers = all.slice(all.findIndex(isIp));
  const [ip] = layers;
  if (ip === undefined || !isIp(ip)) return undefined;
  const version = ip.kind === 'ip' ? 4 : 6;
  const [src, dst] = [fieldOf(ip, `${ip.kind}.src`), fieldOf(ip, `${ip.kind}.dst`)];
  if (src === undefined || dst === undefined) return undefined;
  let [last, next] = [ip, version === 4 ? 'ip.proto' : 'ipv6.nxt'];
  let fragment = version === 4 && (fieldOf(ip, 'ip.frag_offset') !== '0' || fieldOf(ip, 'ip.flags')?.includes('MF'));
  for (const layer of layers.slice(1)) {
    const name = version === 6 && layer.prefix === '' ? EXTENSIONS[layer.kind] : undefined;
    if (name === undefined) break;
    [last, next] = [layer, name];
    if (layer.kind !== 'fragment') continue;
    fragment = fieldOf(layer, 'ipv6.fraghdr.offset') !== '0' || fieldOf(layer, 'ipv6.fraghdr.more') !== '0';
  }
  return {
    version,
    protocol: Number(fieldOf(last, next)),
    src,
    dst,
    fragment: fragment === true,
    whole: frame.subarray(ip.start, ip.end),
    body: frame.subarray(last.payload, ip.end),
    layers,
  };
}

function isIp({ kind }: Layer): boolean {
  return kind === 'ip' || kind === 'ipv6';
}

/** A field of a layer, by its name without the layer's prefix. */
export function fieldOf(layer: Layer | undefined, name: string): string | undefined {
  return layer?.fields.find((field) => field.name === layer.prefix + name)?.value;
}
