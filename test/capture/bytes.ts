/**
 * Builds captures byte by byte, without the code under test.
 *
 * @module
 */

/** The bytes of a number, lowest first. */
export function ascending(value: number | bigint, width: number): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  for (let i = 0; i < width; i++, rest >>= 8n) bytes.push(Number(rest & 0xffn));
  return bytes;
}

/** Writes numbers in one byte order. */
export class Bytes {
  readonly #bytes: number[] = [];
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  get length(): number {
    return this.#bytes.length;
  }

  uint(value: number | bigint, width: number): this {
    const bytes = ascending(value, width);
    return this.raw(this.#little ? bytes : bytes.reverse());
  }

  raw(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.#bytes.push(bytes[i]!);
    return this;
  }

  pad(multiple: number): this {
    while (this.#bytes.length % multiple !== 0) this.#bytes.push(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

export interface Record {
  seconds: number;
  ticks: number;
  data: ArrayLike<number>;
  original?: number;
}

/** A classic capture, and the offsets at which its records begin and the file ends. */
export function pcap(
  little: boolean,
  magic: number,
  records: Record[],
  { linkType = 1, snaplen = 262144 } = {},
): { bytes: Uint8Array; offsets: number[] } {
  const out = new Bytes(little).uint(magic, 4).uint(2, 2).uint(4, 2).uint(0, 8).uint(snaplen, 4).uint(linkType, 4);
  const offsets: number[] = [];
  for (const { seconds, ticks, data, original } of records) {
    offsets.push(out.length);
    out
      .uint(seconds, 4)
      .uint(ticks, 4)
      .uint(data.length, 4)
      .uint(original ?? data.length, 4)
      .raw(data);
  }
  offsets.push(out.length);
  return { bytes: out.done(), offsets };
}

/** A pcapng block around a body. */
export function block(little: boolean, type: number, body: (out: Bytes) => unknown): Uint8Array {
  const inner = new Bytes(little);
  body(inner);
  inner.pad(4);
  const length = inner.length + 12;
  return new Bytes(little).uint(type, 4).uint(length, 4).raw(inner.done()).uint(length, 4).done();
}

/** A pcapng option. */
export function option(little: boolean, code: number, value: ArrayLike<number>): Uint8Array {
  return new Bytes(little).uint(code, 2).uint(value.length, 2).raw(value).pad(4).done();
}

export const section = (little: boolean): Uint8Array =>
  block(little, 0x0a0d0d0a, (b) => b.uint(0x1a2b3c4d, 4).uint(1, 2).uint(0, 2).uint(0xffffffffffffffffn, 8));

export const describe = (little: boolean, options: Uint8Array[] = [], linkType = 1, snaplen = 0): Uint8Array =>
  block(little, 1, (b) => {
    b.uint(linkType, 2).uint(0, 2).uint(snaplen, 4);
    for (const bytes of options) b.raw(bytes);
  });

export interface Enhanced {
  id?: number;
  ticks: bigint;
  data: ArrayLike<number>;
  original?: number;
  options?: Uint8Array[];
}

export const enhanced = (little: boolean, { id = 0, ticks, data, original, options = [] }: Enhanced): Uint8Array =>
  block(little, 6, (b) => {
    b.uint(id, 4)
      .uint(ticks >> 32n, 4)
      .uint(ticks & 0xffffffffn, 4);
    b.uint(data.length, 4)
      .uint(original ?? data.length, 4)
      .raw(data)
      .pad(4);
    for (const bytes of options) b.raw(bytes);
  });

export const simple = (little: boolean, original: number, data: ArrayLike<number>): Uint8Array =>
  block(little, 3, (b) => b.uint(original, 4).raw(data));

export const obsolete = (little: boolean, id: number, ticks: bigint, data: ArrayLike<number>): Uint8Array =>
  block(little, 2, (b) => {
    b.uint(id, 2)
      .uint(0xffff, 2)
      .uint(ticks >> 32n, 4)
      .uint(ticks & 0xffffffffn, 4);
    b.uint(data.length, 4).uint(data.length, 4).raw(data);
  });

/** Blocks one after another, and the offsets at which they begin and the file ends. */
export function blocks(...parts: Uint8Array[]): { bytes: Uint8Array; offsets: number[] } {
  const offsets = [0];
  for (const part of parts) offsets.push(offsets[offsets.length - 1]! + part.length);
  return { bytes: new Uint8Array(Buffer.concat(parts)), offsets };
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const hex = (value: string): Uint8Array =>
  Uint8Array.from((value.replace(/\s+/g, '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));

/** `length` bytes that differ from each other and from padding. */
export const pattern = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => ((i * 31 + seed * 7) % 255) + 1);
