/**
 * Frames for people: one line about a frame, its fields, and what differs between two.
 *
 * @module
 */
import type { LinkKind } from './capture/link-type.js';
import { type Field, type Layer, layersOf } from './decode/layers.js';
import { hexByte, icmpText } from './decode/text.js';

export type { LinkKind } from './capture/link-type.js';
export type { Field } from './decode/layers.js';

/** The fields of a frame in their order. What is cut short or not known has none; never throws. */
export function fields(frame: Uint8Array, link: LinkKind = 'ether'): Field[] {
  return layersOf(frame, link).flatMap((layer) => layer.fields);
}

/**
 * One line about a frame: `10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1 ttl=64 len=0`, a tunnelled or quoted packet
 * after it in parentheses. `len` is the payload in bytes. Never throws.
 */
export function summary(frame: Uint8Array, link: LinkKind = 'ether'): string {
  const layers = layersOf(frame, link);
  const tags = layers.filter(({ kind }) => kind === 'vlan').map((layer) => `VLAN ${textOf(layer, 'vlan.id')} `);
  const rest = layers.filter(({ kind }) => kind !== 'eth' && kind !== 'vlan');
  const first = rest[0];
  if (first === undefined) return tags.join('') + unknownFrame(frame, link, layers);
  if (first.kind === 'arp') return tags.join('') + arpSummary(first);
  return tags.join('') + ipSummary(rest);
}

function unknownFrame(frame: Uint8Array, link: LinkKind, layers: readonly Layer[]): string {
  if (link === 'raw')
    return frame[0] !== undefined && frame[0] >> 4 === 6 ? `IPv6, ${frame.length} bytes` : short(frame);
  const [eth] = layers;
  const type = textOf(layers.at(-1)!, 'vlan.etype') || textOf(eth!, 'eth.type');
  if (type === '') return short(frame);
  const name = type === '0x86dd' ? 'IPv6' : `EtherType ${type}`;
  return `${textOf(eth!, 'eth.src')} > ${textOf(eth!, 'eth.dst')} ${name}, ${frame.length} bytes`;
}

function short(frame: Uint8Array): string {
  return `not a packet, ${frame.length} bytes`;
}

function arpSummary(arp: Layer): string {
  const [from, to] = [textOf(arp, 'arp.src.proto_ipv4'), textOf(arp, 'arp.dst.proto_ipv4')];
  switch (textOf(arp, 'arp.opcode')) {
    case '1':
      return `ARP who has ${to}? tell ${from}`;
    case '2':
      return `ARP ${from} is at ${textOf(arp, 'arp.src.hw_mac')}`;
    default:
      return 'ARP';
  }
}

/** The first packet of the layers, and the one within it. */
function ipSummary(layers: readonly Layer[]): string {
  const ip = layers[0]!;
  const next = layers[1];
  const get = (name: string) => textOf(ip, name);
  if (get('ip.dst') === '') return `IPv4 cut short, ${ip.end - startOf(ip)} bytes`;
  const ttl = `ttl=${get('ip.ttl')}`;
  const plain = `${get('ip.src')} > ${get('ip.dst')}`;
  const flags = get('ip.flags');
  const fragment =
    get('ip.frag_offset') !== '0' || flags.includes('MF')
      ? ` fragment id=${get('ip.id')} at ${get('ip.frag_offset')}`
      : '';
  if (next === undefined) {
    return `${plain} protocol ${get('ip.proto')}${fragment} ${ttl} len=${ip.end - ip.payload}`;
  }
  const inside = layers.slice(next.kind === 'ip' ? 1 : 2);
  const nested = inside.length === 0 ? '' : ` (${ipSummary(inside)})`;
  if (next.kind === 'ip') return `${plain} IPIP${fragment} ${ttl}${nested}`;
  const length = `len=${next.end - next.payload}`;
  if (next.kind === 'icmp') {
    const what = icmpText(textOf(next, 'icmp.type'), textOf(next, 'icmp.code'));
    const mtu = what.startsWith('3/4') ? ` mtu=${textOf(next, 'icmp.mtu')}` : '';
    return `${plain} ICMP ${what}${mtu}${fragment} ${ttl}${nested === '' ? ` ${length}` : nested}`;
  }
  const ends = `${get('ip.src')}:${textOf(next, `${next.kind}.srcport`)} > ${get('ip.dst')}:${textOf(next, `${next.kind}.dstport`)}`;
  if (next.kind === 'udp') return `${ends} UDP${fragment} ${ttl} ${length}`;
  const [letters, sequence] = [textOf(next, 'tcp.flags'), textOf(next, 'tcp.seq')];
  const segment = `${letters === '' ? '' : ` ${letters}`}${sequence === '' ? '' : ` seq=${sequence}`}`;
  return `${ends} TCP${segment}${fragment} ${ttl} ${length}`;
}

function startOf(layer: Layer): number {
  return layer.fields[0]?.start ?? layer.payload;
}

/** The text of a field of a layer, `''` when it is not there. */
function textOf(layer: Layer, name: string): string {
  return layer.fields.find((field) => field.name === layer.prefix + name)?.value ?? '';
}

/** Where two frames differ. */
export interface Difference {
  /** A field, `byte 0x36` outside any known one, or `frame.len`. */
  readonly name: string;
  /** First byte of it. */
  readonly start: number;
  readonly expected: string;
  readonly got: string;
}

/** What differs between two frames that should be equal, by place. */
export function differences(expected: Uint8Array, got: Uint8Array, link: LinkKind = 'ether'): Difference[] {
  const found: Difference[] = [];
  const ours = new Map(fields(got, link).map((field) => [`${field.name}@${field.start}`, field]));
  const theirs = fields(expected, link);
  const common = Math.min(expected.length, got.length);
  for (let at = 0; at < common; at++) {
    if (expected[at] === got[at]) continue;
    const field = theirs.find(
      ({ name, start, length, value }) =>
        start <= at && at < start + length && (ours.get(`${name}@${start}`)?.value ?? value) !== value,
    );
    if (field === undefined) {
      const [a, b] = [hexByte(expected[at]!), hexByte(got[at]!)];
      found.push({ name: `byte 0x${hexByte(at)}`, start: at, expected: `0x${a}`, got: `0x${b}` });
      continue;
    }
    const { name, start, value } = field;
    // Two fields can share a byte: each is named once.
    if (!found.some((other) => other.name === name && other.start === start)) {
      found.push({ name, start, expected: value, got: ours.get(`${name}@${start}`)!.value });
    }
  }
  if (expected.length !== got.length) {
    found.push({ name: 'frame.len', start: common, expected: String(expected.length), got: String(got.length) });
  }
  return found;
}

/** The first difference that is not merely a checksum following from another one; `undefined` for equal frames. */
export function firstDifference(
  expected: Uint8Array,
  got: Uint8Array,
  link: LinkKind = 'ether',
): Difference | undefined {
  const all = differences(expected, got, link);
  return all.find(({ name }) => !name.endsWith('.checksum')) ?? all[0];
}

/** A field before and after a rewriting. */
export interface FieldChange {
  readonly name: string;
  /** First byte: in the frame after it, or before it when the field was removed. */
  readonly start: number;
  /** `undefined`: the field was added. */
  readonly before: string | undefined;
  /** `undefined`: the field was removed. */
  readonly after: string | undefined;
}

/**
 * What a rewriting changed, layer by layer: an outer header or a VLAN tag that was put in front counts as added, not as
 * all bytes being different.
 */
export function changes(
  before: Uint8Array,
  after: Uint8Array,
  link: LinkKind = 'ether',
  afterLink: LinkKind = link,
): FieldChange[] {
  const [olds, news] = [layersOf(before, link), layersOf(after, afterLink)];
  const found: FieldChange[] = [];
  for (const [old, now] of alignLayers(olds, news)) {
    const rest = [...(old?.fields ?? [])];
    for (const field of now?.fields ?? []) {
      const name = field.name.slice(now!.prefix.length);
      const index = rest.findIndex((other) => other.name === old!.prefix + name);
      const match = index < 0 ? undefined : rest.splice(index, 1)[0];
      if (match?.value !== field.value) {
        found.push({ name: field.name, start: field.start, before: match?.value, after: field.value });
      }
    }
    for (const { name, start, value } of rest) found.push({ name, start, before: value, after: undefined });
  }
  const [a, b] = [dataOf(before, olds), dataOf(after, news)];
  if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) {
    found.push({
      name: 'data',
      start: after.length - b.length,
      before: `${a.length} bytes`,
      after: a.length === b.length ? 'other bytes' : `${b.length} bytes`,
    });
  }
  return found;
}

/** What the innermost layer carries. */
function dataOf(frame: Uint8Array, layers: readonly Layer[]): Uint8Array {
  const last = layers.at(-1);
  return last === undefined ? frame : frame.subarray(last.payload, last.end);
}

/** Pairs the layers of two frames: as many of the same kind as possible, the innermost ones first. */
function alignLayers(
  olds: readonly Layer[],
  news: readonly Layer[],
): [old: Layer | undefined, now: Layer | undefined][] {
  // Longest common subsequence of the first i and j layers.
  const common: number[][] = Array.from({ length: olds.length + 1 }, () => new Array<number>(news.length + 1).fill(0));
  for (let i = 1; i <= olds.length; i++) {
    for (let j = 1; j <= news.length; j++) {
      common[i]![j] =
        olds[i - 1]!.kind === news[j - 1]!.kind
          ? common[i - 1]![j - 1]! + 1
          : Math.max(common[i - 1]![j]!, common[i]![j - 1]!);
    }
  }
  const pairs: [Layer | undefined, Layer | undefined][] = [];
  let [i, j] = [olds.length, news.length];
  while (i > 0 || j > 0) {
    if (i > 0 && j > 0 && olds[i - 1]!.kind === news[j - 1]!.kind) pairs.push([olds[--i], news[--j]]);
    else if (j > 0 && (i === 0 || common[i]![j - 1]! >= common[i - 1]![j]!)) pairs.push([undefined, news[--j]]);
    else pairs.push([olds[--i], undefined]);
  }
  return pairs.reverse();
}
