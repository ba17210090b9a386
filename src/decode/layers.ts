/**
 * Takes a frame apart into layers of named fields, for people and for comparing. Never throws: what is cut short or
 * not known has no fields.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';
import { icmp, icmp6 } from './icmp.js';
import { ipv4, ipv6 } from './ip.js';
import { ah, esp } from './ipsec.js';
import { ethernet } from './link.js';
import { sctp } from './sctp.js';
import { tcp, udp } from './transport.js';
import { gre, gueWithin } from './tunnel.js';
import { type Layer, type Place, Walk } from './walk.js';

export type { Field, Layer, LayerKind } from './walk.js';

/** Deep enough for a quoted tunnel packet; bounds what a hostile frame can ask for. */
const MAX_DEPTH = 4;

/** Walks a frame; gives its layers from the outside in. */
export function layersOf(frame: Uint8Array, link: LinkKind = 'ether'): Layer[] {
  const walk = new Walk(frame);
  if (link === 'ether') ethernet(walk, (at, end) => packet(walk, at, end, '', 0));
  else packet(walk, 0, frame.length, '', 0);
  return walk.layers;
}

/** An IP packet and all within it. */
function packet(walk: Walk, at: number, room: number, prefix: string, depth: number): Layer | undefined {
  if (at >= room) return undefined;
  const version = walk.frame[at]! >> 4;
  const ip = version === 4 ? ipv4(walk, at, room, prefix) : version === 6 ? ipv6(walk, at, room, prefix) : undefined;
  if (ip === undefined) return undefined;
  const { layer, next } = ip;
  if (next === undefined) return layer;
  const place: Place = {
    prefix,
    whole: next.whole,
    inside(from, to, word) {
      if (depth < MAX_DEPTH) packet(walk, from, to, prefix + word, depth + 1);
    },
  };
  READERS[next.protocol]?.(walk, next.at, layer.end, place);
  return layer;
}

type Reader = (walk: Walk, at: number, end: number, place: Place) => void;

const inner: Reader = (_, at, end, { inside }) => inside(at, end, 'inner.');

/** What an IP packet may carry, by protocol number. */
const READERS: Readonly<Record<number, Reader>> = {
  1: icmp,
  4: inner,
  6: tcp,
  17(walk, at, end, place) {
    udp(walk, at, end, place);
    gueWithin(walk, at + 8, end, place);
  },
  41: inner,
  47: gre,
  50: esp,
  51(walk, at, end, place) {
    const next = ah(walk, at, end, place);
    if (next !== undefined) READERS[next.protocol]?.(walk, next.at, end, place);
  },
  58: icmp6,
  132: sctp,
};
