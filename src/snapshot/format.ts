/**
 * The form of a snapshot: a header of 64 bytes, a description in JSON, and the sections that it lists: each record byte by byte
 * as it lay in the core's memory. Each part has a checksum of its own, so that a damage is told where it is.
 *
 *     0   magic, 8 bytes                     24  u32: bytes of the description
 *     8   u32: version of this form          28  u32: its CRC32c
 *     12  u32: hash of the ABI               60  u32: CRC32c of the 60 bytes before
 *     16  u64: bytes of the whole            the rest is 0; all little-endian
 *
 * @module
 */
import { abiHash } from '../abi-hash.js';
import { IpvsError } from '../errors.js';
import type { PlanOptions } from '../plan.js';
import { assertObject, listOf, objectOf, ofKind, shown } from '../shape.js';
import type { NetworkConfig } from '../types.js';
import { crc32c } from './crc32c.js';

const MAGIC = new TextEncoder().encode('IPVSSNAP');
const VERSION = 1;
const HEADER = 64;
/** Parts begin on a cache line; what is filled up is part of the checksum. */
const LINE = 64;

const AT = { version: 8, abi: 12, total: 16, description: 24, descriptionCrc: 28, crc: 60 } as const;

/** Parts of the memory that are state. */
export type SectionName =
  | 'superblock'
  | 'counters'
  | 'services'
  | 'dests'
  | 'schedulers'
  /** u32 × 3 each: lists that are not empty; where in the wheel the head is, and its two words. */
  | 'wheel'
  | 'conns'
  | 'conns6'
  | 'callIds'
  | 'extensions'
  | 'locals'
  /** u16 each: freed ports, of each local address in use, each of its pools, the one that was freed first first. */
  | 'ports'
  /** u32 each: index entries of which others with the same tag are near, in the order in which they are found. */
  | 'contested';

/** Bytes that lay at an address. */
export interface Section {
  readonly base: number;
  readonly bytes: Uint8Array;
}

/** What a snapshot holds. */
export interface Snapshot {
  readonly plan: PlanOptions;
  readonly network: NetworkConfig;
  readonly sections: Readonly<Record<SectionName, Section>>;
}

interface Description {
  plan: PlanOptions;
  network: NetworkConfig;
  /** `length` without what is filled up. */
  sections: { name: SectionName; base: number; length: number; crc: number }[];
}

const SECTION_NAMES = [
  'superblock',
  'counters',
  'services',
  'dests',
  'schedulers',
  'wheel',
  'conns',
  'conns6',
  'callIds',
  'extensions',
  'locals',
  'ports',
  'contested',
]
  .sort()
  .join(', ');

const padded = (length: number): number => Math.ceil(length / LINE) * LINE;

/** The snapshot as bytes. */
export function encode({ plan, network, sections }: Snapshot): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(sections) as [SectionName, Section][];
  const body = entries.reduce((sum, [, { bytes }]) => sum + padded(bytes.length), 0);
  const text = (crcs: readonly number[]): Uint8Array => {
    const list = entries.map(([name, { base, bytes }], i) => ({ name, base, length: bytes.length, crc: crcs[i] ?? 0 }));
    return new TextEncoder().encode(JSON.stringify({ plan, network, sections: list }));
  };
  // Checksums are at most ten digits each, in place of one.
  const room = padded(text([]).length + 9 * entries.length);
  const bytes = new Uint8Array(HEADER + room + body);
  let at = HEADER + room;
  const crcs = entries.map(([, section]) => {
    const from = at;
    bytes.set(section.bytes, from);
    at += padded(section.bytes.length);
    return crc32c(bytes.subarray(from, at));
  });
  const description = bytes.subarray(HEADER, HEADER + room).fill(0x20);
  description.set(text(crcs));

  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.abi, Number.parseInt(abiHash(), 16), true);
  view.setBigUint64(AT.total, BigInt(bytes.length), true);
  view.setUint32(AT.description, room, true);
  view.setUint32(AT.descriptionCrc, crc32c(description), true);
  view.setUint32(AT.crc, crc32c(bytes.subarray(0, AT.crc)), true);
  return bytes;
}

/** What the bytes hold. @throws TypeError for no bytes; IpvsError BAD_SNAPSHOT that says what is wrong. */
export function decode(given: Uint8Array): Snapshot {
  if (!(given instanceof Uint8Array)) throw new TypeError(`expected a snapshot as a Uint8Array, got ${shown(given)}`);
  // A copy of ours: what is checked here is read later, and others may write to theirs. (`slice` of a Buffer is none.)
  const bytes = new Uint8Array(given);
  const { plan, network, sections: list } = describe(bytes);
  let at = bytes.length - list.reduce((sum, { length }) => sum + padded(length), 0);
  if (at !== HEADER + new DataView(bytes.buffer).getUint32(AT.description, true)) throw bad('inconsistent: sections');
  const sections = list.map(({ name, base, length, crc }) => {
    const from = at;
    at += padded(length);
    check(bytes, name, from, at, crc);
    return [name, { base, bytes: bytes.subarray(from, from + length) }];
  });
  return { plan, network, sections: Object.fromEntries(sections) as Record<SectionName, Section> };
}

/** Reads header and description. */
function describe(bytes: Uint8Array): Description {
  if (bytes.length < HEADER) throw bad(`too short: expected a header of ${HEADER} bytes, got ${bytes.length}`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw bad('unknown: it does not begin with "IPVSSNAP"');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(AT.version, true);
  if (version !== VERSION) throw bad(`of another version: expected ${VERSION}, got ${version}`);
  check(bytes, 'header', 0, AT.crc, view.getUint32(AT.crc, true));
  const abi = view.getUint32(AT.abi, true).toString(16).padStart(8, '0');
  if (abi !== abiHash()) throw bad(`of another version: expected ABI ${abiHash()}, got ${abi}`);
  const total = view.getBigUint64(AT.total, true);
  if (BigInt(bytes.length) !== total) {
    throw bad(`${bytes.length < total ? 'too short' : 'too long'}: expected ${total} bytes, got ${bytes.length}`);
  }
  const end = HEADER + view.getUint32(AT.description, true);
  check(bytes, 'description', HEADER, end, view.getUint32(AT.descriptionCrc, true));
  return description(bytes.subarray(HEADER, end));
}

const COUNT = (value: unknown, path: string): void => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError(`${path}: got ${shown(value)}`);
};

const DESCRIPTION = objectOf<Description>({
  plan: assertObjectAt,
  network: assertObjectAt,
  sections: listOf(
    objectOf<Description['sections'][number]>({ name: ofKind('string'), base: COUNT, length: COUNT, crc: COUNT }),
  ),
});

function assertObjectAt(value: unknown, path: string): void {
  assertObject(path, value);
}

/** Reads the description. */
function description(text: Uint8Array): Description {
  if (text.length % LINE !== 0) throw bad(`inconsistent: a description of ${text.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(text));
    DESCRIPTION(value, 'description');
  } catch (error) {
    throw bad(`inconsistent: ${(error as Error).message}`);
  }
  const { sections } = value as Description;
  const names = sections
    .map(({ name }) => name)
    .sort()
    .join(', ');
  if (names !== SECTION_NAMES) throw bad(`inconsistent: expected the sections ${SECTION_NAMES}, got ${names}`);
  return value as Description;
}

function check(bytes: Uint8Array, what: string, from: number, to: number, expected: number): void {
  const crc = crc32c(bytes.subarray(from, to));
  if (crc !== expected) {
    throw bad(
      `damaged: the checksum of bytes ${from} to ${to - 1} (${what}) is ${hex(crc)}, expected ${hex(expected)}`,
    );
  }
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');

function bad(text: string): IpvsError {
  return new IpvsError('BAD_SNAPSHOT', `snapshot ${text}`);
}
