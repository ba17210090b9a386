/**
 * A director with the room that its rules take, so that no command asks how large a table is to be.
 *
 * Each of its connections can have an extension. A table that rules or the network fill becomes twice as large, or as large as
 * 4 GiB allow: what there is moves into a larger plan.
 *
 * @module
 */
import { Director } from '../director.js';
import { IpvsError } from '../errors.js';
import type { PlanOptions } from '../index.js';
import type { IpvsadmTarget } from '../rules/index.js';
import type { DestConfig, DestKey, NetworkConfig, ServiceConfig, ServiceKey } from '../types.js';

/** See the module. Methods are those of the director, and throw TABLE_FULL for what does not fit in 4 GiB alone. */
export class GrowingDirector implements IpvsadmTarget {
  #director: Director;
  #hasChanged = false;

  constructor(director: Director) {
    this.#director = director;
    const { connections, connections6, extensions } = director.plan.options;
    this.#enlarge('extensions', connections + connections6 - extensions);
  }

  /** As it is now: the next change may move it. */
  get director(): Director {
    return this.#director;
  }

  /** Whether a method has changed something. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  setNetwork(network: NetworkConfig): void {
    this.#change((director) => director.setNetwork(network));
  }

  addService(service: ServiceConfig): void {
    this.#change((director) => director.addService(service));
  }

  editService(service: ServiceConfig): void {
    this.#change((director) => director.editService(service));
  }

  deleteService(service: ServiceKey): void {
    this.#change((director) => director.deleteService(service));
  }

  clear(): void {
    this.#change((director) => director.clear());
  }

  addDest(service: ServiceKey, dest: DestConfig): void {
    this.#change((director) => director.addDest(service, dest));
  }

  editDest(service: ServiceKey, dest: DestConfig): void {
    this.#change((director) => director.editDest(service, dest));
  }

  deleteDest(service: ServiceKey, dest: DestKey): void {
    this.#change((director) => director.deleteDest(service, dest));
  }

  addLocalAddress(service: ServiceKey, address: string): void {
    this.#change((director) => director.addLocalAddress(service, address));
  }

  deleteLocalAddress(service: ServiceKey, address: string): void {
    this.#change((director) => director.deleteLocalAddress(service, address));
  }

  zeroStats(service?: ServiceKey): void {
    this.#change((director) => director.zeroStats(service));
  }

  setTimeouts(timeouts: { tcp?: number; tcpfin?: number; udp?: number }): void {
    this.#change((director) => director.setTimeouts(timeouts));
  }

  services(): ReturnType<Director['services']> {
    return this.#director.services();
  }

  connections(now: number): ReturnType<Director['connections']> {
    return this.#director.connections(now);
  }

  getTimeouts(): ReturnType<Director['getTimeouts']> {
    return this.#director.getTimeouts();
  }

  #change(step: (director: Director) => void): void {
    for (;;) {
      try {
        step(this.#director);
        this.#hasChanged = true;
        return;
      } catch (error) {
        if (!(error instanceof IpvsError) || error.option === undefined) throw error;
        const option = error.option as keyof PlanOptions;
        if (!this.#enlarge(option, this.#director.plan.options[option] || 1)) throw error;
      }
    }
  }

  /** Gives a table room for `more`, or for half of that, and so on; false when there is none. */
  #enlarge(option: keyof PlanOptions, more: number): boolean {
    if (more <= 0) return false;
    const before = this.#director;
    const snapshot = before.snapshot();
    for (let added = more; added >= 1; added = Math.floor(added / 2)) {
      try {
        const plan = { [option]: before.plan.options[option] + added };
        this.#director = Director.restoreSync(snapshot, { plan });
        before.close();
        return true;
      } catch (error) {
        // Beyond the plan's bounds, or the host's.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }
}
