/**
 * The words that are about health: they are known and kept, and nothing runs them.
 *
 * @module
 */
import type { RuleSource } from '../error.js';
import type { Problems } from './problems.js';
import type { KeepalivedStatement } from './tree.js';

/** A checker, such as `TCP_CHECK { connect_timeout 3 }`. It is for the embedder to run. */
export interface KeepalivedChecker {
  readonly at: RuleSource;
  readonly kind: string;
  /** What stands in its block. */
  readonly settings: readonly KeepalivedStatement[];
}

const TIMES = ['connect_timeout', 'retry', 'delay_before_retry', 'warmup', 'delay_loop'];
const TARGET = ['connect_ip', 'connect_port', 'bindto', 'bind_if', 'bind_port', 'fwmark'];
const SWITCHES = ['alpha', 'log_all_failures'];
const COMMON = [...TARGET, ...TIMES, ...SWITCHES];
/** `nb_get_retry` is an old name of `retry`. */
const HTTP = [...COMMON, 'nb_get_retry', 'http_protocol', 'fast_recovery', 'url', 'virtualhost'];

/** The words of each checker's block. */
const CHECKERS: Readonly<Record<string, readonly string[]>> = {
  HTTP_GET: HTTP,
  SSL_GET: [...HTTP, 'enable_sni', 'sni_name', 'tls_compliant'],
  TCP_CHECK: COMMON,
  SMTP_CHECK: [...COMMON, 'helo_name', 'host'],
  DNS_CHECK: [...COMMON, 'type', 'name'],
  MISC_CHECK: [...TIMES, ...SWITCHES, 'misc_path', 'misc_timeout', 'misc_dynamic', 'user'],
  BFD_CHECK: ['name'],
  PING_CHECK: COMMON,
  UDP_CHECK: [...COMMON, 'payload', 'require_reply', 'min_reply_length', 'max_reply_length'],
  FILE_CHECK: ['track_file', 'dynamic', 'weight'],
};

/** The words of blocks within them. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  url: [
    'path',
    'digest',
    'status_code',
    'virtualhost',
    'regex',
    'regex_no_match',
    'regex_options',
    'regex_stack',
    'regex_min_offset',
    'regex_max_offset',
    'tls_compliant',
  ],
  host: [...TARGET],
};

/** Words of real and virtual servers about checks, and about whom to tell. */
export const HEALTH_WORDS: readonly string[] = [...TIMES, 'smtp_alert', 'virtualhost'];

/** The checker that a statement is; `undefined` for what is none. */
export function checkerOf(statement: KeepalivedStatement, problems: Problems): KeepalivedChecker | undefined {
  const { at, words, block = [] } = statement;
  const kind = words[0]!;
  if (!Object.hasOwn(CHECKERS, kind)) return undefined;
  checkWords(kind, block, CHECKERS[kind]!, problems);
  return { at, kind, settings: block };
}

function checkWords(
  where: string,
  block: readonly KeepalivedStatement[],
  known: readonly string[],
  problems: Problems,
): void {
  for (const { at, words, block: inner } of block) {
    const name = words[0]!;
    if (!known.includes(name)) problems.error(at, `unknown word "${name}" in ${where}`);
    else if (TIMES.includes(name)) checkNumber(at, words, problems);
    else if (inner !== undefined) {
      if (Object.hasOwn(INNER, name)) checkWords(name, inner, INNER[name]!, problems);
      else problems.error(at, `${name} has no block`);
    }
  }
}

/** Seconds, which may have a fraction, or times. */
function checkNumber(at: RuleSource, [name, value = '', ...others]: readonly string[], problems: Problems): void {
  if (others.length > 0 || !/^\d+(\.\d+)?$/.test(value)) {
    problems.error(at, `${name}: expected a number, got "${[value, ...others].join(' ')}"`);
  }
}
