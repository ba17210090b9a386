/**
 * The events of a scenario that concern the director: commands and sysctls at their times.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import { applyRules, parseRule, type RuleTarget } from '../rules/ipvsadm.js';
import { JsonInput } from '../rules/json-input.js';
import type { NetworkConfig, SysctlConfig } from '../types.js';
import { checksumOffload, runCommand, type Surroundings } from './commands.js';
import { isRecord } from './note.js';

/** What events are applied to: the `Director`, or the reference. */
export interface EventTarget extends RuleTarget {
  setSysctl(sysctl: SysctlConfig): void;
  setNetwork(network: NetworkConfig): void;
  /** Time passes, ms since the epoch. */
  advance(now: number): void;
}

/** Something that was done to the director, or a change of what others send to it. */
export interface ScenarioEvent {
  /** ns since the epoch, the clock of the captures. */
  readonly time: bigint;
  /** Number in `events`, from 1. */
  readonly number: number;
  readonly kind: 'cmd' | 'sysctl' | 'unknown';
  /** Where: `director`, `client`, `rs1`, …. */
  readonly host: string;
  /** The command, or `net/ipv4/vs/NAME=VALUE`. */
  readonly text: string;
}

/** Switches by their path under `/proc/sys`. */
const SYSCTLS: Readonly<Record<string, keyof SysctlConfig>> = {
  'net/ipv4/ip_forward': 'ip_forward',
  'net/ipv6/conf/all/forwarding': 'ipv6_forwarding',
  'net/ipv4/vs/pmtu_disc': 'pmtu_disc',
  'net/ipv4/vs/sloppy_tcp': 'sloppy_tcp',
  'net/ipv4/vs/expire_nodest_conn': 'expire_nodest_conn',
  'net/ipv4/vs/expire_quiescent_template': 'expire_quiescent_template',
  'net/ipv4/vs/nat_icmp_send': 'nat_icmp_send',
  'net/ipv4/vs/schedule_icmp': 'schedule_icmp',
  'net/ipv4/vs/cache_bypass': 'cache_bypass',
  'net/ipv4/vs/ignore_tunneled': 'ignore_tunneled',
  'net/ipv4/vs/sloppy_sctp': 'sloppy_sctp',
  'net/ipv4/vs/conn_reuse_mode': 'conn_reuse_mode',
  'net/ipv4/vs/secure_tcp': 'secure_tcp',
  'net/ipv4/vs/drop_entry': 'drop_entry',
  'net/ipv4/vs/drop_packet': 'drop_packet',
  'net/ipv4/vs/am_droprate': 'am_droprate',
  'net/ipv4/vs/amemthresh': 'amemthresh',
};
/** The switch that lets netfilter track what IPVS sends. */
const CONNTRACK = 'net/ipv4/vs/conntrack';

/** What is about telling a backup director of connections, which changes none of them. */
const SYNC_SYSCTL = /^net\/ipv4\/vs\/sync_\w+$/;
const SYNC_DAEMON = /^ipvsadm\s+--(?:start|stop)-daemon\s/;

/** What only describes: nothing was done to the director. */
const SILENT = new Set(['note', 'dump']);

/**
 * The director's events of a `scenario.json` in its order; notes and dumps are not among them, and of other hosts only
 * whether they leave checksums to their network cards.
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
    const host = event.ns === undefined ? 'director' : String(event.ns);
    const isOffload = typeof event.cmd === 'string' && checksumOffload(event.cmd) !== undefined;
    if (host !== 'director' && !isOffload) return;
    const kind = event.kind === 'cmd' || event.kind === 'sysctl' ? event.kind : 'unknown';
    const text = kind === 'cmd' ? event.cmd : kind === 'sysctl' ? event.set : JSON.stringify(event);
    if (typeof text !== 'string') throw bad(`event ${number}: expected ${kind === 'cmd' ? 'a cmd' : 'a set'}`);
    found.push({ time: BigInt(time), number, kind, host, text });
  });
  return found;
}

/**
 * Parses `scenario.json`. Times in ns have more digits than a number holds: `t_ns` become strings.
 *
 * @throws {RuleError} `BAD_INPUT` with line and column when it is not a JSON object
 */
export function parseScenario(text: string, file = 'scenario.json'): Record<string, unknown> {
  const input = new JsonInput(file, text);
  input.entry(input.parse(), '');
  return JSON.parse(text.replace(/("t_ns"\s*:\s*)(-?\d[\d.eE+-]*)/g, '$1"$2"')) as Record<string, unknown>;
}

/**
 * Does to `target` what was done to the captured director, and notes it in `around`.
 *
 * @throws {IpvsError} `BAD_INPUT` for what is not handled or was refused
 */
export function applyEvent(target: EventTarget, event: ScenarioEvent, around: Surroundings): void {
  try {
    if (event.host !== 'director') applyOffload(event, around);
    else if (event.kind === 'sysctl') applySysctl(target, event.text, around);
    else if (event.kind === 'cmd') applyCommand(target, event, around);
    else throw new IpvsError('BAD_INPUT', 'not handled');
  } catch (error) {
    const { message } = error as Error;
    throw new IpvsError('BAD_INPUT', `event ${event.number} (${event.text}): ${message}`, { cause: error });
  }
}

/** The client sends to `cli`, all others to `srv`. */
function applyOffload({ host, text }: ScenarioEvent, { offloads }: Surroundings): void {
  const capture = host === 'client' ? 'cli-in' : 'srv-in';
  if (checksumOffload(text) === true) offloads.add(capture);
  else offloads.delete(capture);
}

function applyCommand(target: EventTarget, { text }: ScenarioEvent, around: Surroundings): void {
  if (SYNC_DAEMON.test(text)) return;
  if (!/^ipvsadm\s/.test(text)) {
    if (runCommand(around, text)) target.setNetwork(around.network);
    return;
  }
  const command = parseRule(text);
  if (command !== undefined) applyRules(target, [command]);
}

function applySysctl(target: EventTarget, text: string, { sysctl, netfilter }: Surroundings): void {
  const [, path = '', value = ''] = /^(.*)=(.*)$/.exec(text) ?? [];
  if (SYNC_SYSCTL.test(path)) return;
  const name = Object.hasOwn(SYSCTLS, path) ? SYSCTLS[path] : undefined;
  if (name === undefined && path !== CONNTRACK) throw new IpvsError('BAD_INPUT', 'a sysctl that is not handled');
  if (!/^\d{1,9}$/.test(value)) throw new IpvsError('BAD_INPUT', `expected a number, got '${value}'`);
  if (name === undefined) {
    netfilter.tracksIpvs = value !== '0';
    return;
  }
  sysctl[name] = Number(value);
  target.setSysctl({ ...sysctl });
}

function bad(message: string): IpvsError {
  return new IpvsError('BAD_INPUT', `scenario.json: ${message}`);
}
