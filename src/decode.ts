/**
 * Frames for people: one line about a frame, its fields, and what differs between two.
 *
 * @module
 */
import type { LinkKind } from './capture/link-type.js';
import { type Field, type Layer, layersOf } from './decode/layers.js';
import { hexByte, hexText } from './decode/text.js';

export type { LinkKind } from './capture/link-type.js';
export type { Field } from './decode/layers.js';
export { summary } from './decode/summary.js';

/** The fields of a frame in their order. What is cut short or not known has none; never throws. */
export function fields(frame: Uint8Array, link: LinkKind = 'ether'): Field[] {
  return layersOf(frame, link).flatMap((layer) => layer.fields);
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
  const [theirs, ours] = [fields(expected, link), fields(got, link)];
  const common = Math.min(expected.length, got.length);
  for (let at = 0; at < common; at++) {
    if (expected[at] === got[at]) continue;
    const { name, start, length } = fieldAt(theirs, ours, expected, got, at);
    // Two fields can share a byte, and one has many: each is named once.
    if (found.some((other) => other.name === name && other.start === start)) continue;
    const valueIn = (list: readonly Field[], frame: Uint8Array) =>
      list.find((field) => field.name === name && field.start === start && field.length === length)?.value ??
      `0x${hexText(frame, start, Math.min(length, frame.length - start))}`;
    found.push({ name, start, expected: valueIn(theirs, expected), got: valueIn(ours, got) });
  }
  if (expected.length !== got.length) {
    found.push({ name: 'frame.len', start: common, expected: String(expected.length), got: String(got.length) });
  }
  return found;
}

type Extent = Pick<Field, 'name' | 'start' | 'length'>;

/**
 * The field that a differing byte belongs to: one that both frames have, else one of the expected frame, else of the
 * other; a byte in none is its own.
 */
function fieldAt(
  theirs: readonly Field[],
  ours: readonly Field[],
  expected: Uint8Array,
  got: Uint8Array,
  at: number,
): Extent {
  const covers = ({ start, length }: Field) => start <= at && at < start + length;
  const twin = (field: Field) =>
    ours.find(({ name, start, length }) => name === field.name && start === field.start && length === field.length);
  const here = theirs.filter(covers);
  return (
    here.find((field) => (twin(field)?.value ?? field.value) !== field.value) ??
    here.find((field) => twin(field) === undefined && differs(expected, got, field)) ??
    ours.find((field) => covers(field) && differs(expected, got, field)) ?? {
      name: `byte 0x${hexByte(at)}`,
      start: at,
      length: 1,
    }
  );
}

/** Whether the bytes of a field that both frames hold differ: smaller fields share bytes with others that may. */
function differs(expected: Uint8Array, got: Uint8Array, { start, length }: Field): boolean {
  return hexText(expected, start, length) !== hexText(got, start, length);
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
