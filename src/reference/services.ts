/**
 * Services, their dests, and the trash in which a deleted dest waits until nothing refers to it.
 *
 * @module
 */
import { DestEnds } from './dest-ends.js';
import type { LocalPorts } from './fullnat/pools.js';
import type { Network } from './network.js';
import { type Address, type Family, familyOf, isUnicast } from './packet/address.js';
import type { Path } from './path-mtu.js';
import { isOfQueries } from './queries.js';
import { Rates } from './rates.js';
import {
  checkForwarding,
  checkOnce,
  configure,
  endName,
  identify,
  isSnat,
  localsOf,
  readCarry,
  readEnd,
  readLocalAddresses,
  readPersistence,
  readSynProxy,
  readTunnel,
} from './rules.js';
import { createScheduler, type Scheduler, type SchedulerSettings } from './schedulers/index.js';
import type * as words from './types.js';

/** A tunnel with its defaults filled in. */
export interface Tunnel {
  type: 'ipip' | 'gre' | 'gue';
  /** UDP port of GUE; else 0. */
  port: number;
  checksum: 'nocsum' | 'csum' | 'remcsum';
}

/** A real server. */
export interface Dest {
  /** Names service and dest for good: the trash is searched by it. */
  name: string;
  address: Address;
  /** 0: the packet keeps its own. */
  port: number;
  method: words.ReferenceMethod;
  weight: number;
  /** The last one that was not 0; 0 if there was none since it was added. */
  lastWeight: number;
  upperThreshold: number;
  lowerThreshold: number;
  overloaded: boolean;
  activeConnections: number;
  inactiveConnections: number;
  persistentConnections: number;
  /** False from its deletion until it is added again. */
  available: boolean;
  stats: words.ReferenceStats;
  rates: Rates;
  service: Service;
  tunnel: Tunnel;
  /** The way by which the last packet went: MTU of its interface, and what was known about it. */
  way: { mtu: number; path: Path | undefined } | undefined;
  /** The network that the first packet since an edit was routed in, and whether it was one by DR, which goes to the dest whatever its destination is. */
  routed: { network: Network; isDirect: boolean } | undefined;
}

/** What a service takes: one virtual address and port, or a firewall mark. */
export type ServiceEnd =
  | { protocol: words.ReferenceProtocol; address: Address; port: number }
  | { fwmark: number; family: Family };

/** How a service is persistent. */
export interface Persistence {
  /** Milliseconds. */
  timeout: number;
  /** The bits of a client's address that count. */
  mask: Address;
  /** As given, or the default. */
  netmask: string | number;
  engine: 'sip' | undefined;
}

/** A virtual service; `dests` is newest first. */
export interface Service {
  end: ServiceEnd;
  family: Family;
  schedulerName: words.ReferenceScheduler;
  scheduler: Scheduler<Dest>;
  flags: words.ReferenceFlag[];
  persistence: Persistence | undefined;
  engine: 'sip' | undefined;
  /** Whether its UDP connections live for one packet. */
  once: boolean;
  /** Of FullNAT. */
  localAddresses: Address[];
  nextLocal: number;
  profile: words.ReferenceProfile;
  carry: words.ReferenceCarry | undefined;
  synproxy: boolean;
  dests: Dest[];
  stats: words.ReferenceStats;
  rates: Rates;
}

/** FTP's ports, and the first of those that any process may have. */
const FTP_DATA_PORT = 20;
const FTP_PORT = 21;
const FIRST_UNPRIVILEGED = 1024;

/** After so many estimations without traffic every rate is 0. */
const TIMES_ENOUGH = 200;

const noStats = (): words.ReferenceStats => ({
  connections: 0n,
  inPackets: 0n,
  outPackets: 0n,
  inBytes: 0n,
  outBytes: 0n,
});

const total = (dest: Dest): number => dest.activeConnections + dest.inactiveConnections;

/** All services. */
export class ServiceTable {
  readonly #services = new Map<string, Service>();
  readonly #trash = new Map<string, Dest>();
  /** By where they are. */
  readonly ends = new DestEnds();
  readonly #localPorts: LocalPorts;
  readonly #sysctl: () => Required<words.ReferenceSysctl>;
  /** The latest time that was heard of. */
  #now: number | undefined;

  constructor(sysctl: () => Required<words.ReferenceSysctl>, localPorts: LocalPorts) {
    this.#sysctl = sysctl;
    this.#localPorts = localPorts;
  }

  /** Lets time pass: schedulers forget. */
  advance(now: number): void {
    this.#estimate(this.#now ?? now, now);
    this.#now = now;
    for (const service of this.list()) service.scheduler.advance?.(now);
  }

  /** At each even second that has passed. */
  #estimate(from: number, to: number): void {
    const times = Math.min(Math.floor(to / 2000) - Math.floor(from / 2000), TIMES_ENOUGH);
    const all = this.list().flatMap((service) => [service, ...service.dests]);
    for (let time = 0; time < times; time++) for (const { rates, stats } of all) rates.update(stats);
  }

  add(config: words.ReferenceService): void {
    const end = readEnd(config);
    const key = endName(end);
    if (this.#services.has(key)) throw new Error(`service ${key} exists`);
    const name = config.scheduler ?? 'wlc';
    const family = 'fwmark' in end ? end.family : familyOf(end.address);
    const flags = [...(config.flags ?? [])];
    const settings = this.#settings(family, () => service.flags);
    const scheduler = createScheduler<Dest>(name, [], settings);
    const localAddresses = readLocalAddresses(config, family);
    const carry = readCarry(config, family, []);
    const synproxy = readSynProxy(config, []);
    this.#localPorts.rename([], localAddresses);
    const service: Service = {
      end,
      family,
      schedulerName: name,
      scheduler,
      flags,
      ...readPersistence(config, family),
      localAddresses,
      nextLocal: 0,
      profile: config.profile ?? 'linux',
      carry,
      synproxy,
      dests: [],
      stats: noStats(),
      rates: new Rates(),
    };
    this.#services.set(key, service);
    this.#start(scheduler);
  }

  /** A scheduler that stays keeps its place in the list. */
  edit(config: words.ReferenceService): void {
    const service = this.get(config);
    const { dests, family, localAddresses: before } = service;
    const persistence = readPersistence(config, family);
    for (const { method } of dests) checkOnce(method, persistence.once);
    const carry = readCarry(config, family, dests);
    const synproxy = readSynProxy(config, dests);
    // Those that are left out stay.
    const localAddresses = config.localAddresses === undefined ? before : readLocalAddresses(config, family);
    this.#localPorts.rename(before, localAddresses);
    const isNew = localAddresses.length !== before.length || localAddresses.some((each, i) => each !== before[i]);
    if (isNew) Object.assign(service, { localAddresses, nextLocal: 0 });
    Object.assign(service, { profile: config.profile ?? 'linux', carry, synproxy });
    service.flags = [...(config.flags ?? [])];
    Object.assign(service, persistence);
    const name = config.scheduler ?? 'wlc';
    if (name === service.schedulerName) return;
    service.schedulerName = name;
    const settings = this.#settings(service.family, () => service.flags);
    service.scheduler = createScheduler<Dest>(name, service.dests, settings);
    this.#start(service.scheduler);
  }

  #settings(family: Family, flags: () => words.ReferenceFlag[]): SchedulerSettings {
    return { family, flags, expiration: (name) => this.#sysctl()[`${name}_expiration`] };
  }

  #start(scheduler: Scheduler<Dest>): void {
    if (this.#now !== undefined) scheduler.advance?.(this.#now);
  }

  delete(key: words.ReferenceServiceKey): void {
    const service = this.get(key);
    for (const dest of service.dests) this.#discard(dest);
    this.#localPorts.rename(service.localAddresses, []);
    this.#services.delete(endName(service.end));
  }

  zero(key: words.ReferenceServiceKey | undefined): void {
    for (const service of key === undefined ? this.list() : [this.get(key)]) {
      for (const { rates, stats } of [service, ...service.dests]) rates.zero(stats);
    }
  }

  /** The newest dest stands first in its list. */
  addDest(key: words.ReferenceServiceKey, given: words.ReferenceDest): void {
    const service = this.get(key);
    const config = { ...given, method: given.method ?? 'dr' };
    const [name, address, port] = identify(service, config);
    if (!isUnicast(address)) throw new RangeError(`expected a unicast address, got ${config.address}`);
    checkForwarding(service, config);
    if (service.dests.some((dest) => dest.name === name)) throw new Error(`dest ${name} exists`);
    this.#localPorts.rename([], localsOf({ ...config, address }));
    this.#emptyTrash();
    const revived = this.#trash.get(name);
    this.#trash.delete(name);
    const dest: Dest = revived ?? {
      name,
      address,
      port,
      method: 'dr',
      weight: 1,
      lastWeight: 0,
      upperThreshold: 0,
      lowerThreshold: 0,
      overloaded: false,
      activeConnections: 0,
      inactiveConnections: 0,
      persistentConnections: 0,
      available: true,
      stats: noStats(),
      rates: new Rates(),
      service,
      tunnel: readTunnel(undefined),
      way: undefined,
      routed: undefined,
    };
    if (dest.service !== service) Object.assign(dest, { service, stats: noStats(), rates: new Rates() });
    dest.available = true;
    dest.lastWeight = 0;
    configure(dest, config);
    this.ends.note(dest, undefined);
    service.dests = [dest, ...service.dests];
    service.scheduler.changed?.(service.dests);
  }

  /** An edited dest keeps its place in the list, and its connections keep their method. */
  editDest(key: words.ReferenceServiceKey, given: words.ReferenceDest): void {
    const service = this.get(key);
    const config = { ...given, method: given.method ?? 'dr' };
    const dest = this.#getDest(service, config);
    checkForwarding(service, config);
    const { method, tunnel } = dest;
    this.#localPorts.rename(localsOf(dest), localsOf({ ...config, address: dest.address }));
    configure(dest, config);
    this.ends.note(dest, { method, tunnel });
    service.scheduler.changed?.(service.dests);
  }

  deleteDest(key: words.ReferenceServiceKey, config: words.ReferenceDestKey): void {
    const service = this.get(key);
    const dest = this.#getDest(service, config);
    const before = service.dests;
    service.dests = before.filter((each) => each !== dest);
    service.scheduler.deleted?.(before, dest);
    this.#discard(dest);
  }

  #discard(dest: Dest): void {
    dest.available = false;
    this.#localPorts.rename(localsOf(dest), []);
    this.ends.forget(dest);
    this.#trash.set(dest.name, dest);
  }

  /** Forgets the deleted dests that no connection and no scheduler refers to. */
  #emptyTrash(): void {
    for (const dest of this.#trash.values()) {
      const isKept =
        total(dest) + dest.persistentConnections > 0 || this.list().some(({ scheduler }) => scheduler.refersTo?.(dest));
      if (!isKept) this.#trash.delete(dest.name);
    }
  }

  /** @throws Error when there is no such service. */
  get(key: words.ReferenceServiceKey): Service {
    const end = readEnd(key);
    const service = this.#services.get(endName(end));
    if (service === undefined) throw new Error(`no service ${endName(end)}`);
    return service;
  }

  #getDest(service: Service, config: words.ReferenceDest): Dest {
    const [name] = identify(service, config);
    const dest = service.dests.find((each) => each.name === name);
    if (dest === undefined) throw new Error(`no dest ${name}`);
    return dest;
  }

  /**
   * The service for a packet that the host takes in: that of its mark if not by SNAT, else the one for exactly its destination, else FTP's for what may be one of
   * its data connections, else the one for every port. Queries of ICMP have none.
   */
  find(mark: number, protocol: words.ReferenceConnectionProtocol, address: Address, port: number): Service | undefined {
    if (isOfQueries(protocol)) return undefined;
    const marked = this.#marked(mark, familyOf(address), false);
    const at = (port: number) => this.#services.get(endName({ protocol, address, port }));
    const mayBeData = protocol === 'tcp' && (port === FTP_DATA_PORT || port >= FIRST_UNPRIVILEGED);
    return marked ?? at(port) ?? (mayBeData ? at(FTP_PORT) : undefined) ?? at(0);
  }

  /** Whether packets with this mark are for a service, wherever they are addressed to. */
  hasMark(fwmark: number, family: Family): boolean {
    return this.#marked(fwmark, family, false) !== undefined;
  }

  /** The service by SNAT for packets with this mark. */
  findSnat(fwmark: number, family: Family): Service | undefined {
    return this.#marked(fwmark, family, true);
  }

  #marked(fwmark: number, family: Family, bySnat: boolean): Service | undefined {
    const service = this.#services.get(endName({ fwmark, family }));
    return service !== undefined && isSnat(service) === bySnat ? service : undefined;
  }

  /** Whether there is any service of that family. */
  any(family: Family): boolean {
    return this.list().some((service) => service.family === family);
  }

  /** Counts a new, inactive connection. */
  bind(dest: Dest): void {
    dest.inactiveConnections += 1;
    this.#close(dest);
  }

  /** Counts a new template. */
  bindTemplate(dest: Dest): void {
    dest.persistentConnections += 1;
    this.#close(dest);
  }

  #close(dest: Dest): void {
    if (dest.upperThreshold !== 0 && total(dest) >= dest.upperThreshold) dest.overloaded = true;
  }

  /** Counts a connection out. */
  unbind(dest: Dest, active: boolean): void {
    if (active) dest.activeConnections -= 1;
    else dest.inactiveConnections -= 1;
    this.#reopen(dest);
  }

  /** Counts a template out. */
  unbindTemplate(dest: Dest): void {
    dest.persistentConnections -= 1;
    this.#reopen(dest);
  }

  #reopen(dest: Dest): void {
    if (dest.lowerThreshold !== 0) {
      if (total(dest) < dest.lowerThreshold) dest.overloaded = false;
    } else if (dest.upperThreshold === 0 || total(dest) * 4 < dest.upperThreshold * 3) dest.overloaded = false;
  }

  list(): Service[] {
    return [...this.#services.values()];
  }
}
