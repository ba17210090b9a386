/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The director: rules and network in, frames in, frames and verdicts out.
 *
 * ```ts
 * const director = await Director.create({ network });
 * const web = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
 * director.addService({ ...web, scheduler: 'rr' });
 * director.addDest(web, { address: '10.1.0.11', port: 8080, method: 'nat' });
 * const [outcome] = director.send(frame, 'cli', Date.now());
 * ```
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { assertTime, checkNotes } from './arguments.js';
import { beginningOf, writeBeginning } from './beginning.js';
import { Burst } from './burst.js';
import { type ConnectionInfo, readConnections } from './connections.js';
import { Control } from './control.js';
import { type DirectorOptions, memoryFor, planOf, type RestoreOptions, restoring } from './director-options.js';
import { IpvsError } from './errors.js';
import { checkNetworkShape } from './net-shape.js';
import { buildTables, forgetWays, type NetTables, writeTables } from './net-tables.js';
import { type Outcome, readOutcome } from './outcome.js';
import type { Plan } from './plan.js';
import type { ReasonName } from './reasons.js';
import {
  readCounters,
  readService,
  readTotal,
  type ServiceInfo,
  type Stats,
  servicePlaces,
  zeroStats,
  zeroTotal,
} from './records.js';
import { replaceRules, type ServiceRules } from './replace.js';
import { readSysctl, readTimeouts, timeoutsOf, writeSysctl, writeTimeouts } from './settings.js';
import { shown } from './shape.js';
import { checkSnapshot } from './snapshot/check.js';
import { decode, type Snapshot } from './snapshot/format.js';
import { load, type Moves, movesOf } from './snapshot/load.js';
import { take } from './snapshot/take.js';
import type {
  DestConfig,
  DestKey,
  FrameNotes,
  NetworkConfig,
  ServiceConfig,
  ServiceKey,
  SysctlConfig,
} from './types.js';
import { type CoreExports, loadCore, loadCoreSync, type WasmMemory } from './wasm.js';

export type { ConnectionInfo } from './connections.js';
export type { DirectorOptions, RestoreOptions } from './director-options.js';
export type { Outcome } from './outcome.js';
export type { DestInfo, ServiceInfo } from './records.js';
export type { ServiceRules } from './replace.js';
export { ECN_NAMES, type EcnName, EVICT_NAMES, type EvictName } from './settings.js';

/** A Linux Virtual Server director in a WebAssembly memory of fixed size. */
export class Director implements Disposable {
  /** The frames to judge. */
  readonly burst: Burst;
  /** The laid-out memory. */
  readonly plan: Plan;

  readonly #core: CoreExports;
  readonly #control: Control;
  readonly #view: DataView;
  #network: NetworkConfig;
  #tables: NetTables;
  #closed = false;

  private constructor(core: CoreExports, memory: WasmMemory, plan: Plan, options: DirectorOptions) {
    this.#core = core;
    this.#control = new Control(core, new DataView(memory.buffer), plan);
    this.#view = new DataView(memory.buffer);
    this.plan = plan;
    // An embedder's memory is touched only by a director that there will be.
    const beginning = beginningOf(options, plan);
    this.#network = beginning.network;
    this.#tables = beginning.tables;
    writeBeginning(this.#view, plan, options, beginning);
    this.#writeSysctl(beginning.sysctl);
    this.burst = new Burst(memory, plan);
  }

  /**
   * Makes a director.
   *
   * @throws TypeError for a value of the wrong kind; RangeError for an unknown key, or when the plan is out of bounds; IpvsError MEMORY_TOO_SMALL, BAD_NETWORK, TABLE_FULL or ABI_MISMATCH.
   */
  static async create(options: DirectorOptions = {}): Promise<Director> {
    const plan = planOf(options);
    const memory = memoryFor(plan, options);
    return new Director(await loadCore(memory, options.variant ?? 'release', options.wasm), memory, plan, options);
  }

  /** The same without waiting. In browsers `wasm` must be a module or bytes. */
  static createSync(options: DirectorOptions = {}): Director {
    const plan = planOf(options);
    const memory = memoryFor(plan, options);
    return new Director(loadCoreSync(memory, options.variant ?? 'release', options.wasm), memory, plan, options);
  }

  /**
   * Makes a director of a snapshot: nothing that packets can tell is another than it was, but that fragments that waited for
   * the rest of their datagram are lost. Time goes on from when it was taken; network, rules, switches, keys and counters
   * are in the snapshot. A larger plan gives it more room.
   *
   * Checksums tell of damage, not of intent. What records point to, their lists and the counts of these are checked, too;
   * weights, timeouts, keys, counters and where schedulers stand are not: trust a snapshot no more than where it is from.
   *
   * @throws as `create`; IpvsError BAD_SNAPSHOT for what is damaged, inconsistent, of another version or no snapshot;
   *   TABLE_FULL when what it holds does not fit in the plan.
   */
  static async restore(bytes: Uint8Array, options: RestoreOptions = {}): Promise<Director> {
    const { made, ...from } = prepare(bytes, options);
    return (await Director.create(made)).#load(from);
  }

  /** The same without waiting, as `createSync`. */
  static restoreSync(bytes: Uint8Array, options: RestoreOptions = {}): Director {
    const { made, ...from } = prepare(bytes, options);
    return Director.createSync(made).#load(from);
  }

  #load({ snapshot, moves }: { snapshot: Snapshot; moves: Moves }): this {
    load(this.#view, this.plan, this.#core, snapshot, moves);
    return this;
  }

  /**
   * The whole state, for `restore`: connections, rules, network, switches, keys, counters. Not the frames of the burst, and
   * not fragments that wait for the rest of their datagram: the restored director counts them under `fragment-timeout`.
   * Only this version of the library, and others with the same layout of memory, can read it. It holds the key of the
   * connection index: keep it from whoever may not know that.
   */
  snapshot(): Uint8Array<ArrayBuffer> {
    this.#assertOpen();
    return take(this.#view, this.plan, this.#network, this.#core);
  }

  /** A copy of the network as it was set. */
  get network(): NetworkConfig {
    return structuredClone(this.#network);
  }

  /**
   * Replaces interfaces, routes and neighbours. Connections live on; each looks its way up anew.
   *
   * @throws TypeError, RangeError for an unknown key, IpvsError BAD_NETWORK or TABLE_FULL, and nothing has changed.
   */
  setNetwork(network: NetworkConfig): void {
    this.#assertOpen();
    checkNetworkShape(network, 'network');
    const copy = structuredClone(network);
    const tables = buildTables(copy, this.plan);
    writeTables(this.#view, this.plan, tables);
    forgetWays(this.#view, this.plan);
    this.#tables = tables;
    this.#network = copy;
  }

  /** Index of an interface, for bursts. @throws RangeError when there is none of that name. */
  interfaceIndex(name: string): number {
    const index = this.#tables.indices.get(name);
    if (index === undefined) {
      const names = this.#tables.interfaces.map((one) => one.name).join(', ') || 'none';
      throw new RangeError(`expected the name of an interface, got ${shown(name)}: the network has ${names}`);
    }
    return index;
  }

  /** Name of an interface, `undefined` beyond the last. */
  interfaceName(index: number): string | undefined {
    return this.#tables.interfaces[index]?.name;
  }

  /** Changes the switches that are given. @throws RangeError for a value that the name does not have, or an unknown name. */
  setSysctl(sysctl: SysctlConfig): void {
    this.#assertOpen();
    this.#writeSysctl(sysctl);
  }

  #writeSysctl(sysctl: SysctlConfig): void {
    if (writeSysctl(this.#view, sysctl)) this.#core.updateDefence();
  }

  /** All switches. */
  getSysctl(): Required<SysctlConfig> {
    return readSysctl(this.#view);
  }

  /** Sets timeouts in seconds, as `ipvsadm --set`; 0 and `undefined` leave one as it is. */
  setTimeouts(timeouts: { tcp?: number; tcpfin?: number; udp?: number }): void {
    this.#assertOpen();
    writeTimeouts(this.#view, timeoutsOf(timeouts));
  }

  /** The timeouts that {@link setTimeouts} sets, in seconds. */
  getTimeouts(): { tcp: number; tcpfin: number; udp: number } {
    this.#assertOpen();
    return readTimeouts(this.#view);
  }

  /** Adds a service. @throws IpvsError SERVICE_EXISTS or TABLE_FULL; RangeError for bad settings. */
  addService(service: ServiceConfig): void {
    this.#assertOpen();
    this.#control.addService(service);
  }

  /**
   * Changes what a service has beside its name; local addresses that are left out stay.
   *
   * @throws IpvsError NO_SUCH_SERVICE or TABLE_FULL; RangeError as `addService`.
   */
  editService(service: ServiceConfig): void {
    this.#assertOpen();
    this.#control.changeService(service);
  }

  /**
   * Puts a local address behind those that a service has for FullNAT.
   *
   * @throws IpvsError NO_SUCH_SERVICE, LOCAL_ADDRESS_EXISTS or TABLE_FULL; RangeError for one that no service can have.
   */
  addLocalAddress(service: ServiceKey, address: string): void {
    this.#assertOpen();
    this.#control.addLocalAddress(service, address);
  }

  /** Takes one away; connections that have it live on. @throws IpvsError NO_SUCH_SERVICE or NO_SUCH_LOCAL_ADDRESS. */
  deleteLocalAddress(service: ServiceKey, address: string): void {
    this.#assertOpen();
    this.#control.deleteLocalAddress(service, address);
  }

  /** Deletes a service with its dests; packets of its connections are dropped. @throws IpvsError NO_SUCH_SERVICE. */
  deleteService(service: ServiceKey): void {
    this.#assertOpen();
    this.#control.deleteService(service);
  }

  /**
   * Sets counters and rates of a service and its dests to 0, or those of all and the total, as `ipvsadm -Z`.
   *
   * @throws IpvsError NO_SUCH_SERVICE.
   */
  zeroStats(service?: ServiceKey): void {
    this.#assertOpen();
    const places = service === undefined ? servicePlaces(this.#view, this.plan) : [this.#control.service(service)];
    for (const at of places) zeroStats(this.#view, at);
    if (service === undefined) zeroTotal(this.#view);
  }

  /** What went through all services, deleted ones included, as `/proc/net/ip_vs_stats` has it. */
  total(): { stats: Stats; rates: Stats } {
    this.#assertOpen();
    return readTotal(this.#view, this.plan);
  }

  /** Deletes every service. */
  clear(): void {
    for (const service of this.services()) this.deleteService(service);
  }

  /** Adds a dest, at the head of the list. @throws IpvsError NO_SUCH_SERVICE, DEST_EXISTS or TABLE_FULL. */
  addDest(service: ServiceKey, dest: DestConfig): void {
    this.#assertOpen();
    this.#control.addDest(service, dest);
  }

  /** Changes a dest's method, tunnel, weight and thresholds. @throws IpvsError NO_SUCH_SERVICE or NO_SUCH_DEST. */
  editDest(service: ServiceKey, dest: DestConfig): void {
    this.#assertOpen();
    this.#control.editDest(service, dest);
  }

  /** Takes a dest out; packets of its connections are dropped until it is added again. @throws as `editDest`. */
  deleteDest(service: ServiceKey, dest: DestKey): void {
    this.#assertOpen();
    this.#control.deleteDest(service, dest);
  }

  /**
   * Replaces all services and dests by these. What is in both lives on, with its connections and counts, edited where it
   * differs; connections of what is not are as after `deleteDest`. A service that is the same in everything goes on where it
   * is; in any other the next picks are those of the rules loaded afresh, but for counts of connections that there are, and
   * for what `lblc` and `lblcr` remember. A dest that is taken out needs its place in the plan while connections point to
   * it, or `lblc` and `lblcr` remember it: also those connections that `expire_nodest_conn` ends, as it does so last.
   *
   * @throws as `addService` and `addDest`, SERVICE_EXISTS and DEST_EXISTS for what is there twice; and nothing has changed.
   */
  replaceRules(rules: readonly ServiceRules[]): void {
    this.#assertOpen();
    replaceRules(this.#control, this.#view, this.plan, rules);
  }

  /** All services with their dests, in no particular order. */
  services(): ServiceInfo[] {
    this.#assertOpen();
    return Array.from(servicePlaces(this.#view, this.plan), (at) => readService(this.#view, at));
  }

  /** All connections that are not due at `now` (ms), in no particular order. */
  connections(now: number): ConnectionInfo[] {
    this.#assertOpen();
    return readConnections(this.#view, this.plan, now);
  }

  /** Number of connections, of both families. */
  get connectionCount(): number {
    return this.#view.getUint32(abi.SUPERBLOCK + abi.SB_CONN_COUNT, true);
  }

  /** Frames by the reason of their verdict, since the director was made. */
  counters(): Record<ReasonName, bigint> {
    this.#assertOpen();
    return readCounters(this.#view, this.plan);
  }

  /**
   * Judges the burst, which may be empty. What is due to be sent (a SYN once more, for a server behind a SYN proxy) is made
   * before, and comes first of the frames that the director made; whatever does not come, call it each second for these.
   *
   * @param now milliseconds, fractions allowed; the Unix epoch if IP timestamp options are to be right.
   *   A time before the last one counts as the last one.
   * @returns the number of frames, those that the director made included.
   * @throws IpvsError BURST_JUDGED for a burst that was judged, and not reset since; TypeError for no time, RangeError for one below 0.
   */
  process(now: number): number {
    this.#assertOpen();
    assertTime(now);
    this.burst.offer();
    const count = this.#core.process(now);
    this.burst.accept(count);
    return count;
  }

  /** Lets time pass: ends the connections that are due at `now` (ms), but for those for which a frame has to be sent: `process`. */
  advance(now: number): void {
    this.#assertOpen();
    assertTime(now);
    this.#core.advance(now);
  }

  /**
   * Judges one frame, given as a copy, and copies what comes out. The burst is empty afterwards, whatever was in it.
   *
   * @returns the frame's own outcome first, then the frames that the director made: those that were due, and those because of it.
   * @param notes what the frame carries beside its bytes.
   * @throws TypeError for what is no frame or no time; RangeError for a time below 0, an unknown interface or note; IpvsError BURST_FULL when the frame does not fit in the arena.
   */
  send(frame: Uint8Array, inInterface: string, now: number, notes: FrameNotes = {}): Outcome[] {
    this.#assertOpen();
    if (!(frame instanceof Uint8Array)) throw new TypeError(`expected a frame as a Uint8Array, got ${shown(frame)}`);
    checkNotes(notes, 'notes');
    assertTime(now);
    const { mark = 0, partialChecksum = false } = notes;
    const { burst } = this;
    burst.reset();
    burst.reserve(frame.length, this.interfaceIndex(inInterface)).set(frame);
    burst.commit(frame.length, 0, mark, partialChecksum);
    const count = this.process(now);
    const outcomes = Array.from({ length: count }, (_, index) => this.outcome(index, now));
    burst.reset();
    return outcomes;
  }

  /** What became of frame `index` of the burst, copied. */
  outcome(index: number, now: number): Outcome {
    return readOutcome(this.#view, this.burst, this.#tables.interfaces, index, now);
  }

  /** Ends the director. Its memory is the garbage collector's, or the embedder's again. */
  close(): void {
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new IpvsError('CLOSED', 'the director is closed');
  }
}

/** Checks a snapshot, and says how to make the director that it is put into. */
function prepare(bytes: Uint8Array, options: RestoreOptions) {
  const snapshot = decode(bytes);
  const before = checkSnapshot(snapshot);
  const made = restoring(snapshot, options);
  return { made, snapshot, moves: movesOf(snapshot, before, planOf(made)) };
}
