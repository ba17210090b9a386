/**
 * The sections of a WebAssembly binary (core specification §5.5), as far as tests ask for them.
 *
 * @module
 */

/** Section numbers. */
export const CUSTOM = 0;
export const START = 8;
export const CODE = 10;
export const DATA = 11;

export interface Section {
  id: number;
  /** Name of a custom section. */
  name: string;
  content: Uint8Array;
}

/** An unsigned LEB128 number at `at`, and where it ends. */
export function leb128(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  let shift = 0;
  for (let i = at; ; i++) {
    const byte = bytes[i] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, i + 1];
    shift += 7;
  }
}

/** All sections in order. */
export function sectionsOf(binary: Uint8Array): Section[] {
  const found: Section[] = [];
  let at = 8;
  while (at < binary.length) {
    const id = binary[at] as number;
    const [length, start] = leb128(binary, at + 1);
    const content = binary.subarray(start, start + length);
    const [size, text] = id === CUSTOM ? leb128(content, 0) : [0, 0];
    found.push({ id, name: new TextDecoder().decode(content.subarray(text, text + size)), content });
    at = start + length;
  }
  return found;
}
