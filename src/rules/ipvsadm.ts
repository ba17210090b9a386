/**
 * Rules in ipvsadm's words: lines as `ipvsadm -S -n` prints them and as people type them.
 *
 * Grammar, defaults and limits are ipvsadm 1.31's: the command comes first, scheduler `wlc`, method `-g`, weight 1
 * (0 to 65535), DR and TUN force the server's port to the service's, IPv6 stands in brackets. Differences, all on the strict side: names are
 * not resolved, numbers are decimal, and a file is read whole before its first rule is applied, so that a mistake in
 * the last line leaves nothing half done. What ipvsadm knows and this version does not is refused by name.
 *
 * ```ts
 * const commands = parseRules('-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m', 'rules.txt');
 * applyRules(director, commands);
 * ```
 *
 * @module
 */
import type { DestKey } from '../types.js';
import { RuleError, type RuleSource } from './error.js';
import { CHECKSUMS, Given, METHODS, type RuleDest, type RuleKey, type RuleService, SERVICE, TUNNEL } from './given.js';
import { type CommandName, type GivenOption, type OptionName, splitOptions, splitWords, type Word } from './options.js';
import { parseNumber } from './values.js';

export { applyRules, type RuleTarget } from './apply.js';
export { RuleError, type RuleSource } from './error.js';
export type { RuleDest, RuleKey, RuleService } from './given.js';

/** A command with every default filled in, named by ipvsadm's long option, and where it stands. */
export type RuleCommand = { readonly at: RuleSource } & (
  | { readonly command: 'add-service' | 'edit-service'; readonly service: RuleService }
  | { readonly command: 'delete-service'; readonly service: RuleKey }
  | { readonly command: 'clear' }
  | { readonly command: 'add-server' | 'edit-server'; readonly service: RuleKey; readonly dest: RuleDest }
  | { readonly command: 'delete-server'; readonly service: RuleKey; readonly dest: Required<DestKey> }
  /** Seconds; 0 leaves a timeout as it is. */
  | { readonly command: 'set'; readonly tcp: number; readonly tcpfin: number; readonly udp: number }
);

/** Which options a command takes besides itself. */
const KEY: readonly OptionName[] = [...SERVICE, 'ipv6'];
const SERVICE_OPTIONS: readonly OptionName[] = [
  ...KEY,
  'scheduler',
  'sched-flags',
  'persistent',
  'netmask',
  'pe',
  'ops',
];
const SERVER_KEY: readonly OptionName[] = [...KEY, 'real-server'];
const SERVER_OPTIONS: readonly OptionName[] = [
  ...SERVER_KEY,
  ...METHODS,
  'weight',
  'u-threshold',
  'l-threshold',
  ...TUNNEL,
];
const ALLOWED: Record<CommandName, readonly OptionName[]> = {
  'add-service': SERVICE_OPTIONS,
  'edit-service': SERVICE_OPTIONS,
  'delete-service': KEY,
  clear: [],
  'add-server': SERVER_OPTIONS,
  'edit-server': SERVER_OPTIONS,
  'delete-server': SERVER_KEY,
  set: [],
};
/** 31 days, ipvsadm's limit of a timeout. */
const MAX_TIMEOUT = 31 * 86400;

/**
 * Reads a whole rules file.
 *
 * @param file named in errors.
 * @throws RuleError at the first line that does not parse or is not handled by this version.
 */
export function parseRules(text: string, file = 'rules'): RuleCommand[] {
  const commands: RuleCommand[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const command = parseRule(line, { file, line: index + 1 });
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
export function parseRule(line: string, at: RuleSource = { file: 'ipvsadm', line: 1 }): RuleCommand | undefined {
  const words = splitWords(line);
  if (words.length === 0) return undefined;
  if (words[0]!.text === 'ipvsadm') words.shift();
  const { options, rest } = splitOptions(words, at);
  const [command] = options;
  if (command === undefined || !command.command || (rest[0]?.column ?? Infinity) < command.column) {
    const first = words[0];
    const got = first === undefined ? 'nothing' : `"${first.text}"`;
    throw new RuleError(at.file, at.line, first?.column, `expected a command such as -A or -a first, got ${got}`);
  }
  const name = command.name as CommandName;
  const given = new Map<OptionName, GivenOption>();
  for (const option of options.slice(1)) addOption(given, option, command, at);
  if (name === 'set') return { at, command: name, ...parseTimeouts(command, rest, at) };
  const [extra] = rest;
  if (extra !== undefined) throw new RuleError(at.file, at.line, extra.column, `unexpected word "${extra.text}"`);
  return commandOf(name, new Given(given, command, at));
}

function addOption(
  given: Map<OptionName, GivenOption>,
  option: GivenOption,
  command: GivenOption,
  at: RuleSource,
): void {
  const fail = (text: string): never => {
    throw new RuleError(at.file, at.line, option.column, text);
  };
  if (option.command) fail(`expected one command, got ${option.shown} after ${command.shown}`);
  const name = option.name as OptionName;
  if (!ALLOWED[command.name as CommandName].includes(name)) fail(`${option.shown} does not go with ${command.shown}`);
  if (name === 'ipv6' && !given.has('fwmark-service')) fail(`${option.shown} needs -f (--fwmark-service) before it`);
  // Kinds of services exclude each other like methods do, and no option may be given twice.
  for (const group of [SERVICE, METHODS, CHECKSUMS, [name]]) {
    const other = group.includes(name) ? group.map((member) => given.get(member)).find(Boolean) : undefined;
    if (other !== undefined) fail(`${option.shown} after ${other.shown}: only one of them may be given`);
  }
  given.set(name, option);
}

function parseTimeouts(command: GivenOption, rest: readonly Word[], at: RuleSource) {
  const [tcp, tcpfin, udp] = rest;
  if (tcp === undefined || tcpfin === undefined || udp === undefined || rest.length > 3) {
    const text = `${command.shown}: expected three timeouts (tcp tcpfin udp), got ${rest.length}`;
    throw new RuleError(at.file, at.line, (rest[3] ?? command).column, text);
  }
  const seconds = (word: Word): number => parseNumber(word, MAX_TIMEOUT, 'seconds', at);
  return { tcp: seconds(tcp), tcpfin: seconds(tcpfin), udp: seconds(udp) };
}

function commandOf(name: Exclude<CommandName, 'set'>, given: Given): RuleCommand {
  const { at } = given;
  if (name === 'clear') return { at, command: name };
  switch (name) {
    case 'add-service':
    case 'edit-service':
      return { at, command: name, service: given.service() };
    case 'delete-service':
      return { at, command: name, service: given.key() };
    case 'add-server':
    case 'edit-server': {
      const service = given.key();
      return { at, command: name, service, dest: given.dest(service) };
    }
    case 'delete-server': {
      const service = given.key();
      return { at, command: name, service, dest: given.destKey(service) };
    }
  }
}
