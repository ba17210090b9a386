/**
 * Rules in ipvsadm's words: lines as `ipvsadm -S -n` prints them and as people type them.
 *
 * Grammar, defaults and limits are ipvsadm 1.31's: the command comes first, scheduler `wlc`, method `-g`, weight 1
 * (0 to 65535), DR and TUN force the server's port to the service's. Differences, all on the strict side: names are
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
import type { DestConfig, DestKey, MethodName, ServiceConfig, ServiceKey } from '../types.js';
import { RuleError, type RuleSource } from './error.js';
import { type CommandName, type GivenOption, type OptionName, splitOptions, splitWords, type Word } from './options.js';
import { type Endpoint, parseEndpoint, parseNumber, parseScheduler, parseSchedulerFlags } from './values.js';

export { applyRules, type RuleTarget } from './apply.js';
export { RuleError, type RuleSource } from './error.js';

/** A command with every default filled in, named by ipvsadm's long option, and where it stands. */
export type RuleCommand = { readonly at: RuleSource } & (
  | { readonly command: 'add-service' | 'edit-service'; readonly service: Required<ServiceConfig> }
  | { readonly command: 'delete-service'; readonly service: ServiceKey }
  | { readonly command: 'clear' }
  | {
      readonly command: 'add-server' | 'edit-server';
      readonly service: ServiceKey;
      readonly dest: Required<DestConfig>;
    }
  | { readonly command: 'delete-server'; readonly service: ServiceKey; readonly dest: Required<DestKey> }
  /** Seconds; 0 leaves a timeout as it is. */
  | { readonly command: 'set'; readonly tcp: number; readonly tcpfin: number; readonly udp: number }
);

/** Which options a command takes besides itself. */
const SERVICE: readonly OptionName[] = ['tcp-service', 'udp-service'];
const METHODS: readonly OptionName[] = ['gatewaying', 'masquerading', 'ipip'];
const SERVICE_OPTIONS: readonly OptionName[] = [...SERVICE, 'scheduler', 'sched-flags'];
const SERVER_KEY: readonly OptionName[] = [...SERVICE, 'real-server'];
const SERVER_OPTIONS: readonly OptionName[] = [
  ...SERVER_KEY,
  ...METHODS,
  'weight',
  'u-threshold',
  'l-threshold',
  'tun-type',
];
const ALLOWED: Record<CommandName, readonly OptionName[]> = {
  'add-service': SERVICE_OPTIONS,
  'edit-service': SERVICE_OPTIONS,
  'delete-service': SERVICE,
  clear: [],
  'add-server': SERVER_OPTIONS,
  'edit-server': SERVER_OPTIONS,
  'delete-server': SERVER_KEY,
  set: [],
};
const METHOD_OF: Partial<Record<OptionName, MethodName>> = { gatewaying: 'dr', masquerading: 'nat', ipip: 'tun' };
/** 31 days, ipvsadm's limit of a timeout. */
const MAX_TIMEOUT = 31 * 86400;
/** INT_MAX, ipvsadm's limit of a threshold. */
const MAX_THRESHOLD = 0x7fffffff;

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
  // Protocols exclude each other like methods do, and no option may be given twice.
  for (const group of [SERVICE, METHODS, [name]]) {
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
  const service = given.service();
  switch (name) {
    case 'add-service':
    case 'edit-service': {
      const scheduler = given.value('scheduler', (word) => parseScheduler(word, at)) ?? 'wlc';
      const flags = given.value('sched-flags', (word) => parseSchedulerFlags(word, scheduler, at)) ?? [];
      return { at, command: name, service: { ...service, scheduler, flags } };
    }
    case 'delete-service':
      return { at, command: name, service };
    case 'add-server':
    case 'edit-server':
      return { at, command: name, service, dest: given.dest(service) };
    case 'delete-server': {
      const { address, port } = given.server();
      return { at, command: name, service, dest: { address, port: port ?? service.port } };
    }
  }
}

/** The options of one line, asked for by name. */
class Given {
  constructor(
    private readonly options: ReadonlyMap<OptionName, GivenOption>,
    private readonly command: GivenOption,
    readonly at: RuleSource,
  ) {}

  value<T>(name: OptionName, parse: (word: Word) => T): T | undefined {
    const word = this.options.get(name)?.value;
    return word === undefined ? undefined : parse(word);
  }

  fail(column: number, text: string): never {
    throw new RuleError(this.at.file, this.at.line, column, text);
  }

  service(): ServiceKey {
    const option = this.options.get('tcp-service') ?? this.options.get('udp-service');
    if (option === undefined) this.fail(this.command.column, `${this.command.shown}: expected a service (-t or -u)`);
    const word = option.value!;
    const { address, port } = parseEndpoint(word, this.at);
    if (port === undefined || port === 0) {
      this.fail(
        word.column,
        `expected a service port of 1 to 65535, got "${word.text}": port 0 needs persistence, which is not handled by this version`,
      );
    }
    return { protocol: option.name === 'tcp-service' ? 'tcp' : 'udp', address, port };
  }

  server(): Endpoint {
    const option = this.options.get('real-server');
    if (option === undefined) this.fail(this.command.column, `${this.command.shown}: expected a real server (-r)`);
    const endpoint = parseEndpoint(option.value!, this.at);
    if (endpoint.port === 0) {
      this.fail(option.value!.column, `expected a port of 1 to 65535, got "${option.value!.text}"`);
    }
    return endpoint;
  }

  dest(service: ServiceKey): Required<DestConfig> {
    const { at } = this;
    const { address, port = service.port } = this.server();
    const methodOption = METHODS.find((name) => this.options.has(name)) ?? 'gatewaying';
    const method = METHOD_OF[methodOption]!;
    this.tunnelType(method);
    const threshold = (name: OptionName): number =>
      this.value(name, (word) => parseNumber(word, MAX_THRESHOLD, 'a threshold', at)) ?? 0;
    const upperThreshold = threshold('u-threshold');
    const lowerThreshold = threshold('l-threshold');
    if (lowerThreshold > upperThreshold) {
      const { column } = this.options.get('l-threshold')!.value!;
      this.fail(
        column,
        `expected a lower threshold of at most the upper one (${upperThreshold}), got ${lowerThreshold}`,
      );
    }
    return {
      address,
      // Only NAT can map ports: DR and TUN leave the segment as it is, so that the server must listen on the VIP's port.
      port: method === 'nat' ? port : service.port,
      method,
      weight: this.value('weight', (word) => parseNumber(word, 65535, 'a weight', at)) ?? 1,
      upperThreshold,
      lowerThreshold,
    };
  }

  private tunnelType(method: MethodName): void {
    const option = this.options.get('tun-type');
    if (option === undefined) return;
    const { text, column } = option.value!;
    if (text === 'gue' || text === 'gre') this.fail(column, `${text} tunnels are not handled by this version`);
    if (text !== 'ipip') this.fail(column, `expected the tunnel type ipip, got "${text}"`);
    if (method !== 'tun') this.fail(option.column, `${option.shown} needs -i (--ipip)`);
  }
}
