/**
 * The values in a command line, as the C library's functions read them for ipvsadm: numbers with blanks and a sign in
 * front, IPv4 addresses of one to four parts in decimal, octal or hexadecimal.
 *
 * @module
 */
import { formatIPv4, formatIPv6Bytes, ipv6Bytes, isIPv6 } from '../address.js';
import { bitNamesOf, flagsOf, NUMBERED_FLAGS, SCHEDULER_NAMES } from '../schedulers.js';
import type { ProtocolName, SchedulerFlag } from '../types.js';
import type { Names } from './names.js';
import type { Word } from './option-reader.js';
import { UsageError } from './usage-error.js';

/** 31 days, the limit of a timeout in seconds. */
const MAX_TIMEOUT = 31 * 86400;
/** Seconds of `-p` without a value; the manual page says 300. */
const DEFAULT_PERSISTENCE = 360;
/** ipvsadm takes weights up to 2^31-1, of which a round of wrr would take as many steps. */
const MAX_WEIGHT = 65535;
/** The largest number of C's `int`. */
const INT_MAX = 0x7fffffff;
const LONG = /^[ \t\n\v\f\r]*([+-]?\d+)$/;
const LEADING_INTEGER = /^[ \t\n\v\f\r]*([+-]?\d+)/;
/** A part of an IPv4 address: hexadecimal, octal, decimal. */
const PART = /^(?:0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i;

/** Address and port; `port` is `undefined` when none was given. */
export interface Endpoint {
  readonly family: 4 | 6;
  /** Dotted quad, or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  readonly port: number | undefined;
}

/** A decimal number of `min` to `max`, else `undefined`. */
function numberOf(text: string, min: number, max: number): number | undefined {
  const number = Number(LONG.exec(text)?.[1] ?? Number.NaN);
  // Without the sign of -0.
  return number >= min && number <= max ? number + 0 : undefined;
}

/** The value of a numeric option. @throws UsageError that names it */
export function parseNumber(word: Word, max: number, what: string, min = 0): number {
  return numberOf(word.text, min, max) ?? refuse(`illegal ${what} specified`, word);
}

/** `-w`. */
export function parseWeight(word: Word): number {
  return parseNumber(word, MAX_WEIGHT, 'weight');
}

/** `-x` and `-y`. */
export function parseThreshold(word: Word, what: 'u_threshold' | 'l_threshold'): number {
  return parseNumber(word, INT_MAX, what);
}

/** Seconds. @throws UsageError */
export function parseTimeout(word: Word | undefined, min: number): number {
  if (word === undefined) return DEFAULT_PERSISTENCE;
  return numberOf(word.text, min, MAX_TIMEOUT) ?? refuse(`invalid timeout value \`${word.text}' specified`, word);
}

/** `-f`. @throws UsageError */
export function parseMark(word: Word): number {
  return numberOf(word.text, 1, 0xffffffff) ?? refuse(`invalid fwmark value \`${word.text}' specified`, word);
}

/** `-M` of IPv4: any bits at all, as a dotted quad. @throws UsageError */
export function parseNetmask(word: Word, names: Names): string {
  return ipv4Of(word.text, names) ?? refuse('illegal virtual server persistent mask specified', word);
}

/** `-M` of IPv6: a prefix length; what follows the number is not looked at. @throws UsageError */
export function parsePrefixLength(word: Word): number {
  const length = Number(LEADING_INTEGER.exec(word.text)?.[1] ?? 0);
  return length >= 1 && length <= 128 ? length : refuse('illegal ipv6 netmask specified', word);
}

/**
 * `10.0.0.1:80`, `[fd00::1]:80`, or an address alone, IPv6 without brackets.
 *
 * @param protocol decides what the names of ports mean
 * @returns `undefined` for anything else
 */
export function parseEndpoint(text: string, protocol: ProtocolName | undefined, names: Names): Endpoint | undefined {
  if (/^\d*$/.test(text)) return undefined;
  let host = text;
  let port: string | undefined;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (text[close + 1] !== ':') return undefined;
    host = text.slice(1, close);
    port = text.slice(close + 2);
  }
  if (isIPv6(host)) return withPort(6, formatIPv6Bytes(ipv6Bytes(host)), port, protocol, names);
  // Of what is no IPv6 address the last colon divides, brackets or not.
  const colon = host.lastIndexOf(':');
  port = colon < 0 ? undefined : host.slice(colon + 1);
  const address = ipv4Of(colon < 0 ? host : host.slice(0, colon), names);
  return address === undefined ? undefined : withPort(4, address, port, protocol, names);
}

/** `--laddr`: an address, IPv6 without brackets. @throws UsageError */
export function parseLocalAddress(word: Word): string {
  const { text } = word;
  if (isIPv6(text)) return formatIPv6Bytes(ipv6Bytes(text));
  return quadOf(text) ?? refuse('illegal local address specified', word);
}

function withPort(
  family: 4 | 6,
  address: string,
  text: string | undefined,
  protocol: ProtocolName | undefined,
  names: Names,
): Endpoint | undefined {
  if (text === undefined) return { family, address, port: undefined };
  const port = numberOf(text, 0, 65535) ?? (protocol === undefined ? undefined : names.portOf(text, protocol));
  return port === undefined ? undefined : { family, address, port };
}

function ipv4Of(text: string, names: Names): string | undefined {
  return quadOf(text) ?? names.addressOf(text);
}

/** An IPv4 address of one to four parts, of which the last fills what is left; behind a blank anything may stand. */
function quadOf(text: string): string | undefined {
  const parts = text.split(/[ \t\n\v\f\r]/, 1)[0]!.split('.');
  if (parts.length > 4 || !parts.every((part) => PART.test(part))) return undefined;
  // Octal needs its letter in JavaScript.
  const values = parts.map((part) => Number(part.replace(/^0(?=\d)/, '0o')));
  const last = values.pop()!;
  if (values.some((value) => value > 255) || last >= 2 ** (32 - 8 * values.length)) return undefined;
  return formatIPv4(values.reduce((sum, value, i) => sum + value * 2 ** (24 - 8 * i), last));
}

/** The names that only some schedulers have for their bits. */
const NAMED: readonly SchedulerFlag[] = [...flagsOf('sh'), ...flagsOf('mh')];

/**
 * A comma list of scheduler flags, in ipvsadm's own order.
 *
 * @throws UsageError for unknown flags, and for flags of another scheduler than the service's
 */
export function parseSchedulerFlags(word: Word, scheduler: string): SchedulerFlag[] {
  const name = SCHEDULER_NAMES.find((one) => one === scheduler);
  const known = name === undefined ? NUMBERED_FLAGS : bitNamesOf(name);
  const given = new Set<SchedulerFlag>();
  let { column } = word;
  for (const text of word.text.split(',')) {
    const at = { text, column };
    column += text.length + 1;
    if (text === '') continue;
    const numbered = (NUMBERED_FLAGS as readonly string[]).indexOf(text);
    const flag = numbered < 0 ? NAMED.find((one) => one === text) : known[numbered];
    if (flag === undefined) return refuse(`invalid scheduler flag \`${text}'`, at);
    if (!known.includes(flag)) return refuse(`incompatible scheduler flag \`${text}'`, at);
    given.add(flag);
  }
  return known.filter((flag) => given.has(flag));
}

function refuse(text: string, word: Word): never {
  throw new UsageError(text, word);
}
