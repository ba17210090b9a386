/**
 * The values in a rule: endpoints, numbers, schedulers and their flags.
 *
 * @module
 */
import { isIPv4, isIPv6 } from '../address.js';
import type { SchedulerFlag, SchedulerName } from '../types.js';
import { RuleError, type RuleSource } from './error.js';
import type { Word } from './options.js';

/** Address and port as written; `port` is `undefined` when none was given. */
export interface Endpoint {
  readonly address: string;
  readonly port: number | undefined;
}

const DECIMAL = /^(0|[1-9]\d*)$/;
const SCHEDULERS: readonly string[] = ['rr', 'wrr', 'wlc', 'sh'] satisfies SchedulerName[];
const LATER_SCHEDULERS = ['lc', 'lblc', 'lblcr', 'dh', 'mh', 'sed', 'nq', 'fo', 'ovf', 'twos'];
/** In the order in which ipvsadm prints them. */
export const SCHEDULER_FLAGS: readonly SchedulerFlag[] = ['sh-fallback', 'sh-port'];
const FLAG_WORDS: Record<string, SchedulerFlag> = {
  'sh-fallback': 'sh-fallback',
  'sh-port': 'sh-port',
  // The numbered names are the same bits: for sh, flag-1 is the fallback and flag-2 the port.
  'flag-1': 'sh-fallback',
  'flag-2': 'sh-port',
};

function fail(at: RuleSource, word: Word, text: string): never {
  throw new RuleError(at.file, at.line, word.column, text);
}

/**
 * A decimal number of 0 to `max`, without sign and leading zeros. (ipvsadm also takes `0x10` and, as octal, `010`.)
 *
 * @throws RuleError otherwise.
 */
export function parseNumber(word: Word, max: number, what: string, at: RuleSource): number {
  const number = DECIMAL.test(word.text) ? Number(word.text) : Number.NaN;
  if (!(number <= max)) fail(at, word, `expected ${what} of 0 to ${max}, got "${word.text}"`);
  return number;
}

/**
 * `10.0.0.1:80` or a bare `10.0.0.1`. Names of hosts and ports are not resolved.
 *
 * @throws RuleError for anything else; IPv6 is named as such.
 */
export function parseEndpoint(word: Word, at: RuleSource): Endpoint {
  const { text, column } = word;
  if (text.startsWith('[') || isIPv6(text)) {
    fail(at, word, `expected an IPv4 address, got "${text}": IPv6 is not handled by this version`);
  }
  const colon = text.indexOf(':');
  const address = colon < 0 ? text : text.slice(0, colon);
  if (!isIPv4(address)) fail(at, word, `expected an IPv4 address such as 10.0.0.1, got "${address}"`);
  if (colon < 0) return { address, port: undefined };
  const port = { text: text.slice(colon + 1), column: column + colon + 1 };
  return { address, port: parseNumber(port, 65535, 'a port number', at) };
}

/**
 * The name of a scheduler of this version.
 *
 * @throws RuleError for others; those that ipvsadm has are named as not handled yet.
 */
export function parseScheduler(word: Word, at: RuleSource): SchedulerName {
  if (SCHEDULERS.includes(word.text)) return word.text as SchedulerName;
  const known = LATER_SCHEDULERS.includes(word.text);
  const state = known ? 'is not handled by this version' : 'is unknown';
  return fail(at, word, `expected one of ${SCHEDULERS.join(', ')}, got "${word.text}": this scheduler ${state}`);
}

/**
 * A comma list of scheduler flags; the result is in ipvsadm's own order.
 *
 * @throws RuleError for unknown flags, and for flags of another scheduler than the service's.
 */
export function parseSchedulerFlags(word: Word, scheduler: SchedulerName, at: RuleSource): SchedulerFlag[] {
  const given = new Set<SchedulerFlag>();
  let { column } = word;
  for (const text of word.text.split(',')) {
    const flag = Object.hasOwn(FLAG_WORDS, text) ? FLAG_WORDS[text] : undefined;
    if (flag === undefined) {
      const later = text.startsWith('mh-') ? ': the scheduler mh is not handled by this version' : '';
      fail(at, { text, column }, `expected one of ${SCHEDULER_FLAGS.join(', ')}, got "${text}"${later}`);
    }
    if (scheduler !== 'sh') fail(at, { text, column }, `"${text}" needs the scheduler sh, got ${scheduler}`);
    given.add(flag);
    column += text.length + 1;
  }
  return SCHEDULER_FLAGS.filter((flag) => given.has(flag));
}
