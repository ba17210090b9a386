/**
 * Services and dests: what is given is checked, and the core is told.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { Method, Refusal } from './abi/protocol.js';
import {
  type DestArguments,
  destArguments,
  destLabel,
  destSettings,
  localAddresses,
  localAddressOf,
  type ServiceArguments,
  serviceArguments,
  serviceLabel,
  serviceSettings,
  withForcedPort,
} from './arguments.js';
import { assertAlike, assertDest } from './combinations.js';
import { IpvsError } from './errors.js';
import { voidCaches } from './net-tables.js';
import type { Plan, PlanOptions } from './plan.js';
import { readService } from './records.js';
import { readSysctl } from './settings.js';
import type { DestConfig, DestKey, ServiceConfig, ServiceKey } from './types.js';
import type { CoreExports } from './wasm.js';

/** The rules of a director. Errors are those of its methods with the same names. */
export class Control {
  readonly core: CoreExports;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #plan: Plan;

  constructor(core: CoreExports, view: DataView, plan: Plan) {
    this.core = core;
    this.#view = view;
    this.#bytes = new Uint8Array(view.buffer);
    this.#plan = plan;
  }

  addService(service: ServiceConfig): void {
    serviceSettings(service);
    const { key } = this.#handOver(service);
    if (this.core.findService(...key) !== 0)
      throw new IpvsError('SERVICE_EXISTS', `${serviceLabel(service)}: already exists`);
    const added = this.core.addService(...key);
    if (added === 0) {
      throw this.#noRoom(service, 'services', `the plan has room for ${this.#plan.services.count} services`);
    }
    try {
      this.#edit(added, service);
    } catch (error) {
      this.core.deleteService(added);
      throw error;
    }
  }

  editService(service: ServiceConfig): void {
    this.#edit(this.service(service), service);
  }

  /** As the API has it: local addresses that are left out stay. @throws RangeError too, for what a dest of it cannot be with. */
  changeService(service: ServiceConfig): void {
    const known = readService(this.#view, this.service(service));
    const [, flags, , , , , carry] = serviceSettings(service);
    for (const dest of known.dests) assertDest(service, flags, carry, dest);
    const { localAddresses = known.localAddresses ?? [] } = service;
    this.editService({ ...service, localAddresses });
  }

  addLocalAddress(service: ServiceKey, address: string): void {
    const own = this.#localAddresses(service);
    const added = localAddressOf(service, address);
    if (own.includes(added)) {
      throw new IpvsError(
        'LOCAL_ADDRESS_EXISTS',
        `${serviceLabel(service)}: ${added} is a local address of it already`,
      );
    }
    this.#setLocalAddresses(service, [...own, added]);
  }

  deleteLocalAddress(service: ServiceKey, address: string): void {
    const own = this.#localAddresses(service);
    const deleted = localAddressOf(service, address);
    if (!own.includes(deleted)) {
      throw new IpvsError('NO_SUCH_LOCAL_ADDRESS', `${serviceLabel(service)}: ${deleted} is no local address of it`);
    }
    const rest = own.filter((one) => one !== deleted);
    this.#setLocalAddresses(service, rest);
  }

  #localAddresses(service: ServiceKey): readonly string[] {
    return readService(this.#view, this.service(service)).localAddresses ?? [];
  }

  #setLocalAddresses(service: ServiceKey, localAddresses: readonly string[]): void {
    this.editService({ ...readService(this.#view, this.service(service)), localAddresses });
  }

  #edit(at: number, service: ServiceConfig): void {
    const settings = serviceSettings(service);
    const locals = localAddresses(service);
    this.#bytes.set(locals, this.#plan.scratch.base);
    const refusal = this.core.editService(at, ...settings, locals.length / abi.LOCAL_GIVEN_SIZE);
    if (refusal === Refusal.Locals) throw this.#noLocalRoom(service);
    if (refusal !== Refusal.None) throw this.#noSchedulerRoom(service);
  }

  deleteService(service: ServiceKey): void {
    this.core.deleteService(this.service(service));
  }

  addDest(service: ServiceKey, given: DestConfig): void {
    const dest = withForcedPort(service, given);
    const at = this.service(service);
    const key = this.#handOverDest(service, dest);
    const settings = this.#settings(at, service, dest);
    if (this.core.findDest(at, ...key) !== 0) {
      throw new IpvsError('DEST_EXISTS', `${destLabel(service, dest)}: already exists`);
    }
    const added = this.core.addDest(at, ...key, settings[0] === Method.Snat ? 1 : 0);
    if (added === Refusal.Locals) throw this.#noLocalRoom(service);
    if (added === 0) {
      throw this.#noRoom(service, 'dests', `the plan has room for ${this.#plan.dests.count} dests`);
    }
    this.#setDest(service, added, settings);
  }

  editDest(service: ServiceKey, given: DestConfig): void {
    const dest = withForcedPort(service, given);
    const at = this.service(service);
    const found = this.#findDest(at, service, dest);
    this.#setDest(service, found, this.#settings(at, service, dest, found));
  }

  deleteDest(service: ServiceKey, dest: DestKey): void {
    const at = this.service(service);
    this.core.deleteDest(at, this.#findDest(at, service, dest));
  }

  /** Address of a service's record. */
  service(service: ServiceKey): number {
    const at = this.core.findService(...this.#handOver(service).key);
    if (at === 0) throw new IpvsError('NO_SUCH_SERVICE', `${serviceLabel(service)}: not defined`);
    return at;
  }

  /** Address of a dest's record. */
  dest(service: ServiceKey, dest: DestKey): number {
    return this.#findDest(this.service(service), service, dest);
  }

  #findDest(at: number, service: ServiceKey, dest: DestKey): number {
    const found = this.core.findDest(at, ...this.#handOverDest(service, dest));
    if (found === 0) throw new IpvsError('NO_SUCH_DEST', `${destLabel(service, dest)}: no such dest`);
    return found;
  }

  /** What a dest of the service at `at` is to be, once it is known that the service can have it; `found`: it is there. */
  #settings(at: number, service: ServiceKey, dest: DestConfig, found = 0): ReturnType<typeof destSettings> {
    const settings = destSettings(service, dest);
    const flags = this.#view.getUint32(at + abi.SVC_FLAGS, true);
    assertDest(service, flags, this.#view.getUint8(at + abi.SVC_CARRY), dest);
    const first = this.#view.getUint32(at + abi.SVC_DESTS, true);
    const other = first === found && found !== 0 ? this.#view.getUint32(found + abi.DEST_NEXT, true) : first;
    // All of them are alike.
    if (other !== 0) assertAlike(service, dest, this.#view.getUint8(other + abi.DEST_METHOD) === Method.Snat);
    return settings;
  }

  #setDest(service: ServiceKey, at: number, settings: ReturnType<typeof destSettings>): void {
    if (this.core.setDest(at, ...settings) !== Refusal.None) throw this.#noLocalRoom(service);
    // Whether packets of a connection go the short way depends on dests then: on their ends, and on weights of 0.
    const { nat_icmp_send, expire_nodest_conn } = readSysctl(this.#view);
    if (nat_icmp_send !== 0 || expire_nodest_conn !== 0) voidCaches(this.#view);
  }

  /** Checks what names a service, and writes its address to where the core's functions look for it. */
  #handOver(service: ServiceKey): ServiceArguments {
    const checked = serviceArguments(service);
    this.#bytes.set(checked.address, abi.SUPERBLOCK + abi.SB_ARG_ADDRESS);
    return checked;
  }

  /** The same for a dest. */
  #handOverDest(service: ServiceKey, dest: DestKey): DestArguments['key'] {
    const { address, key } = destArguments(service, dest);
    this.#bytes.set(address, abi.SUPERBLOCK + abi.SB_ARG_DEST);
    return key;
  }

  #noLocalRoom(service: ServiceKey): IpvsError {
    const room = this.#plan.locals.count;
    return this.#noRoom(service, 'localAddresses', `the plan has room for ${room} local addresses`);
  }

  #noSchedulerRoom(service: ServiceKey): IpvsError {
    const bytes = this.#plan.schedulers.count;
    const text = `no room left for its scheduler's table, or its local addresses, in ${bytes} bytes`;
    return this.#noRoom(service, 'schedulerBytes', text);
  }

  #noRoom(service: ServiceKey, option: keyof PlanOptions, text: string): IpvsError {
    return new IpvsError('TABLE_FULL', `${serviceLabel(service)}: ${text}`, { option });
  }
}
