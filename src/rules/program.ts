/**
 * The program ipvsadm 1.31 acting on a director: its grammar, its output, its complaints, its exit codes.
 *
 * ```ts
 * let listing = '';
 * const io = { out: (text: string) => (listing += text), err: console.error, input: () => '' };
 * const code = runIpvsadm(['-L', '-n', '--stats'], director, io);
 * ```
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import { SCHEDULER_NAMES } from '../schedulers.js';
import type { ServiceKey } from '../types.js';
import { applyRule, type RuleTarget } from './apply.js';
import { type CommandLine, readCommandLine } from './command-line.js';
import { helpText, VERSION_TEXT } from './help.js';
import { jsonOf } from './json.js';
import type { ListedConnection, ListedService } from './listed.js';
import { listConnections, listServices } from './listings.js';
import { listLocalAddresses, localAddressesOf } from './local-addresses.js';
import { type Names, NO_NAMES } from './names.js';
import type { Word } from './option-reader.js';
import type { Dialect } from './options.js';
import { compareServices } from './order.js';
import { inOptions, REFUSALS, refusalText } from './refusals.js';
import { isRule, keyOf, type RuleCommand, ruleOf } from './rule.js';
import { saveRules } from './save.js';
import { NoCommandError, tryHelp, UsageError } from './usage-error.js';

/** What ipvsadm acts on: the `Director`, or the reference. */
export interface IpvsadmTarget extends RuleTarget {
  services(): readonly ListedService[];
  /** Those that are not due at `now`, ms. */
  connections(now: number): readonly ListedConnection[];
  /** Seconds. */
  getTimeouts(): { tcp: number; tcpfin: number; udp: number };
}

/** Where it reads and writes. */
export interface IpvsadmIo {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  /** All of standard input, for `-R`. */
  input(): string;
}

/** How it runs. */
export interface IpvsadmOptions {
  /** The name it was called by, which some complaints repeat. Default `ipvsadm`. */
  readonly program?: string;
  /** Default: none are known, all addresses and ports stay numbers. */
  readonly names?: Names;
  /** Time of the director, ms, for what is left of connections. Default 0: its own last time. */
  readonly now?: number;
  /** Listings as JSON, see `docs/ipvsadm-json.md`. Default false. */
  readonly json?: boolean;
  /** Whose short options: with `dpvs` those of DPVS's ipvsadm, where `-b` is `--fullnat`. Default `ipvsadm`. */
  readonly dialect?: Dialect;
  /** `-S` also writes what ipvsadm's own loses. Default false. */
  readonly lossless?: boolean;
  /** Told of each line, from 1, of what `-R` reads that was refused: ipvsadm's own words for that do not say which. */
  readonly onRefusedLine?: (line: number, text: string) => void;
}

/** Ends the program with its exit code. */
class Exit {
  constructor(readonly code: number) {}
}

/** What the kernel refused. */
const REFUSED = 255;
const NO_DAEMONS = 'connection synchronisation is not handled by ipvs-wasm';

/**
 * Runs one command line, given as the words after `ipvsadm`.
 *
 * @returns the exit code: 0, 1 for a listing of what is not there, 2 for wrong words, 255 for words that popt does not read
 *   and for what the director refuses
 */
export function runIpvsadm(
  argv: readonly string[],
  target: IpvsadmTarget,
  io: IpvsadmIo,
  options: IpvsadmOptions = {},
): number {
  const program = new Program(target, io, options);
  return program.exitCode(() =>
    argv.length === 0 ? program.listAll() : program.run(argv.map((text) => ({ text, column: 0 }))),
  );
}

/** `ipvsadm-save`: rules to standard output, in numbers with `-n`. */
export function runIpvsadmSave(
  argv: readonly string[],
  target: IpvsadmTarget,
  io: IpvsadmIo,
  options: IpvsadmOptions = {},
): number {
  const { program = 'ipvsadm-save' } = options;
  if (argv.some((word) => word.startsWith('-') && word !== '-n')) {
    io.err(`${program}: Script to save the IPVS table to stdout.\n`);
    io.err('   With the -n option, prints out the table in numeric format.\n');
    return 1;
  }
  const words = argv.includes('-n') ? ['-S', '-n'] : ['-S'];
  return runIpvsadm(words, target, io, { ...options, program: 'ipvsadm' });
}

/** `ipvsadm-restore`: replaces all rules by those of standard input, without the lines that start with `#`. */
export function runIpvsadmRestore(target: IpvsadmTarget, io: IpvsadmIo, options: IpvsadmOptions = {}): number {
  // Empty lines in their place, so that the others keep their numbers.
  const text = io.input().replaceAll(/^#.*/gm, '');
  runIpvsadm(['-C'], target, io);
  return runIpvsadm(['-R'], target, { ...io, input: () => text }, { ...options, program: 'ipvsadm' });
}

class Program {
  readonly #target: IpvsadmTarget;
  readonly #io: IpvsadmIo;
  readonly #options: IpvsadmOptions;
  readonly #program: string;
  readonly #names: Names;
  #isRestoring = false;

  constructor(target: IpvsadmTarget, io: IpvsadmIo, options: IpvsadmOptions) {
    this.#target = target;
    this.#io = io;
    this.#options = options;
    this.#program = options.program ?? 'ipvsadm';
    this.#names = options.names ?? NO_NAMES;
  }

  /** The code that `step` gives or ends the program with. */
  exitCode(step: () => number): number {
    try {
      return step();
    } catch (error) {
      if (error instanceof Exit) return error.code;
      throw error;
    }
  }

  /** Runs one command line. @throws Exit */
  run(words: readonly Word[]): number {
    let line: CommandLine;
    try {
      line = readCommandLine(words, this.#names, this.#options.dialect);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      if (error instanceof NoCommandError) this.#tryHelp();
      this.#io.err(`${error.message}\n`);
      if (error.fatal) throw new Exit(error.exitCode);
      return error.exitCode;
    }
    const { command } = line;
    if (isRule(command)) return this.#apply(line);
    switch (command) {
      case 'list':
        return this.#list(line);
      case 'get-laddr':
        return this.#listLocalAddresses(line);
      case 'save':
        return this.#save(line);
      case 'restore':
        return this.#restore();
      case 'start-daemon':
        return this.#refuse(NO_DAEMONS);
      case 'stop-daemon':
        return this.#refuse(REFUSALS.noDaemon);
      default:
        this.#io.out(command === 'help' ? helpText(this.#program, this.#options.dialect) : VERSION_TEXT);
        throw new Exit(0);
    }
  }

  /** What `ipvsadm` alone does. */
  listAll(): number {
    const services = this.#target.services();
    this.#io.out(this.#options.json ? jsonOf({ services }) : listServices(services, { names: this.#names }));
    return 0;
  }

  #tryHelp(): never {
    this.#io.err(`${tryHelp(this.#program)}\n`);
    throw new Exit(REFUSED);
  }

  #refuse(text: string): number {
    this.#io.err(`${text}\n`);
    return REFUSED;
  }

  #apply(line: CommandLine): number {
    const rule = ruleOf(line, { file: this.#program, line: 1 });
    try {
      this.#checkNames(line, rule);
      applyRule(this.#target, rule);
      return 0;
    } catch (error) {
      const text = this.#refusal(rule, error);
      if (text === undefined) throw error;
      return this.#refuse(text);
    }
  }

  /** Schedulers and engines that there are not are found out by the kernel, last. */
  #checkNames({ service: { scheduler, pe } }: CommandLine, rule: RuleCommand): void {
    if (rule.command !== 'add-service' && rule.command !== 'edit-service') return;
    if (SCHEDULER_NAMES.some((name) => name === scheduler) && (pe === '' || pe === 'sip')) return;
    const isThere = this.#find(rule.service) !== undefined;
    if (isThere && rule.command === 'add-service') throw new IpvsError('SERVICE_EXISTS', REFUSALS.serviceExists);
    if (!isThere && rule.command === 'edit-service') throw new IpvsError('NO_SUCH_SERVICE', REFUSALS.noService);
    throw new IpvsError('BAD_INPUT', REFUSALS.noScheduler);
  }

  #refusal(rule: RuleCommand, error: unknown): string | undefined {
    if (error instanceof IpvsError && error.code === 'BAD_INPUT') return error.message;
    const isAboutServer = 'dest' in rule;
    if (!(error instanceof RangeError) || !('service' in rule) || rule.service === undefined) {
      return refusalText(error, isAboutServer);
    }
    if (isForeign(rule, this.#find(rule.service))) return inOptions(error.message);
    // What no director can have is not there, and the kernel looks for what there is before it judges values.
    if (rule.command === 'add-service') return REFUSALS.invalid;
    if (this.#find(rule.service) === undefined) return isAboutServer ? REFUSALS.serviceNotDefined : REFUSALS.noService;
    if (rule.command === 'edit-server' || rule.command === 'add-server') {
      if (rule.dest.lowerThreshold > rule.dest.upperThreshold) return REFUSALS.outOfRange;
    }
    return rule.command === 'edit-server' || rule.command === 'delete-server' ? REFUSALS.noDest : REFUSALS.invalid;
  }

  #find(key: ServiceKey): ListedService | undefined {
    return this.#target.services().find((service) => isSame(service, key));
  }

  #list(line: CommandLine): number {
    const { options } = line;
    const target = this.#target;
    const names = options.has('numeric') ? NO_NAMES : this.#names;
    const { json = false, now = 0 } = this.#options;
    if (options.has('connection')) {
      const connections = target.connections(now);
      const persistent = options.has('persistent-conn');
      this.#io.out(json ? jsonOf({ connections }) : listConnections(connections, { names, persistent }));
    } else if (options.has('timeout')) {
      const { tcp, tcpfin, udp } = target.getTimeouts();
      this.#io.out(json ? jsonOf(target.getTimeouts()) : `Timeout (tcp tcpfin udp): ${tcp} ${tcpfin} ${udp}\n`);
    } else if (!options.has('daemon')) this.#listServices(line);
    return 0;
  }

  /** The service that a listing is asked for, or all. */
  #listed({ options, service }: Pick<CommandLine, 'options' | 'service'>): readonly ListedService[] {
    if (!options.has('service-address')) return this.#target.services();
    const one = this.#find(keyOf(service));
    if (one !== undefined) return [one];
    this.#io.err(`${REFUSALS.noService}\n`);
    throw new Exit(1);
  }

  #listLocalAddresses(line: CommandLine): number {
    const { json = false, now = 0 } = this.#options;
    const rows = localAddressesOf(this.#listed(line), this.#target.connections(now));
    const names = line.options.has('numeric') ? NO_NAMES : this.#names;
    this.#io.out(json ? jsonOf({ localAddresses: rows }) : listLocalAddresses(rows, names));
    return 0;
  }

  #listServices(line: CommandLine): void {
    const { options } = line;
    const services = this.#listed(line);
    if (this.#options.json) {
      this.#io.out(jsonOf({ services }));
      return;
    }
    const text = listServices(services, {
      stats: options.has('stats'),
      rate: options.has('rate'),
      thresholds: options.has('thresholds'),
      persistent: options.has('persistent-conn'),
      tunnels: options.has('tun-info'),
      exact: options.has('exact'),
      sort: !options.has('nosort'),
      names: options.has('numeric') ? NO_NAMES : this.#names,
      version: !options.has('service-address'),
    });
    this.#io.out(text);
  }

  #save({ options }: CommandLine): number {
    const { lossless = false } = this.#options;
    const names = options.has('numeric') ? NO_NAMES : this.#names;
    this.#io.out(saveRules(this.#target.services(), { lossless, names }));
    return 0;
  }

  /** The result is that of the last line; only what popt does not read and what is refused lets it go on. */
  #restore(): number {
    if (this.#isRestoring) this.#tryHelp();
    this.#isRestoring = true;
    let code = 0;
    for (const [index, line] of this.#io.input().split('\n').entries()) {
      // The program's own name is left out wherever it stands.
      const words = line.split(/[ \t\r]+/).filter((word) => word !== '' && word !== 'ipvsadm');
      if (words.length === 0) continue;
      let exit: Exit | undefined;
      try {
        code = this.run(words.map((text) => ({ text, column: 0 })));
      } catch (error) {
        if (!(error instanceof Exit)) throw error;
        exit = error;
        code = error.code;
      }
      if (code !== 0) this.#options.onRefusedLine?.(index + 1, line.trim());
      if (exit !== undefined) throw exit;
    }
    return code;
  }
}

/** Whether a rule, or the service that it is about, is of what ipvsadm does not have, and so has no words for. */
function isForeign(rule: RuleCommand, service: ListedService | undefined): boolean {
  if (rule.command === 'add-laddr' || rule.command === 'del-laddr') return true;
  const isOwn = ({ method }: { readonly method: string }): boolean => method === 'fullnat' || method === 'snat';
  if ('dest' in rule && 'method' in rule.dest && isOwn(rule.dest)) return true;
  if (service?.dests.some(({ method }) => method === 'snat')) return true;
  const given = rule.command === 'add-service' || rule.command === 'edit-service' ? rule.service : service;
  return given?.synproxy === true || given?.carry !== undefined || given?.profile !== undefined;
}

function isSame(a: Readonly<ServiceKey>, b: Readonly<ServiceKey>): boolean {
  return 'fwmark' in a === 'fwmark' in b && compareServices(a, b) === 0;
}
