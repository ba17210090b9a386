/**
 * Real servers and sorry servers.
 *
 * @module
 */
import type { RuleSource } from '../error.js';
import { checkerOf, HEALTH_WORDS, type KeepalivedChecker } from './checkers.js';
import type { Problems } from './problems.js';
import type { KeepalivedStatement } from './tree.js';
import { addressOf, expectWords, type Forwarding, forwardingOf, numberOf, portOf, switchOf, textOf } from './values.js';

/** `real_server` or `sorry_server`. */
export interface KeepalivedServer extends Forwarding {
  readonly at: RuleSource;
  readonly address: string;
  /** `undefined`: that of the service. */
  readonly port: number | undefined;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** A server that is down stays, with weight 0. */
  readonly inhibitOnFailure: boolean;
  /** Down until the first check says otherwise: for who runs the checkers. */
  readonly alpha: boolean;
  /** To be run by the embedder. */
  readonly checkers: readonly KeepalivedChecker[];
  /** What else is about checks and whom to tell, such as `delay_loop` and `notify_up`. */
  readonly settings: readonly KeepalivedStatement[];
}

/** What real servers have from their virtual server. */
export interface ServerDefaults {
  readonly forwarding: Forwarding;
  readonly weight: number;
  readonly inhibitOnFailure: boolean;
  readonly alpha: boolean;
}

const SETTINGS = [...HEALTH_WORDS, 'notify_up', 'notify_down', 'snmp_name'];
const MAX_WEIGHT = 65535;
const MAX_THRESHOLD = 0x7fffffff;

/** Reads a `weight`. */
export function weightOf(statement: KeepalivedStatement): number {
  return numberOf(statement, textOf(statement), 0, MAX_WEIGHT);
}

/** Reads `sorry_server ADDRESS [PORT]`. */
export function sorryServerOf(statement: KeepalivedStatement): Pick<KeepalivedServer, 'at' | 'address' | 'port'> {
  expectWords(statement, 1, 2);
  const { at, words } = statement;
  return { at, address: addressOf(statement, words[1]), port: portOf(statement, words[2]) };
}

/** Reads a `real_server` block. */
export function realServerOf(
  statement: KeepalivedStatement,
  defaults: ServerDefaults,
  problems: Problems,
): KeepalivedServer {
  expectWords(statement, 1, 2);
  const { at, words, block = [] } = statement;
  let { forwarding, weight, inhibitOnFailure, alpha } = defaults;
  let [upperThreshold, lowerThreshold] = [0, 0];
  const checkers: KeepalivedChecker[] = [];
  const settings: KeepalivedStatement[] = [];
  const take = (one: KeepalivedStatement): void => {
    const name = one.words[0]!;
    const checker = checkerOf(one, problems);
    if (checker !== undefined) checkers.push(checker);
    else if (one.block !== undefined) problems.error(one.at, `unknown block "${name}" in real_server`);
    else if (SETTINGS.includes(name)) settings.push(one);
    else if (name === 'weight') weight = weightOf(one);
    else if (name === 'lvs_method') forwarding = forwardingOf(one);
    else if (name === 'uthreshold') upperThreshold = numberOf(one, textOf(one), 0, MAX_THRESHOLD);
    else if (name === 'lthreshold') lowerThreshold = numberOf(one, textOf(one), 0, MAX_THRESHOLD);
    else if (name === 'inhibit_on_failure') inhibitOnFailure = switchOf(one);
    else if (name === 'alpha') alpha = switchOf(one);
    else problems.error(one.at, `unknown word "${name}" in real_server`);
  };
  for (const one of block) problems.attempt(() => take(one));
  if (lowerThreshold > upperThreshold) {
    problems.error(at, `expected an lthreshold of at most the uthreshold (${upperThreshold}), got ${lowerThreshold}`);
  }
  return {
    at,
    address: addressOf(statement, words[1]),
    port: portOf(statement, words[2]),
    ...forwarding,
    weight,
    upperThreshold,
    lowerThreshold,
    inhibitOnFailure,
    alpha,
    checkers,
    settings,
  };
}
