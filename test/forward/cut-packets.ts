import { counting, type Ipv4Words, ipv4, ipv6 } from '../support/packets.js';

export const UDP = 17;
export const FRAGMENT = 44;
export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const DESTINATION_OPTIONS = 60;
export const FIRST_ID = 0x0a0b0c0d;

export const ENDS4 = { source: '10.0.0.54', destination: '10.1.0.21' };
export const ENDS6 = { source: 'fd00::52', destination: 'fd00:1::21' };
export const packet4 = (length: number, words: Partial<Ipv4Words> = {}): Uint8Array =>
  ipv4({ ...ENDS4, protocol: UDP, ...words }, counting(length - 20 - (words.options?.length ?? 0)));

/** A fragment header without its first byte. */
export function fragmentHeader(at: number, more: boolean, id: number): readonly [number, Uint8Array] {
  const rest = new Uint8Array(7);
  new DataView(rest.buffer).setUint16(1, at | (more ? 1 : 0));
  new DataView(rest.buffer).setUint32(3, id);
  return [FRAGMENT, rest];
}

/** Fragments with payloads of these lengths, as a sender would make them. */
export function fragments(v6: boolean, lengths: readonly number[], words: Partial<Ipv4Words> = {}): Uint8Array[] {
  let at = 0;
  return lengths.map((length, i) => {
    const from = at;
    at += length;
    const more = i + 1 < lengths.length;
    return v6
      ? ipv6({ ...ENDS6, protocol: UDP, extensions: [fragmentHeader(from, more, 0x11223344)] }, counting(length, from))
      : ipv4({ ...ENDS4, protocol: UDP, ...words, offset: from / 8, mf: more }, counting(length, from));
  });
}

export const lengths = (frames: readonly Uint8Array[]): number[] => frames.map(({ length }) => length);
