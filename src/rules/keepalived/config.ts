/**
 * A keepalived.conf as a whole.
 *
 * @module
 */
import type { Family } from '../../address.js';
import type { RuleSource } from '../error.js';
import type { RuleCommand, RuleKey } from '../rule.js';
import { type Entry, entryOf, groupOf, type KeepalivedLocalAddress, localGroupOf } from './group.js';
import { type KeepalivedOptions, readLines } from './lines.js';
import { type Problem, Problems } from './problems.js';
import type { KeepalivedServer } from './server.js';
import { checkService } from './services.js';
import { buildTree, type KeepalivedStatement } from './tree.js';
import { expectWords, numberOf, textOf } from './values.js';
import { type ServerBlock, serverBlockOf } from './virtual-server.js';

/** A virtual server: one of a group's addresses or marks, or the only one. Those of a group share their servers. */
export interface KeepalivedService {
  /** The line of its address or mark. */
  readonly at: RuleSource;
  readonly key: RuleKey;
  readonly settings: ServerBlock['settings'];
  /** Those of its `local_address_group`. */
  readonly localAddresses: readonly KeepalivedLocalAddress[];
  readonly realServers: readonly KeepalivedServer[];
  readonly sorryServer: KeepalivedServer | undefined;
  /** Weights of all live servers together below which the sorry server takes over. */
  readonly quorum: number;
  /** Kept for who wants it: how far from the quorum the weights have to be before anything changes. */
  readonly hysteresis: number;
  readonly omega: boolean;
  /** What is about checks and whom to tell, such as `delay_loop` and `quorum_down`. */
  readonly health: readonly KeepalivedStatement[];
}

type Timeouts = Omit<Extract<RuleCommand, { command: 'set' }>, 'at' | 'command'>;

/** What a file means. */
export interface ReadConfig {
  readonly services: readonly KeepalivedService[];
  /** Of `lvs_timeouts`. */
  readonly timeouts: (Timeouts & { readonly at: RuleSource }) | undefined;
  /** In the order of the lines as they were read. */
  readonly problems: readonly Problem[];
}

/** Top-level words that have to do with other things than IPVS. */
const SKIPPED = new Set([
  ...['global_defs', 'SSL', 'linkbeat_interfaces', 'linkbeat_use_polling', 'interface_up_down_delays', 'garp_group'],
  ...[
    'static_ipaddress',
    'static_routes',
    'static_rules',
    'track_group',
    'track_file',
    'track_process',
    'bfd_instance',
  ],
  ...['net_namespace', 'net_namespace_ipvs', 'namespace_with_ipsets', 'instance', 'use_pid_dir', 'child_wait_time'],
  'include_check',
]);

/** Reads a file; whatever is wrong with it is one of the problems. */
export function readConfig(text: string, options: KeepalivedOptions = {}): ReadConfig {
  const problems = new Problems();
  const reader = new ConfigReader(problems);
  const statements = buildTree(readLines(text, options, problems), problems);
  for (const statement of statements) problems.attempt(() => reader.take(statement));
  const services = reader.services();
  return { services, timeouts: reader.timeouts, problems: problems.all };
}

class ConfigReader {
  readonly #problems: Problems;
  readonly #groups = new Map<string, readonly Entry[]>();
  readonly #localGroups = new Map<string, readonly KeepalivedLocalAddress[]>();
  readonly #servers: { readonly statement: KeepalivedStatement; readonly block: ServerBlock }[] = [];
  timeouts: ReadConfig['timeouts'];

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** Takes a statement of the top level. */
  take(statement: KeepalivedStatement): void {
    const { at, words, block } = statement;
    const name = words[0]!;
    if (name === 'virtual_server') {
      if (block === undefined) this.#problems.error(at, `${words.join(' ')}: the block is missing`);
      this.#servers.push({ statement, block: serverBlockOf(statement, this.#problems) });
    } else if (name === 'virtual_server_group') {
      expectWords(statement, 1);
      if (this.#groups.has(words[1]!)) this.#problems.error(at, `there are two groups ${words[1]}`);
      this.#groups.set(words[1]!, groupOf(statement, this.#problems));
    } else if (name === 'local_address_group') {
      expectWords(statement, 1);
      if (this.#localGroups.has(words[1]!)) this.#problems.error(at, `there are two local address groups ${words[1]}`);
      this.#localGroups.set(words[1]!, localGroupOf(statement, this.#problems));
    } else if (SKIPPED.has(name) || name.startsWith('vrrp_')) {
      const timeouts = name === 'global_defs' ? block?.find((one) => one.words[0] === 'lvs_timeouts') : undefined;
      const ignored =
        block === undefined ? 'the line' : `its block${timeouts === undefined ? '' : ' but lvs_timeouts'}`;
      this.#problems.warn(at, `${name} is not for IPVS, ${ignored} is ignored`);
      if (timeouts !== undefined) this.#takeTimeouts(timeouts);
    } else this.#problems.error(at, `unknown word "${name}"`);
  }

  #takeTimeouts(line: KeepalivedStatement): void {
    const given: Record<string, number> = { tcp: 0, tcpfin: 0, udp: 0 };
    expectWords(line, 2, 6);
    for (let i = 1; i < line.words.length; i += 2) {
      const name = line.words[i]!;
      if (!Object.hasOwn(given, name)) {
        this.#problems.error(line.at, `lvs_timeouts: expected tcp, tcpfin or udp, got "${name}"`);
        return;
      }
      given[name] = numberOf(line, line.words[i + 1], 1, 31 * 86400);
    }
    this.timeouts = { at: line.at, tcp: given.tcp!, tcpfin: given.tcpfin!, udp: given.udp! };
  }

  /** All virtual servers; their groups may stand behind them. */
  services(): KeepalivedService[] {
    const services: KeepalivedService[] = [];
    for (const { statement, block } of this.#servers) {
      this.#problems.attempt(() => {
        const locals = this.#localsOf(block);
        for (const entry of this.#entriesOf(statement)) services.push(serviceOf(entry, block, locals));
      });
    }
    for (const service of services) checkService(service, this.#problems);
    return services;
  }

  /** The local addresses that a virtual server names. */
  #localsOf({ localGroup }: ServerBlock): readonly KeepalivedLocalAddress[] {
    if (localGroup === undefined) return [];
    const name = textOf(localGroup);
    const group = this.#localGroups.get(name);
    if (group === undefined) this.#problems.error(localGroup.at, `there is no local_address_group ${name}`);
    return group ?? [];
  }

  #entriesOf(statement: KeepalivedStatement): readonly Entry[] {
    const { at, words } = statement;
    if (words[1] !== 'group') return [entryOf(statement)];
    expectWords(statement, 2);
    const group = this.#groups.get(words[2]!);
    if (group === undefined) this.#problems.error(at, `there is no virtual_server_group ${words[2]}`);
    return group ?? [];
  }
}

function serviceOf(
  entry: Entry,
  block: ServerBlock,
  localAddresses: readonly KeepalivedLocalAddress[],
): KeepalivedService {
  const { protocol, settings, realServers, sorryServer, quorum, hysteresis, omega, health } = block;
  const family: Family = entry.family ?? block.family ?? 4;
  const key: RuleKey =
    'fwmark' in entry ? { fwmark: entry.fwmark, family } : { protocol, address: entry.address, port: entry.port };
  const { at } = entry;
  return { at, key, settings, localAddresses, realServers, sorryServer, quorum, hysteresis, omega, health };
}
