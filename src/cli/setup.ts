/**
 * A director from files: `--rules`, `--network`, `--sysctl`, `--ecn`, `--seed`, `--connections`; or `--from` one's state.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { Director, ECN_NAMES, type EcnName, EVICT_NAMES, type EvictName } from '../director.js';
import { IpvsError } from '../errors.js';
import { applyRules } from '../rules/ipvsadm.js';
import { parseNetwork } from '../rules/network.js';
import type { NetworkConfig, SysctlConfig } from '../types.js';
import { GrowingDirector } from './growing-director.js';
import { splitWord } from './inputs.js';
import { type Io, usageError } from './io.js';
import type { OptionSpec, Options } from './options.js';
import { MADE_ROOM } from './rewrite-loop.js';
import { DIALECT_OPTION, nameOf, parseDialect, readRules, readText } from './rules-file.js';
import { loadState } from './state-file.js';

const CONNECTIONS = 1 << 18;
/** Those of both families still fit in 4 GiB. */
const MOST_CONNECTIONS = 1 << 23;
/** Room for a burst, and what comes of it. */
const ARENA_BYTES = (1 << 20) + MADE_ROOM;

/** The options that {@link setUp} reads. */
export const SETUP_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'rules',
    value: 'FILE',
    help: "rules as 'ipvsadm -S -n' prints them, or a keepalived.conf; - for standard input",
  },
  DIALECT_OPTION,
  {
    name: 'network',
    value: 'FILE',
    help: "interfaces, routes, neighbours, GUE ports: JSON in the words of 'ip -j'; ip_vs_ftp: {} loads FTP's helper",
  },
  {
    name: 'mark',
    value: 'MATCH=N',
    multiple: true,
    help:
      "firewall mark of what matches first, for the services of -f: MATCH is '[INTERFACE] [from PREFIX] [PREFIX] " +
      "[tcp|udp|sctp [PORT[-PORT]]]', source, destination and its ports: '10.0.0.0/8 tcp 80-443 = 7'",
  },
  { name: 'sysctl', value: 'NAME=N,...', multiple: true, help: 'such as ip_forward=1,pmtu_disc=0' },
  { name: 'ecn', value: 'MODE', help: 'ECN field of outer headers: kernel (default), rfc6040 or copy' },
  {
    name: 'evict',
    value: 'KIND',
    help: 'what makes room in a full table: none (default), half-open, closing, datagram or established',
  },
  { name: 'seed', short: 's', value: 'N', help: 'seed of all randomness (default 0: every run is the same)' },
  { name: 'connections', value: 'N', help: `room in the connection table of each family (default ${CONNECTIONS})` },
  {
    name: 'from',
    value: 'FILE',
    help:
      'begin with the director whose state FILE is, its rules, network and connections, in place of --rules; ' +
      '--network, --sysctl and --connections change what they name',
  },
];

/** What a state has, and nothing else says. */
const IN_THE_STATE = ['rules', 'dialect', 'ecn', 'evict', 'seed'] as const;

/**
 * Makes the director that the options describe.
 *
 * @param io where warnings go
 * @param held bytes of the arena that are to be kept for the windows of captures
 * @throws {CliError} for wrong options, {@link RuleError} with file and line for rules and the network
 */
export function setUp(options: Options, io: Pick<Io, 'err'>, held = 0): Director {
  const state = options.get('from');
  return state === undefined ? setUpAnew(options, io, held) : setUpFrom(state, options, io, held);
}

function setUpFrom(state: string, options: Options, io: Pick<Io, 'err'>, held: number): Director {
  const other = IN_THE_STATE.find((name) => options.has(name));
  if (other !== undefined) throw usageError(`--${other} and --from exclude each other: the state says it`);
  if (!existsSync(state)) throw usageError(`--from ${state}: there is no such file`);
  const room = options.get('connections');
  const connections = room === undefined ? undefined : parseCount('connections', room, 1, MOST_CONNECTIONS);
  const growing = loadState(state, {
    arenaBytes: ARENA_BYTES + held,
    ...(connections === undefined ? {} : { connections, connections6: connections }),
  });
  const network = options.get('network');
  if (network !== undefined) setNetwork(growing, parseNetwork(readText(network), nameOf(network)), nameOf(network));
  else if (growing.director.network.interfaces.length === 0) {
    throw usageError(`--from ${state}: there is no network in it: --network is needed`);
  }
  return finish(growing, state, options, io);
}

function setUpAnew(options: Options, io: Pick<Io, 'err'>, held: number): Director {
  const rulesFile = options.need('rules');
  const networkFile = options.need('network');
  const captures = options.all('infile').some((word) => splitWord(word).file === '-') ? ['-i'] : [];
  const users = [rulesFile === '-' ? '--rules' : '', networkFile === '-' ? '--network' : '', ...captures];
  const [one, other] = users.filter((name) => name !== '');
  if (other !== undefined) throw usageError(`${one} and ${other} cannot both be standard input`);
  const seed = parseSeed(options.get('seed') ?? '0');
  const connections = parseCount('connections', options.get('connections') ?? String(CONNECTIONS), 1, MOST_CONNECTIONS);

  const rules = readRules(rulesFile, parseDialect(options.get('dialect') ?? 'ipvsadm'));
  const network = parseNetwork(readText(networkFile), nameOf(networkFile));
  const growing = new GrowingDirector(
    Director.createSync({
      seed,
      ecn: parseEcn(options.get('ecn') ?? 'kernel'),
      evict: parseEvict(options.get('evict') ?? 'none'),
      plan: { connections, connections6: connections, extensions: 2 * connections, arenaBytes: ARENA_BYTES + held },
    }),
  );
  setNetwork(growing, network, nameOf(networkFile));
  applyRules(growing, rules);
  return finish(growing, nameOf(rulesFile), options, io);
}

/** What is left to do with a director of the rules in `file`. */
function finish({ director }: GrowingDirector, file: string, options: Options, io: Pick<Io, 'err'>): Director {
  setSysctl(director, options.all('sysctl'));
  if (director.services().length === 0) {
    io.err(`ipvs-wasm: ${file}: warning: there is no service in it, so that nothing is balanced\n`);
  }
  return director;
}

/** What is wrong about a network as a whole is found when the director gets it: names the file. */
function setNetwork(director: GrowingDirector, network: NetworkConfig, file: string): void {
  try {
    director.setNetwork(network);
  } catch (error) {
    if (!(error instanceof IpvsError)) throw error;
    throw new IpvsError(error.code, `${file}: ${error.message}`, { cause: error });
  }
}

function setSysctl(director: Director, texts: readonly string[]): void {
  try {
    director.setSysctl(parseSysctl(texts, Object.keys(director.getSysctl())));
  } catch (error) {
    if (error instanceof RangeError) throw usageError(`--sysctl: ${error.message}`);
    throw error;
  }
}

/** `ip_forward=1,pmtu_disc=0`; the names may be written in full (`net.ipv4.vs.pmtu_disc`). */
function parseSysctl(texts: readonly string[], known: readonly string[]): SysctlConfig {
  const sysctl: Record<string, number> = {};
  for (const text of texts.flatMap((one) => one.split(','))) {
    const [name = '', value = ''] = text.split('=');
    const short = shortSysctl(name.trim());
    if (!known.includes(short)) throw usageError(`--sysctl: '${name}' is none of ${known.join(', ')}`);
    if (!/^\d{1,10}$/.test(value)) throw usageError(`--sysctl: ${name} takes a number, not '${value}'`);
    if (short in sysctl) throw usageError(`--sysctl: ${name} is given twice`);
    sysctl[short] = Number(value);
  }
  return sysctl;
}

/** Only the switch of IPv6 has another name in full. */
function shortSysctl(name: string): string {
  return name === 'net.ipv6.conf.all.forwarding' ? 'ipv6_forwarding' : name.replace(/^net\.ipv4\.(vs\.)?/, '');
}

function parseEvict(text: string): EvictName {
  const kind = EVICT_NAMES.find((name) => name === text);
  if (kind === undefined) throw usageError(`--evict takes ${EVICT_NAMES.join(', ')}, not '${text}'`);
  return kind;
}

function parseEcn(text: string): EcnName {
  const mode = ECN_NAMES.find((name) => name === text);
  if (mode === undefined) throw usageError(`--ecn takes ${ECN_NAMES.join(', ')}, not '${text}'`);
  return mode;
}

function parseSeed(text: string): bigint {
  if (!/^(\d{1,19}|0x[0-9a-f]{1,16})$/i.test(text)) throw usageError(`--seed takes a whole number, not '${text}'`);
  return BigInt(text);
}

/** A whole number within limits. */
export function parseCount(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw usageError(`--${name} takes a number from ${least} to ${most}, not '${text}'`);
  }
  return value;
}
