/**
 * The values in a rule: endpoints, numbers, schedulers and their flags.
 *
 * @module
 */
import { formatIPv6Bytes, ipv6Bytes, isIPv4, isIPv6 } from '../address.js';
import { flagsOf, SCHEDULER_NAMES } from '../schedulers.js';
import type { PersistenceEngineName, SchedulerFlag, SchedulerName, TunnelConfig } from '../types.js';
import { RuleError, type RuleSource } from './error.js';
import type { Word } from './options.js';

/** Address and port; `port` is `undefined` when none was given. */
export interface Endpoint {
  /** Dotted quad, or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  readonly port: number | undefined;
}

const DECIMAL = /^(0|[1-9]\d*)$/;
/** What is meant as the name of a host or a port. */
const NAME = /^[a-z\d.-]*[a-z][\w.-]*$/i;
const NUMBERS = ': names are not resolved here, ipvsadm -S -n writes numbers';
/** The numbered names of scheduler flags: the same bits, whatever the scheduler. */
const NUMBERED_FLAGS: readonly string[] = ['flag-1', 'flag-2'];

function fail(at: RuleSource, word: Word, text: string): never {
  throw new RuleError(at.file, at.line, word.column, text);
}

/**
 * A decimal number of `min` to `max`, without sign and leading zeros. (ipvsadm also takes `0x10` and, as octal, `010`.)
 *
 * @throws RuleError otherwise.
 */
export function parseNumber(word: Word, max: number, what: string, at: RuleSource, min = 0): number {
  const number = DECIMAL.test(word.text) ? Number(word.text) : Number.NaN;
  if (!(number >= min && number <= max)) fail(at, word, `expected ${what} of ${min} to ${max}, got "${word.text}"`);
  return number;
}

/**
 * `10.0.0.1:80`, `[fd00::1]:80`, or an address alone, without brackets. Names of hosts and ports are not resolved.
 *
 * @throws RuleError for anything else.
 */
export function parseEndpoint(word: Word, at: RuleSource): Endpoint {
  const { text, column } = word;
  const portAt = (colon: number): number => {
    const port = { text: text.slice(colon + 1), column: column + colon + 1 };
    if (NAME.test(port.text)) fail(at, port, `expected a port number of 0 to 65535, got "${port.text}"${NUMBERS}`);
    return parseNumber(port, 65535, 'a port number', at);
  };
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (text[close + 1] !== ':') {
      fail(at, word, `expected brackets and a port such as [fd00::1]:80, got "${text}"`);
    }
    return { address: ipv6({ text: text.slice(1, close), column: column + 1 }, at), port: portAt(close + 1) };
  }
  const colon = text.indexOf(':');
  const address = colon < 0 ? text : text.slice(0, colon);
  if (isIPv4(address)) return { address, port: colon < 0 ? undefined : portAt(colon) };
  if (isIPv6(text) || text.includes('%')) return { address: ipv6(word, at), port: undefined };
  const hint = bracketHint(text) || (NAME.test(text.replace(/:[^:]*$/, '')) ? NUMBERS : '');
  return fail(at, word, `expected an address such as 10.0.0.1 or [fd00::1], got "${text}"${hint}`);
}

/** What to write instead of an IPv6 address with a port behind it, as far as that can be told; else nothing. */
export function bracketHint(text: string): string {
  const [, address = '', port = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  return isIPv6(address) ? `: write [${address}]:${port}` : '';
}

function ipv6(word: Word, at: RuleSource): string {
  try {
    return formatIPv6Bytes(ipv6Bytes(word.text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return fail(at, word, error.message);
  }
}

const TUNNEL_TYPES: readonly NonNullable<TunnelConfig['type']>[] = ['ipip', 'gue', 'gre'];

/**
 * The type of a tunnel.
 *
 * @throws RuleError for any other word.
 */
export function parseTunnelType(word: Word, at: RuleSource): NonNullable<TunnelConfig['type']> {
  const type = TUNNEL_TYPES.find((name) => name === word.text);
  return type ?? fail(at, word, `expected a tunnel type of ${TUNNEL_TYPES.join(', ')}, got "${word.text}"`);
}

/**
 * Which bits of a client's address count: a mask of IPv4, the length of a prefix of IPv6.
 *
 * @throws RuleError for anything else.
 */
export function parseNetmask(word: Word, isV6: boolean, at: RuleSource): string | number {
  if (isV6) return parseNumber(word, 128, 'a prefix length', at, 1);
  if (isIPv4(word.text)) return word.text;
  return fail(at, word, `expected a netmask such as 255.255.255.0, got "${word.text}"`);
}

/** The name of a persistence engine. @throws RuleError for others. */
export function parseEngine(word: Word, at: RuleSource): PersistenceEngineName {
  if (word.text === 'sip') return word.text;
  return fail(at, word, `expected the persistence engine sip, got "${word.text}"`);
}

/** The name of a scheduler. @throws RuleError for others. */
export function parseScheduler(word: Word, at: RuleSource): SchedulerName {
  const name = SCHEDULER_NAMES.find((known) => known === word.text);
  return name ?? fail(at, word, `expected a scheduler of ${SCHEDULER_NAMES.join(', ')}, got "${word.text}"`);
}

/**
 * A comma list of scheduler flags; the result is in ipvsadm's own order.
 *
 * @throws RuleError for unknown flags, and for flags of another scheduler than the service's.
 */
export function parseSchedulerFlags(word: Word, scheduler: SchedulerName, at: RuleSource): SchedulerFlag[] {
  const known = flagsOf(scheduler);
  const given = new Set<SchedulerFlag>();
  let { column } = word;
  for (const text of word.text.split(',')) {
    const flag = known[NUMBERED_FLAGS.indexOf(text)] ?? known.find((name) => name === text);
    if (flag === undefined) {
      const expected = known.length === 0 ? 'no flags' : `flags of ${known.join(', ')}`;
      fail(at, { text, column }, `expected ${expected} for the scheduler ${scheduler}, got "${text}"`);
    }
    given.add(flag);
    column += text.length + 1;
  }
  return known.filter((flag) => given.has(flag));
}
