/**
 * Contenders for CRC32c. Each has its own loop: a shared one would call all of them from one megamorphic site.
 *
 * @module
 */
import type { TestingExports } from '../testing.js';

/** Packets taken in turn: all stay in the second cache. */
export const BUFFERS = 16;

/** CRC32c's polynomial with its bits the other way round. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** Somebody's loop over all packets; returns all its CRCs xor-ed. */
export interface CrcLoop {
  name: string;
  run(): number;
}

/** Packets of one length, one behind the other in a core's memory. */
export interface Packets {
  first: number;
  length: number;
  bytes: Uint8Array[];
}

/** What each byte makes of the CRC; then the same when 1, 2, … 7 bytes come after it. */
const TABLES = new Uint32Array(SLICES * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  TABLES[byte] = crc;
}
for (let i = 256; i < TABLES.length; i++) {
  const before = TABLES[i - 256]!;
  TABLES[i] = (before >>> 8) ^ TABLES[before & 255]!;
}

/** A byte on top of a CRC. */
function step(crc: number, byte: number): number {
  return (crc >>> 8) ^ TABLES[(crc ^ byte) & 255]!;
}

/** A table, and a byte at a time: what npm has. */
export function crcByBytes(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = step(crc, bytes[i]!);
  return ~crc;
}

/** Eight bytes a step. */
export function crcBySlices(bytes: Uint8Array): number {
  let crc = -1;
  let i = 0;
  for (; i + SLICES <= bytes.length; i += SLICES) {
    crc =
      TABLES[0x700 | ((crc ^ bytes[i]!) & 255)]! ^
      TABLES[0x600 | (((crc >>> 8) ^ bytes[i + 1]!) & 255)]! ^
      TABLES[0x500 | (((crc >>> 16) ^ bytes[i + 2]!) & 255)]! ^
      TABLES[0x400 | ((crc >>> 24) ^ bytes[i + 3]!)]! ^
      TABLES[0x300 | bytes[i + 4]!]! ^
      TABLES[0x200 | bytes[i + 5]!]! ^
      TABLES[0x100 | bytes[i + 6]!]! ^
      TABLES[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = step(crc, bytes[i]!);
  return ~crc;
}

/** Lays packets of `length` bytes into a core's memory at `first`. */
export function layPackets(buffer: ArrayBuffer, first: number, length: number): Packets {
  const memory = new Uint8Array(buffer);
  const bytes = Array.from({ length: BUFFERS }, (_, n) => Uint8Array.from({ length }, (__, i) => i * 7 + n));
  for (const [i, packet] of bytes.entries()) memory.set(packet, first + i * length);
  return { first, length, bytes };
}

export function crcLoops(core: Pick<TestingExports, 'crcOf'>, { first, length, bytes }: Packets): CrcLoop[] {
  const overAll = (crc: (at: number) => number): number => {
    let all = 0;
    for (let i = 0; i < BUFFERS; i++) all ^= crc(i);
    return all;
  };
  return [
    { name: 'ipvs-wasm', run: () => overAll((i) => core.crcOf(first + i * length, length)) },
    { name: 'eight tables', run: () => overAll((i) => crcBySlices(bytes[i]!)) },
    { name: 'a table', run: () => overAll((i) => crcByBytes(bytes[i]!)) },
  ];
}
