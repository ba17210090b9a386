import { counting, type Ipv4Words, ipv4, ipv6 } from '../support/packets.js';

export const HELD = { verdict: 'held', reason: 'fragment-held' };
export const dropped = (reason: string): object => ({ verdict: 'drop', reason });
export const UDP = 17;
export const FRAGMENT = 44;
export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const DESTINATION_OPTIONS = 60;
export const OTHER = 200;

export interface Piece {
  /** Bytes from the start of the datagram's payload. */
  at: number;
  more: boolean;
  payload: Uint8Array;
}

export const piece = (at: number, more: boolean, length: number): Piece => ({
  at,
  more,
  payload: counting(length, at),
});

export function piece4({ at, more, payload }: Piece, words: Partial<Ipv4Words> = {}): Uint8Array {
  const ends = { source: '10.0.0.51', destination: '10.0.0.100', protocol: UDP };
  return ipv4({ ...ends, ...words, offset: at / 8, mf: more }, payload);
}

export interface Piece6Words {
  id?: number;
  source?: string;
  destination?: string;
  trafficClass?: number;
  protocol?: number;
  /** Headers in front of the fragment header. */
  before?: readonly (readonly [number, Uint8Array])[];
}

export function piece6({ at, more, payload }: Piece, words: Piece6Words = {}): Uint8Array {
  const { id = 0x11223344, before = [], protocol = OTHER, ...rest } = words;
  const fragment = new Uint8Array(7);
  const view = new DataView(fragment.buffer);
  view.setUint16(1, at | (more ? 1 : 0));
  view.setUint32(3, id);
  const extensions = [...before, [FRAGMENT, fragment] as const];
  return ipv6({ source: 'fd00::52', destination: 'fd00::100', ...rest, protocol, extensions }, payload);
}
