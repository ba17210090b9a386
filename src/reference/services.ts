/**
 * Services, their dests, and the trash in which a deleted dest waits for its connections to end.
 *
 * @module
 */
import { formatAddress, isUnicast, parseAddress } from './packet/address.js';
import { createScheduler, type Scheduler } from './schedulers.js';
import type * as words from './types.js';

/** A real server. */
export interface Dest {
  /** Names service and dest for good: the trash is searched by it. */
  name: string;
  address: number;
  port: number;
  method: words.ReferenceMethod;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  overloaded: boolean;
  activeConnections: number;
  inactiveConnections: number;
  /** False from its deletion until it is added again. */
  available: boolean;
  stats: words.ReferenceStats;
  service: Service;
}

/** A virtual service; `dests` is newest first. */
export interface Service {
  protocol: words.ReferenceProtocol;
  address: number;
  port: number;
  schedulerName: words.ReferenceScheduler;
  scheduler: Scheduler<Dest>;
  flags: words.ReferenceFlag[];
  dests: Dest[];
  stats: words.ReferenceStats;
}

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

  add(config: words.ReferenceService): void {
    const key = serviceName(config.protocol, parseAddress(config.address), config.port);
    if (this.#services.has(key)) throw new Error(`service ${key} exists`);
    const service: Service = {
      protocol: config.protocol,
      address: parseAddress(config.address),
      port: config.port,
      schedulerName: config.scheduler ?? 'wlc',
      scheduler: createScheduler<Dest>(config.scheduler ?? 'wlc', [], () => service.flags),
      flags: [...(config.flags ?? [])],
      dests: [],
      stats: noStats(),
    };
    this.#services.set(key, service);
  }

  /** A scheduler that stays keeps its place in the list. */
  edit(config: words.ReferenceService): void {
    const service = this.get(config);
    service.flags = [...(config.flags ?? [])];
    const name = config.scheduler ?? 'wlc';
    if (name === service.schedulerName) return;
    service.schedulerName = name;
    service.scheduler = createScheduler<Dest>(name, service.dests, () => service.flags);
  }

  delete(key: words.ReferenceServiceKey): void {
    const service = this.get(key);
    for (const dest of service.dests) this.#discard(dest);
    this.#services.delete(serviceName(service.protocol, service.address, service.port));
  }

  /** The newest dest stands first in its list. */
  addDest(key: words.ReferenceServiceKey, given: words.ReferenceDest): void {
    const service = this.get(key);
    const config = { ...given, method: given.method ?? 'dr' };
    const [name, address, port] = identify(service, config);
    if (!isUnicast(address)) throw new RangeError(`expected a unicast address, got ${config.address}`);
    if (service.dests.some((dest) => dest.name === name)) throw new Error(`dest ${name} exists`);
    const revived = this.#trash.get(name);
    this.#trash.delete(name);
    const dest: Dest = revived ?? {
      name,
      address,
      port,
      method: 'dr',
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
      overloaded: false,
      activeConnections: 0,
      inactiveConnections: 0,
      available: true,
      stats: noStats(),
      service,
    };
    if (dest.service !== service) Object.assign(dest, { service, stats: noStats() });
    dest.available = true;
    configure(dest, config);
    service.dests = [dest, ...service.dests];
    service.scheduler.changed(service.dests);
  }

  /** An edited dest keeps its place in the list, and its connections keep their method. */
  editDest(key: words.ReferenceServiceKey, given: words.ReferenceDest): void {
    const service = this.get(key);
    const config = { ...given, method: given.method ?? 'dr' };
    configure(this.#getDest(service, config), config);
    service.scheduler.changed(service.dests);
  }

  deleteDest(key: words.ReferenceServiceKey, config: words.ReferenceDestKey): void {
    const service = this.get(key);
    const dest = this.#getDest(service, config);
    const before = service.dests;
    service.dests = before.filter((each) => each !== dest);
    service.scheduler.deleted(before, dest);
    this.#discard(dest);
  }

  #discard(dest: Dest): void {
    dest.available = false;
    if (total(dest) > 0) this.#trash.set(dest.name, dest);
  }

  /** @throws Error when there is no such service. */
  get(key: words.ReferenceServiceKey): Service {
    const service = this.find(key.protocol, parseAddress(key.address), key.port);
    if (service === undefined) throw new Error(`no service ${key.protocol} ${key.address}:${key.port}`);
    return service;
  }

  #getDest(service: Service, config: words.ReferenceDest): Dest {
    const [name] = identify(service, config);
    const dest = service.dests.find((each) => each.name === name);
    if (dest === undefined) throw new Error(`no dest ${name}`);
    return dest;
  }

  /** The service for exactly this destination. */
  find(protocol: words.ReferenceProtocol, address: number, port: number): Service | undefined {
    return this.#services.get(serviceName(protocol, address, port));
  }

  /** Whether some NAT service has the dest `address`:`port`. */
  hasNatDest(protocol: words.ReferenceProtocol, address: number, port: number): boolean {
    return this.list().some(
      (service) =>
        service.protocol === protocol &&
        service.dests.some((dest) => dest.method === 'nat' && dest.address === address && dest.port === port),
    );
  }

  /** Counts a new, inactive connection. */
  bind(dest: Dest): void {
    dest.inactiveConnections += 1;
    if (dest.upperThreshold !== 0 && total(dest) >= dest.upperThreshold) dest.overloaded = true;
  }

  /** Counts a connection out. */
  unbind(dest: Dest, active: boolean): void {
    if (active) dest.activeConnections -= 1;
    else dest.inactiveConnections -= 1;
    if (dest.lowerThreshold !== 0) {
      if (total(dest) < dest.lowerThreshold) dest.overloaded = false;
    } else if (dest.upperThreshold === 0 || total(dest) * 4 < dest.upperThreshold * 3) dest.overloaded = false;
    if (total(dest) === 0 && this.#trash.get(dest.name) === dest) this.#trash.delete(dest.name);
  }

  list(): Service[] {
    return [...this.#services.values()];
  }
}

function serviceName(protocol: string, address: number, port: number): string {
  return `${protocol} ${formatAddress(address)}:${port}`;
}

function identify(service: Service, config: words.ReferenceDest): [name: string, address: number, port: number] {
  const address = parseAddress(config.address);
  // Only NAT can change the port; a key without a method must name the dest's own port.
  const forced = config.method === 'dr' || config.method === 'tun';
  const port = forced ? service.port : (config.port ?? service.port);
  const of = serviceName(service.protocol, service.address, service.port);
  return [`${of} -> ${formatAddress(address)}:${port}`, address, port];
}

function configure(dest: Dest, config: words.ReferenceDest): void {
  dest.method = config.method ?? 'dr';
  dest.weight = config.weight ?? 1;
  const upper = config.upperThreshold ?? 0;
  // Only a limit that was raised or lifted takes the mark away at once.
  if (upper === 0 || upper > dest.upperThreshold) dest.overloaded = false;
  dest.upperThreshold = upper;
  dest.lowerThreshold = config.lowerThreshold ?? 0;
}
