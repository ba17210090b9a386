/**
 * One command line of ipvsadm 1.31, read and checked in its order: what is wrong first is what it complains about.
 *
 * @module
 */
import type { Names } from './names.js';
import { type GivenOption, OptionReader, type Word } from './option-reader.js';
import { DaemonOptions, ServerOptions, ServiceOptions } from './option-values.js';
import {
  type CommandName,
  commandLabel,
  type Dialect,
  GROUPS,
  groupOf,
  type OptionGroup,
  type OptionName,
  TAKINGS,
  type Takings,
  TUNNEL_GROUPS,
  TUNNEL_TAKINGS,
} from './options.js';
import { NoCommandError, UsageError } from './usage-error.js';
import { parseSchedulerFlags, parseTimeout } from './values.js';

/** What a command line says. */
export interface CommandLine {
  readonly command: CommandName;
  /** The options that were given, by their groups. */
  readonly options: ReadonlyMap<OptionGroup, GivenOption>;
  readonly service: ServiceOptions;
  readonly server: ServerOptions;
  /** Seconds for tcp, tcpfin and udp. */
  readonly timeouts: readonly [number, number, number];
}

/** Reads the words after `ipvsadm`. @throws UsageError */
export function readCommandLine(words: readonly Word[], names: Names, dialect: Dialect = 'ipvsadm'): CommandLine {
  const reader = new OptionReader(words, dialect);
  const command = commandOf(reader, words);
  const daemon = new DaemonOptions();
  if (command.value !== undefined) daemon.state(command.spec.name, command.value);
  const name = command.spec.name as CommandName;
  const given = new Map<OptionGroup, GivenOption>();
  const service = new ServiceOptions(names);
  const server = new ServerOptions(names);
  // These two end before anything else is read.
  if (name === 'help' || name === 'version')
    return { command: name, options: given, service, server, timeouts: [0, 0, 0] };
  for (let option = reader.next(); option !== undefined; option = reader.next()) {
    if (option.spec.isCommand) throw new UsageError(`invalid option \`${option.last.text}'`, option.last);
    note(option, given);
    const optionName = option.spec.name as OptionName;
    service.take(optionName, option.value, option.last);
    server.take(optionName, option.value, service);
    daemon.take(optionName, option.value);
  }
  const { rest } = reader;
  const timeouts = name === 'set' ? timeoutsOf(rest, command.last) : ([0, 0, 0] as const);
  const [unexpected] = rest;
  if (unexpected !== undefined) throw new UsageError(`unexpected argument ${unexpected.text}`, unexpected);
  const flags = given.get('sched-flags');
  if (flags?.value !== undefined) service.flags = parseSchedulerFlags(flags.value, service.scheduler);
  checkGroups(GROUPS, TAKINGS[name], given, command.last, `'${commandLabel(name)}' command`);
  const line = { command: name, options: given, service, server, timeouts };
  checkMeaning(line);
  return line;
}

function commandOf(reader: OptionReader, words: readonly Word[]): GivenOption {
  let option: GivenOption | undefined;
  try {
    option = reader.next();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  if (option === undefined || !option.spec.isCommand) throw new NoCommandError(words[0]);
  // ipvsadm looks at what is left over only behind the last option, and then at all of it.
  return option;
}

function note(option: GivenOption, given: Map<OptionGroup, GivenOption>): void {
  const group = groupOf(option.spec.name as OptionName);
  if (group === undefined) return;
  if (given.has(group)) throw new UsageError(`multiple '${group}' options specified`, option.word);
  given.set(group, option);
}

function timeoutsOf(rest: Word[], command: Word): [number, number, number] {
  const [tcp, tcpfin, udp] = rest.splice(0, 3);
  if (udp === undefined) throw new UsageError('--set option requires 3 timeout values', command);
  return [parseTimeout(tcp, 0), parseTimeout(tcpfin, 0), parseTimeout(udp, 0)];
}

/** Whether the options are those that `takings` allow. @throws UsageError in the words of ipvsadm */
function checkGroups(
  groups: readonly OptionGroup[],
  { needs = [], may = [], oneOf = [] }: Takings,
  given: ReadonlyMap<OptionGroup, GivenOption>,
  about: Word,
  whose: string,
): void {
  let first: OptionGroup | undefined;
  for (const group of groups) {
    const word = given.get(group)?.word;
    if (word === undefined) {
      if (needs.includes(group))
        throw new UsageError(`You need to supply the '${group}' option for the ${whose}`, about);
    } else if (oneOf.includes(group)) {
      if (first !== undefined) {
        throw new UsageError(`The option '${group}' conflicts with the '${first}' option in the ${whose}`, word);
      }
      first = group;
    } else if (!needs.includes(group) && !may.includes(group)) {
      throw new UsageError(`Illegal '${group}' option with the ${whose}`, word);
    }
  }
}

/** What holds between options. @throws UsageError */
function checkMeaning({ command, options, service, server }: CommandLine): void {
  if (command === 'add-service' || command === 'edit-service') {
    if (service.fwmark === undefined && service.port === 0 && service.persistent === undefined) {
      throw new UsageError('Zero port specified for non-persistent service', options.get('service-address')?.value);
    }
    if (service.ops && service.fwmark === undefined && service.protocol !== 'udp') {
      throw new UsageError('One-Packet Scheduling is only for UDP virtual services', options.get('ops')?.word);
    }
  }
  if (command === 'add-server' || command === 'edit-server') {
    const isNat64 = server.method === 'fullnat' && service.family === 6;
    if (server.family !== service.family && server.method !== 'tun' && !isNat64) {
      const word = options.get('real-server')?.value;
      throw new UsageError('Different address family is allowed only for tunneling servers', word);
    }
    const tunnelOption = (['tun-type', ...TUNNEL_GROUPS] as const).find((group) => options.has(group));
    if (server.method === 'tun') {
      const about = options.get('forwarding-method')!.word;
      checkGroups(
        TUNNEL_GROUPS,
        TUNNEL_TAKINGS[server.tunnelType],
        options,
        about,
        `'${server.tunnelType}' tunnel type`,
      );
    } else if (tunnelOption !== undefined) {
      throw new UsageError('Tunnel options conflict with forward method', options.get(tunnelOption)?.word);
    }
  }
  if (command === 'list') checkListing(options);
}

function checkListing(options: CommandLine['options']): void {
  const has = (...groups: OptionGroup[]) => groups.find((group) => options.has(group));
  const counters = has('stats', 'rate', 'thresholds') ?? (has('connection') ? undefined : has('persistent-conn'));
  if (has('connection', 'timeout', 'daemon') && counters !== undefined) {
    throw new UsageError('options conflicts in the list command', options.get(counters)?.word);
  }
}
