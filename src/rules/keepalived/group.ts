/**
 * What a virtual server answers for: an address, a firewall mark, or a group of them with ranges.
 *
 * @module
 */
import { addressBytes, type Family, familyOf, formatAddress, hasHostBits, prefixBytes } from '../../address.js';
import type { RuleSource } from '../error.js';
import { type Problems, refuse } from './problems.js';
import type { KeepalivedStatement } from './tree.js';
import { addressOf, expectWords, familyWord, numberOf, portOf } from './values.js';

/** One address and port, or one mark; its family is `undefined` where only the servers tell it. */
export type Entry = { readonly at: RuleSource } & (
  | { readonly address: string; readonly port: number; readonly family: Family }
  | { readonly fwmark: number; readonly family: Family | undefined }
);

/** Addresses of one range. */
const MOST_ADDRESSES = 65536;

/** Reads a `virtual_server_group` block. */
export function groupOf({ block = [] }: KeepalivedStatement, problems: Problems): Entry[] {
  const entries: Entry[] = [];
  for (const line of block) problems.attempt(() => entries.push(...entriesOf(line)));
  return entries;
}

/** A local address, and where it stands. */
export interface KeepalivedLocalAddress {
  readonly at: RuleSource;
  readonly address: string;
}

/** Reads a `local_address_group` block: the addresses of DPVS's FullNAT. */
export function localGroupOf({ block = [] }: KeepalivedStatement, problems: Problems): KeepalivedLocalAddress[] {
  const addresses: KeepalivedLocalAddress[] = [];
  for (const line of block) {
    problems.attempt(() => {
      // An interface may follow, to which DPVS gives the address.
      expectWords(line, 0, 1);
      addresses.push(...rangeOf(line).map((address) => ({ at: line.at, address })));
    });
  }
  return addresses;
}

/** Reads `ADDRESS [PORT]` or `fwmark N`, the words after `virtual_server`. */
export function entryOf(statement: KeepalivedStatement): Entry {
  const { at, words } = statement;
  expectWords(statement, 1, 2);
  if (words[1] === 'fwmark') return { at, fwmark: markOf(statement, words[2]), family: undefined };
  const address = addressOf(statement, words[1]);
  return { at, address, port: portOf(statement, words[2]) ?? 0, family: familyOf(address)! };
}

function entriesOf(line: KeepalivedStatement): Entry[] {
  const { at, words } = line;
  if (words[0] === 'fwmark') {
    expectWords(line, 1, 2);
    const family = words[2] === undefined ? undefined : familyWord(line, words[2]);
    return [{ at, fwmark: markOf(line, words[1]), family }];
  }
  expectWords(line, 0, 1);
  const port = portOf(line, words[1]) ?? 0;
  return rangeOf(line).map((address) => ({ at, address, port, family: familyOf(address)! }));
}

function markOf(statement: KeepalivedStatement, text: string | undefined): number {
  return numberOf(statement, text, 1, 0xffffffff);
}

/** The addresses of `a`, `a-b`, `a-last` and `a/length`. */
function rangeOf(line: KeepalivedStatement): string[] {
  const [text = ''] = line.words;
  const [first = '', last] = text.split('-', 2);
  if (last === undefined && !text.includes('/')) {
    if (familyOf(text) === undefined) {
      refuse(line.at, `expected an address, a range such as 10.0.0.1-10 or 10.0.0.8/29, or fwmark, got "${text}"`);
    }
    return [formatAddress(addressBytes(text).bytes)];
  }
  const [from, to] = last === undefined ? prefixEnds(line, text) : rangeEnds(line, first, last);
  const start = bigOf(from);
  const count = bigOf(to) - start + 1n;
  if (count < 1n) refuse(line.at, `${text}: the range ends before it starts`);
  if (count > MOST_ADDRESSES) refuse(line.at, `${text}: expected at most ${MOST_ADDRESSES} addresses, got ${count}`);
  return Array.from({ length: Number(count) }, (_, i) => formatAddress(bytesOf(start + BigInt(i), from.length)));
}

function prefixEnds(line: KeepalivedStatement, text: string): [Uint8Array, Uint8Array] {
  let prefix: ReturnType<typeof prefixBytes>;
  try {
    prefix = prefixBytes(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse(line.at, error.message);
  }
  if (hasHostBits(prefix)) refuse(line.at, `${text}: there are bits of a host in the prefix`);
  const { bytes, length } = prefix;
  return [bytes, bytes.map((byte, i) => byte | (0xff >>> Math.min(Math.max(length - i * 8, 0), 8)))];
}

/** The end may be only the last part: decimal for IPv4, hexadecimal for IPv6. */
function rangeEnds(line: KeepalivedStatement, first: string, last: string): [Uint8Array, Uint8Array] {
  const family = familyOf(first);
  const mark = family === 6 ? ':' : '.';
  const end = last.includes(mark) ? last : first.slice(0, first.lastIndexOf(mark) + 1) + last;
  if (family === undefined || familyOf(end) !== family) {
    return refuse(line.at, `expected a range such as 10.0.0.1-10 or fd00::1-ff, got "${line.words[0]}"`);
  }
  return [addressBytes(first).bytes, addressBytes(end).bytes];
}

function bigOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}
