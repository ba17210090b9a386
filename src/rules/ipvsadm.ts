/**
 * Rules in ipvsadm's words: lines as `ipvsadm -S -n` prints them and as people type them.
 *
 * Grammar, defaults and limits are ipvsadm 1.31's, and so are the words in which a line is refused, with what it is about
 * behind them. Differences, all on the strict side: names of hosts and ports are not resolved, `#` starts a comment, and
 * a file is read whole before its first rule is applied, so that a mistake in the last line leaves nothing half done.
 *
 * ```ts
 * const commands = parseRules('-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m', 'rules.txt');
 * applyRules(director, commands);
 * ```
 *
 * @module
 */
import { isIPv6 } from '../address.js';
import { SCHEDULER_NAMES } from '../schedulers.js';
import { type CommandLine, readCommandLine } from './command-line.js';
import { RuleError, type RuleSource } from './error.js';
import { NO_NAMES } from './names.js';
import type { Word } from './option-reader.js';
import type { Dialect } from './options.js';
import { REFUSALS } from './refusals.js';
import { isRule, type RuleCommand, ruleOf } from './rule.js';
import { NoCommandError, UsageError } from './usage-error.js';

export { applyRules, type RuleTarget } from './apply.js';
export { RuleError, type RuleSource } from './error.js';
export type { Dialect } from './options.js';
export type { RuleCommand, RuleDest, RuleKey, RuleService } from './rule.js';

/** What is meant as the name of a host or a port. */
const NAME = /^[a-z\d.-]*[a-z][\w.-]*$/i;

/**
 * Reads a whole rules file.
 *
 * @param file named in errors.
 * @param dialect whose short options; default `ipvsadm`.
 * @throws RuleError at the first line that does not parse or is not handled by this version.
 */
export function parseRules(text: string, file = 'rules', dialect: Dialect = 'ipvsadm'): RuleCommand[] {
  const commands: RuleCommand[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const command = parseRule(line, { file, line: index + 1 }, dialect);
    if (command !== undefined) commands.push(command);
  }
  return commands;
}

/**
 * Reads one line, or one command as typed, with or without the leading word `ipvsadm`.
 *
 * @returns `undefined` for an empty line or a comment.
 * @throws RuleError as {@link parseRules}.
 */
export function parseRule(
  line: string,
  at: RuleSource = { file: 'ipvsadm', line: 1 },
  dialect: Dialect = 'ipvsadm',
): RuleCommand | undefined {
  const words = splitWords(line);
  if (words.length === 0) return undefined;
  if (words[0]!.text === 'ipvsadm') words.shift();
  const fail = (word: Word | undefined, text: string): never => {
    throw new RuleError(at.file, at.line, word?.column, text);
  };
  let read: CommandLine;
  try {
    read = readCommandLine(words, NO_NAMES, dialect);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { word } = error;
    const other = dialect === 'dpvs' ? 'ipvsadm' : 'dpvs';
    const hint = isRead(words, other) ? HINTS[other] : '';
    if (error instanceof NoCommandError) {
      const got = word ? `"${word.text}"` : 'nothing';
      return fail(word, `expected a command such as -A or -a first, got ${got}${hint}`);
    }
    return fail(word, detailed(error.message.trimEnd(), word) + hint);
  }
  const { options, service } = read;
  if (read.command.endsWith('-daemon')) {
    return fail(words[0], `${words[0]!.text}: connection synchronisation is not handled by this version`);
  }
  if (!isRule(read.command)) return fail(words[0], `${words[0]!.text}: not a rule`);
  const scheduler = options.get('scheduler')?.value;
  if (scheduler !== undefined && !SCHEDULER_NAMES.some((name) => name === service.scheduler)) {
    const known = SCHEDULER_NAMES.join(', ');
    return fail(scheduler, `${REFUSALS.noScheduler}: expected one of ${known}, got "${scheduler.text}"`);
  }
  const pe = options.get('pe')?.value;
  if (pe !== undefined && service.pe !== 'sip' && service.pe !== '') {
    return fail(pe, `${REFUSALS.noScheduler}: expected the engine sip, got "${pe.text}"`);
  }
  return ruleOf(read, at);
}

/** What to do with words of another dialect. */
const HINTS: Readonly<Record<Dialect, string>> = {
  dpvs: ": in DPVS's words, which --dialect dpvs takes",
  ipvsadm: ': with --dialect dpvs, -b is --fullnat, and flags of schedulers are --sched-flags',
};

/** Whether a dialect takes these words. */
function isRead(words: readonly Word[], dialect: Dialect): boolean {
  try {
    readCommandLine(words, NO_NAMES, dialect);
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** Splits a line on blanks; `#` starts a comment wherever it stands. */
function splitWords(line: string): Word[] {
  const words: Word[] = [];
  const comment = line.indexOf('#');
  for (const match of (comment < 0 ? line : line.slice(0, comment)).matchAll(/[^ \t\r]+/g)) {
    words.push({ text: match[0], column: match.index + 1 });
  }
  return words;
}

const NAMES_HINT = ': names are not resolved here, ipvsadm -S -n writes numbers';

/** With what was given, where the text does not tell it, and a guess at what was meant. */
function detailed(text: string, word: Word | undefined): string {
  if (word === undefined || word.text.startsWith('-')) return text;
  const [, address = '', port = ''] = /^(.*):(\d+)$/.exec(word.text) ?? [];
  const isNamed = word.text.split(':').some((part) => NAME.test(part)) && !/::|\[.*[^\d:a-f].*\]/i.test(word.text);
  const hint = isIPv6(address)
    ? `: write [${address}]:${port}`
    : text.includes('address[:port]') && isNamed
      ? NAMES_HINT
      : '';
  return `${text}${text.includes(word.text) && word.text !== '' ? '' : `: got "${word.text}"`}${hint}`;
}
