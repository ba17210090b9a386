/**
 * The events of a scenario that concern the director: ipvsadm commands and sysctls at their times.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import { applyRules, parseRule, type RuleTarget } from '../rules/ipvsadm.js';
import type { SysctlConfig } from '../types.js';
import { isRecord } from './note.js';

/** What events are applied to: the `Director`, or the reference. */
export interface EventTarget extends RuleTarget {
  setSysctl(sysctl: SysctlConfig): void;
  /** Time passes, ms since the epoch. */
  advance(now: number): void;
}

/** Something that was done to the director. */
export interface ScenarioEvent {
  /** ns since the epoch, the clock of the captures. */
  readonly time: bigint;
  /** Number in `events`, from 1. */
  readonly number: number;
  readonly kind: 'cmd' | 'sysctl' | 'unknown';
  /** The command, or `net/ipv4/vs/NAME=VALUE`. */
  readonly text: string;
}

/** Switches by their path under `/proc/sys`. */
const SYSCTLS: Readonly<Record<string, keyof SysctlConfig>> = {
  'net/ipv4/ip_forward': 'ip_forward',
  'net/ipv4/vs/pmtu_disc': 'pmtu_disc',
  'net/ipv4/vs/sloppy_tcp': 'sloppy_tcp',
  'net/ipv4/vs/expire_nodest_conn': 'expire_nodest_conn',
  'net/ipv4/vs/nat_icmp_send': 'nat_icmp_send',
};

/** What only describes: nothing was done to the director. */
const SILENT = new Set(['note', 'dump']);

/**
 * The director's events of a `scenario.json` in its order; those of other hosts, notes and dumps are not among them.
 *
 * @throws {IpvsError} `BAD_INPUT` when `events` is not in the format
 */
export function eventsOf(scenario: Record<string, unknown>): ScenarioEvent[] {
  const { events } = scenario;
  if (!Array.isArray(events)) throw bad('expected a list of events');
  const found: ScenarioEvent[] = [];
  events.forEach((event: unknown, i) => {
    const number = i + 1;
    if (!isRecord(event) || typeof event.kind !== 'string')
      throw bad(`event ${number}: expected an object with a kind`);
    if (SILENT.has(event.kind)) return;
    const { t_ns: time } = event;
    if (typeof time !== 'string' || !/^\d+$/.test(time)) {
      throw bad(`event ${number}: t_ns: expected a whole number of ns, got ${JSON.stringify(time)}`);
    }
    if (event.ns !== undefined && event.ns !== 'director') return;
    const kind = event.kind === 'cmd' || event.kind === 'sysctl' ? event.kind : 'unknown';
    const text = kind === 'cmd' ? event.cmd : kind === 'sysctl' ? event.set : JSON.stringify(event);
    if (typeof text !== 'string') throw bad(`event ${number}: expected ${kind === 'cmd' ? 'a cmd' : 'a set'}`);
    found.push({ time: BigInt(time), number, kind, text });
  });
  return found;
}

/**
 * Parses `scenario.json`. Times in ns have more digits than a number holds: `t_ns` become strings.
 *
 * @throws {IpvsError} `BAD_INPUT` when it is not a JSON object
 */
export function parseScenario(text: string): Record<string, unknown> {
  let scenario: unknown;
  try {
    scenario = JSON.parse(text.replace(/("t_ns"\s*:\s*)(-?\d[\d.eE+-]*)/g, '$1"$2"'));
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (!isRecord(scenario)) throw bad('expected an object');
  return scenario;
}

/**
 * Does to `target` what was done to the captured director. `sysctl` holds all switches that events set so far.
 *
 * @throws {IpvsError} `BAD_INPUT` for what is not handled or was refused
 */
export function applyEvent(target: EventTarget, event: ScenarioEvent, sysctl: SysctlConfig): void {
  try {
    if (event.kind === 'cmd' && /^ipvsadm\s/.test(event.text)) {
      const command = parseRule(event.text);
      if (command !== undefined) applyRules(target, [command]);
    } else if (event.kind === 'sysctl') applySysctl(target, event.text, sysctl);
    else throw new IpvsError('BAD_INPUT', 'not handled');
  } catch (error) {
    const { message } = error as Error;
    throw new IpvsError('BAD_INPUT', `event ${event.number} (${event.text}): ${message}`, { cause: error });
  }
}

function applySysctl(target: EventTarget, text: string, sysctl: SysctlConfig): void {
  const [, path = '', value = ''] = /^(.*)=(.*)$/.exec(text) ?? [];
  const name = Object.hasOwn(SYSCTLS, path) ? SYSCTLS[path] : undefined;
  if (name === undefined) throw new IpvsError('BAD_INPUT', 'a sysctl that is not handled');
  if (!/^\d{1,9}$/.test(value)) throw new IpvsError('BAD_INPUT', `expected a number, got '${value}'`);
  sysctl[name] = Number(value);
  target.setSysctl({ ...sysctl });
}

function bad(message: string): IpvsError {
  return new IpvsError('BAD_INPUT', `scenario.json: ${message}`);
}
