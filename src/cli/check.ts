/**
 * `ipvs-wasm check`: what is wrong with files of rules, by line.
 *
 * @module
 */
import { familyOf } from '../address.js';
import { Director } from '../director.js';
import { type ErrorCode, IpvsError } from '../errors.js';
import type { ServiceInfo, ServiceKey } from '../index.js';
import {
  applyRules,
  checkKeepalived,
  type Dialect,
  type Problem,
  parseRule,
  type RuleCommand,
  RuleError,
} from '../rules/index.js';
import { GrowingDirector } from './growing-director.js';
import { type Io, usageError } from './io.js';
import { type CommandSpec, helpText, parseOptions } from './options.js';
import { DIALECT_OPTION, includedFiles, isKeepalived, nameOf, parseDialect, readText } from './rules-file.js';

const SPEC: CommandSpec = {
  name: 'check',
  summary: 'mistakes in ipvsadm rules and keepalived.conf, by line',
  usage: ['[OPTIONS] FILE...'],
  options: [
    { name: 'keepalived', help: 'all FILEs are of keepalived; default: what a FILE looks like' },
    { name: 'config-id', short: 'i', value: 'ID', help: 'the ID of lines with @ID, as for keepalived; default: none' },
    DIALECT_OPTION,
  ],
  notes: `A line of output is FILE:LINE: error: TEXT, or warning; - is standard input.
Rules are those of 'ipvsadm -S', or as they are typed. A file that can be read is
applied to an empty director, so that what it refuses is found, too.

Of keepalived.conf, virtual servers are read, their checkers too; what is about
VRRP is ignored with a warning. Files that are included are read as well.

Exit code 0: there is no error (warnings may be); 1: there is one; 2: wrong
words, or a FILE that cannot be read.
`,
};

/** Runs `check` with the words after it; gives the exit code. */
export async function checkCommand(argv: readonly string[], io: Io): Promise<number> {
  const options = parseOptions(SPEC, argv, true);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  const { positionals: files } = options;
  if (files.length === 0) throw usageError('a FILE is needed');
  if (files.filter((file) => file === '-').length > 1) throw usageError('standard input can be read once');
  const dialect = parseDialect(options.get('dialect') ?? 'ipvsadm');
  let hasErrors = false;
  for (const file of files) {
    const text = readText(file);
    const isConfig = options.has('keepalived') || isKeepalived(text);
    const problems = isConfig ? checkConfig(text, file, options.get('config-id')) : checkRules(text, file, dialect);
    for (const { at, severity, text: words } of sorted(problems)) {
      io.out(`${at.file}:${at.line}: ${severity}: ${words}\n`);
    }
    hasErrors ||= problems.some(({ severity }) => severity === 'error');
  }
  return hasErrors ? 1 : 0;
}

function checkConfig(text: string, file: string, id: string | undefined): Problem[] {
  const options = { file: nameOf(file), include: includedFiles, ...(id !== undefined && { id }) };
  const { rules, problems } = checkKeepalived(text, options);
  return [...problems, ...(hasError(problems) ? [] : refusalsOf(rules))];
}

function checkRules(text: string, file: string, dialect: Dialect): Problem[] {
  const problems: Problem[] = [];
  const rules: RuleCommand[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const at = { file: nameOf(file), line: i + 1 };
    noteErrors(problems, () => {
      const rule = parseRule(line, at, dialect);
      if (rule === undefined) return;
      rules.push(rule);
      problems.push(...otherPort(rule, line));
    });
  }
  // What hangs on a line that could not be read would be refused for that alone.
  return hasError(problems) ? problems : [...problems, ...refusalsOf(rules)];
}

/** ipvsadm passes over the port of a server that packets reach untranslated. */
function otherPort(rule: RuleCommand, line: string): Problem[] {
  // One by SNAT is refused with any port.
  if ((rule.command !== 'add-server' && rule.command !== 'edit-server') || rule.dest.method === 'snat') return [];
  const { at, dest } = rule;
  const [, given] = /\s(?:-r|--real-server)[\s=]*(?:\[[^\]\s]*\]|[^:\s]+):(\d+)(?:\s|$)/.exec(line) ?? [];
  if (given === undefined || Number(given) === dest.port) return [];
  const text = `${dest.method.toUpperCase()} keeps the port: the server gets ${dest.port}, not ${given}`;
  return [{ at, severity: 'warning', text }];
}

/** What an empty director says to the rules. */
function refusalsOf(rules: readonly RuleCommand[]): Problem[] {
  // No connection is made here, and no port given.
  const plan = { connections: 1, connections6: 1 };
  const growing = new GrowingDirector(Director.createSync({ plan, localPorts: { first: 1, last: 1 } }));
  const problems: Problem[] = [];
  const refused = new Set<string>();
  for (const rule of rules) {
    // What is about a service that was refused is not wrong for that.
    if ('service' in rule && rule.service !== undefined && refused.has(nameOfService(rule.service))) continue;
    const code = noteErrors(problems, () => applyRules(growing, [rule]));
    if (rule.command === 'add-service' && code !== undefined && code !== 'SERVICE_EXISTS') {
      refused.add(nameOfService(rule.service));
    }
  }
  problems.push(...withoutLocalAddress(rules, growing.services()));
  growing.director.close();
  return problems;
}

/** Servers by FullNAT that nothing will reach, a warning for the first of each family in a service. */
function withoutLocalAddress(rules: readonly RuleCommand[], services: readonly ServiceInfo[]): Problem[] {
  const lacking = new Set<string>();
  for (const service of services) {
    const families = new Set(service.localAddresses?.map(familyOf));
    for (const family of [4, 6] as const) if (!families.has(family)) lacking.add(`${nameOfService(service)} ${family}`);
  }
  const problems: Problem[] = [];
  for (const rule of rules) {
    if (rule.command !== 'add-server' || rule.dest.method !== 'fullnat') continue;
    const family = familyOf(rule.dest.address);
    if (!lacking.delete(`${nameOfService(rule.service)} ${family}`)) continue;
    const text = `its service has no local address of IPv${family} (--add-laddr, laddr_group_name), without which FullNAT does not reach it`;
    problems.push({ at: rule.at, severity: 'warning', text });
  }
  return problems;
}

function nameOfService(key: ServiceKey): string {
  return 'fwmark' in key ? `${key.fwmark} ${key.family ?? 4}` : `${key.protocol} ${key.address} ${key.port}`;
}

/** Runs a step, and notes what is wrong with its rule; gives the code of the refusal, `undefined` when there was none. */
function noteErrors(problems: Problem[], step: () => void): ErrorCode | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    const { file, line, message, cause } = error;
    const code = cause instanceof IpvsError ? cause.code : error.code;
    // What fits in no director may fit in a kernel.
    if (code === 'TABLE_FULL') return code;
    const text = message.slice(`${file}:${line}:`.length).replace(/^\d+: |^ /, '');
    problems.push({ at: { file, line }, severity: 'error', text });
    return code;
  }
}

function hasError(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

/** By line within each file, each once; files as they were first met. */
function sorted(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map(({ at }) => at.file))];
  // A line that several services share may be wrong for each.
  const different = new Map(
    problems.map((one) => [`${one.at.file}:${one.at.line}: ${one.severity}: ${one.text}`, one]),
  );
  return [...different.values()].sort(
    (a, b) => files.indexOf(a.at.file) - files.indexOf(b.at.file) || a.at.line - b.at.line,
  );
}
