/**
 * The block of a virtual server.
 *
 * @module
 */
import { type Family, familyOf } from '../../address.js';
import { SCHEDULER_NAMES } from '../../schedulers.js';
import type { ProtocolName, SchedulerFlag, SchedulerName, ServiceSettings } from '../../types.js';
import type { RuleSource } from '../error.js';
import { NO_NAMES } from '../names.js';
import { UsageError } from '../usage-error.js';
import { parseNetmask, parseSchedulerFlags } from '../values.js';
import { HEALTH_WORDS } from './checkers.js';
import { type Problems, refuse } from './problems.js';
import { type KeepalivedServer, realServerOf, sorryServerOf, weightOf } from './server.js';
import type { KeepalivedStatement } from './tree.js';
import { expectWords, type Forwarding, familyWord, forwardingOf, numberOf, switchOf, textOf } from './values.js';

/** What a `virtual_server` block says, with every default filled in. */
export interface ServerBlock {
  readonly protocol: ProtocolName;
  /** That of marks without one of their own, as far as the block tells it. */
  readonly family: Family | undefined;
  readonly settings: Required<Pick<ServiceSettings, 'scheduler' | 'flags'>> & ServiceSettings;
  /** Names the group of its local addresses. */
  readonly localGroup: KeepalivedStatement | undefined;
  readonly quorum: number;
  readonly hysteresis: number;
  readonly omega: boolean;
  readonly realServers: readonly KeepalivedServer[];
  readonly sorryServer: KeepalivedServer | undefined;
  /** What is about checks and whom to tell. */
  readonly health: readonly KeepalivedStatement[];
}

/** Seconds of `persistence_timeout` without a value. */
const DEFAULT_PERSISTENCE = 360;
const MAX_PERSISTENCE = 31 * 86400;
const FLAGS = ['flag-1', 'flag-2', 'flag-3', 'sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'];
const HEALTH = [...HEALTH_WORDS, 'ha_suspend', 'snmp_name', 'quorum_up', 'quorum_down'];
/** Words of other versions and of DPVS, for which the director has nothing. */
const PASSED_OVER = ['nat_mask', 'hashed'];
const PROTOCOLS: readonly ProtocolName[] = ['tcp', 'udp', 'sctp'];

/** Reads the block. */
export function serverBlockOf(statement: KeepalivedStatement, problems: Problems): ServerBlock {
  const reader = new BlockReader(problems);
  const { block = [] } = statement;
  const servers = block.filter(({ words }) => words[0] === 'real_server');
  // What stands behind them is their default, too.
  for (const one of block) if (!servers.includes(one)) problems.attempt(() => reader.take(one));
  return reader.finish(servers);
}

class BlockReader {
  readonly #problems: Problems;
  #protocol: ProtocolName = 'tcp';
  #family: Family | undefined;
  #scheduler: SchedulerName = 'wlc';
  /** keepalived's own default: ipvsadm's is DR. */
  #forwarding: Forwarding = { method: 'nat' };
  readonly #flags: KeepalivedStatement[] = [];
  #persistent: number | undefined;
  #netmask: string | number | undefined;
  #pe: 'sip' | undefined;
  #ops = false;
  #synproxy = false;
  #localGroup: KeepalivedStatement | undefined;
  #quorum: { readonly at: RuleSource; readonly weight: number } | undefined;
  #hysteresis = 0;
  #weight = 1;
  #alpha = false;
  #omega = false;
  #inhibit = false;
  #sorry: ReturnType<typeof sorryServerOf> | undefined;
  #sorryForwarding: Forwarding | undefined;
  #sorryInhibit = false;
  readonly #health: KeepalivedStatement[] = [];

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** Takes one line. */
  take(line: KeepalivedStatement): void {
    const name = line.words[0]!;
    if (line.block !== undefined) refuse(line.at, `unknown block "${name}" in virtual_server`);
    if (HEALTH.includes(name)) this.#health.push(line);
    else if (PASSED_OVER.includes(name)) this.#problems.warn(line.at, `${name} is not handled, the line is ignored`);
    else if (FLAGS.includes(name)) this.#flags.push(line);
    else if (name.startsWith('persistence_')) this.#takePersistence(name, line);
    else if (name.startsWith('sorry_server')) this.#takeSorryServer(name, line);
    else this.#takeOther(name, line);
  }

  #takeOther(name: string, line: KeepalivedStatement): void {
    switch (name) {
      case 'lvs_sched':
      case 'lb_algo':
        this.#scheduler = schedulerOf(line);
        return;
      case 'lvs_method':
      case 'lb_kind':
        this.#forwarding = forwardingOf(line);
        return;
      case 'protocol':
        this.#protocol = protocolOf(line);
        return;
      case 'ip_family':
        this.#family = familyWord(line, textOf(line));
        return;
      case 'ops':
        expectWords(line, 0);
        this.#ops = true;
        return;
      case 'syn_proxy':
        expectWords(line, 0);
        this.#synproxy = true;
        return;
      case 'laddr_group_name':
        expectWords(line, 1);
        this.#localGroup = line;
        return;
      case 'quorum':
        this.#quorum = { at: line.at, weight: numberOf(line, textOf(line), 1, 0x7fffffff) };
        return;
      case 'hysteresis':
        this.#hysteresis = numberOf(line, textOf(line), 0, 0x7fffffff);
        return;
      case 'weight':
        this.#weight = weightOf(line);
        return;
      case 'alpha':
        this.#alpha = switchOf(line);
        return;
      case 'omega':
        this.#omega = switchOf(line);
        return;
      case 'inhibit_on_failure':
        this.#inhibit = switchOf(line);
        return;
      default:
        refuse(line.at, `unknown word "${name}" in virtual_server`);
    }
  }

  #takePersistence(name: string, line: KeepalivedStatement): void {
    if (name === 'persistence_timeout') {
      expectWords(line, 0, 1);
      const [, text] = line.words;
      this.#persistent = text === undefined ? DEFAULT_PERSISTENCE : numberOf(line, text, 1, MAX_PERSISTENCE);
    } else if (name === 'persistence_granularity') {
      this.#netmask = netmaskOf(line);
      this.#persistent ??= DEFAULT_PERSISTENCE;
    } else if (name === 'persistence_engine') {
      if (textOf(line) !== 'sip') refuse(line.at, `${name}: expected sip, got "${line.words[1]}"`);
      this.#pe = 'sip';
    } else refuse(line.at, `unknown word "${name}" in virtual_server`);
  }

  #takeSorryServer(name: string, line: KeepalivedStatement): void {
    if (name === 'sorry_server') this.#sorry = sorryServerOf(line);
    else if (name === 'sorry_server_lvs_method') this.#sorryForwarding = forwardingOf(line);
    else if (name === 'sorry_server_inhibit') this.#sorryInhibit = switchOf(line);
    else refuse(line.at, `unknown word "${name}" in virtual_server`);
  }

  /** All that the lines add up to, with the real servers. */
  finish(servers: readonly KeepalivedStatement[]): ServerBlock {
    const problems = this.#problems;
    const realServers: KeepalivedServer[] = [];
    const defaults = {
      forwarding: this.#forwarding,
      weight: this.#weight,
      inhibitOnFailure: this.#inhibit,
      alpha: this.#alpha,
    };
    for (const one of servers) problems.attempt(() => realServers.push(realServerOf(one, defaults, problems)));
    const quorum = this.#quorum?.weight ?? 1;
    const total = realServers.reduce((sum, { weight }) => sum + weight, 0);
    if (this.#quorum !== undefined && quorum > total) {
      problems.warn(this.#quorum.at, `a quorum of ${quorum} is more than all weights together, ${total}`);
    }
    return {
      protocol: this.#protocol,
      family: this.#family ?? familyOfMask(this.#netmask) ?? familyOfAll(realServers),
      settings: {
        scheduler: this.#scheduler,
        flags: this.#flagsOf(),
        ...(this.#persistent !== undefined && { persistent: this.#persistent }),
        ...(this.#netmask !== undefined && { netmask: this.#netmask }),
        ...(this.#ops && { ops: true }),
        ...(this.#pe !== undefined && { pe: this.#pe }),
        ...(this.#synproxy && { synproxy: true }),
      },
      localGroup: this.#localGroup,
      quorum,
      hysteresis: this.#hysteresis,
      omega: this.#omega,
      realServers,
      sorryServer: this.#sorryServer(),
      health: this.#health,
    };
  }

  #flagsOf(): SchedulerFlag[] {
    const good: string[] = [];
    for (const { at, words } of this.#flags) {
      try {
        parseSchedulerFlags({ text: words[0]!, column: 0 }, this.#scheduler);
        good.push(words[0]!);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        this.#problems.error(at, `${error.message}: the scheduler is ${this.#scheduler}`);
      }
    }
    return parseSchedulerFlags({ text: good.join(','), column: 0 }, this.#scheduler);
  }

  #sorryServer(): KeepalivedServer | undefined {
    if (this.#sorry === undefined) return undefined;
    return {
      ...this.#sorry,
      ...(this.#sorryForwarding ?? this.#forwarding),
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
      inhibitOnFailure: this.#sorryInhibit,
      alpha: false,
      checkers: [],
      settings: [],
    };
  }
}

function familyOfMask(netmask: string | number | undefined): Family | undefined {
  if (netmask === undefined) return undefined;
  return typeof netmask === 'string' ? 4 : 6;
}

/** The family of all servers, where they have one. */
function familyOfAll(servers: readonly KeepalivedServer[]): Family | undefined {
  const families = new Set(servers.map(({ address }) => familyOf(address)));
  return families.size === 1 ? [...families][0] : undefined;
}

function schedulerOf(line: KeepalivedStatement): SchedulerName {
  const text = textOf(line);
  const scheduler = SCHEDULER_NAMES.find((name) => name === text);
  if (scheduler !== undefined) return scheduler;
  return refuse(line.at, `${line.words[0]}: expected one of ${SCHEDULER_NAMES.join(', ')}, got "${text}"`);
}

function protocolOf(line: KeepalivedStatement): ProtocolName {
  const text = textOf(line);
  const protocol = PROTOCOLS.find((name) => name === text.toLowerCase());
  return protocol ?? refuse(line.at, `protocol: expected TCP, UDP or SCTP, got "${text}"`);
}

/** A mask for IPv4, the length of a prefix for IPv6. */
function netmaskOf(line: KeepalivedStatement): string | number {
  const text = textOf(line);
  if (!text.includes('.')) return numberOf(line, text, 1, 128);
  try {
    return parseNetmask({ text, column: 0 }, NO_NAMES);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return refuse(line.at, `${line.words[0]}: expected a mask such as 255.255.255.0, got "${text}"`);
  }
}
