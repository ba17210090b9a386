/**
 * Replacing all rules at once: by what is different, and all or nothing.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import {
  destArguments,
  destLabel,
  destSettings,
  localAddresses,
  serviceArguments,
  serviceLabel,
  serviceSettings,
  withForcedPort,
} from './arguments.js';
import { assertAlike, assertDest } from './combinations.js';
import type { Control } from './control.js';
import { IpvsError } from './errors.js';
import { voidCaches } from './net-tables.js';
import type { Plan } from './plan.js';
import { type DestInfo, readService, type ServiceInfo, servicePlaces } from './records.js';
import { assertKeys, listOf, placed } from './shape.js';
import { controlSections } from './snapshot/take.js';
import type { DestConfig, ServiceConfig, ServiceKey } from './types.js';

/** A service and its dests, in the order in which they are added: `services()` lists the last one first. */
export interface ServiceRules {
  service: ServiceConfig;
  added: readonly DestConfig[];
}

const RULES_KEYS: Readonly<Record<keyof ServiceRules, true>> = { service: true, added: true };

/** Rules that were checked, by what names a service and then a dest. */
type Checked = ReadonlyMap<string, { service: ServiceConfig; added: ReadonlyMap<string, DestConfig> }>;

/** Replaces all services and dests. Errors as {@link Control.addService} and {@link Control.addDest}, and nothing has changed. */
export function replaceRules(control: Control, view: DataView, plan: Plan, rules: readonly ServiceRules[]): void {
  const checked = check(rules);
  const field = abi.SUPERBLOCK + abi.SB_EXPIRE_NODEST_CONN;
  const expires = view.getUint32(field, true);
  allOrNothing(view, plan, () => {
    // Connections are ended last, when nothing can fail any more.
    view.setUint32(field, 0, true);
    change(
      control,
      checked,
      Array.from(servicePlaces(view, plan), (at) => readService(view, at)),
    );
    view.setUint32(field, expires, true);
    voidCaches(view);
  });
  if (expires !== 0) control.core.endAbandoned();
}

function check(rules: readonly ServiceRules[]): Checked {
  listOf((each, path) => {
    assertKeys(path, each, RULES_KEYS);
    listOf(() => undefined)((each as ServiceRules).added, `${path}.added`);
  })(rules, 'rules');
  const checked = new Map<string, { service: ServiceConfig; added: Map<string, DestConfig> }>();
  for (const [i, { service, added }] of rules.entries()) {
    const dests = new Map<string, DestConfig>();
    placed(`rules[${i}].service`, () => {
      serviceSettings(service);
      const name = nameOf(service);
      if (checked.has(name)) throw new IpvsError('SERVICE_EXISTS', `${serviceLabel(service)}: is there twice`);
      checked.set(name, { service, added: dests });
    });
    for (const [j, given] of added.entries()) {
      placed(`rules[${i}].added[${j}]`, () => {
        const dest = withForcedPort(service, given);
        destSettings(service, dest);
        const [, flags, , , , , carry] = serviceSettings(service);
        assertDest(service, flags, carry, dest);
        const [[, first] = []] = dests;
        if (first !== undefined) assertAlike(service, dest, first.method === 'snat');
        const name = nameOfDest(service, dest);
        if (dests.has(name)) throw new IpvsError('DEST_EXISTS', `${destLabel(service, dest)}: is there twice`);
        dests.set(name, dest);
      });
    }
  }
  return checked;
}

function nameOf(service: ServiceKey): string {
  const { address, key } = serviceArguments(service);
  return `${address} ${key}`;
}

function nameOfDest(service: ServiceKey, dest: DestConfig): string {
  const { address, key } = destArguments(service, dest);
  return `${address} ${key}`;
}

/** Deletes first, so that there is room for what is new; but dests that connections point to keep theirs. */
function change(control: Control, checked: Checked, services: readonly ServiceInfo[]): void {
  const changed: ServiceInfo[] = [];
  for (const old of services) {
    const rules = checked.get(nameOf(old));
    if (rules === undefined) {
      control.deleteService(old);
      continue;
    }
    const [had, gets] = [serviceSettings(old), serviceSettings(rules.service)];
    const same = had.join() === gets.join() && localAddresses(old).join() === localAddresses(rules.service).join();
    if (same && listOfDests(old, old.dests.toReversed()) === listOfDests(old, [...rules.added.values()])) continue;
    changed.push(old);
    // A scheduler that goes gives up its table: rr needs none.
    if (had[0] !== gets[0]) control.editService({ ...old, scheduler: 'rr', flags: [] });
    for (const dest of old.dests)
      if (!mayStay(dest, rules.added.get(nameOfDest(old, dest)))) control.deleteDest(old, dest);
  }
  for (const old of changed) {
    const { service, added } = checked.get(nameOf(old))!;
    control.editService(service);
    const before = new Map(old.dests.map((dest) => [nameOfDest(old, dest), dest]));
    for (const [name, dest] of added) {
      const there = before.get(name);
      if (there === undefined || !mayStay(there, dest)) control.addDest(service, dest);
      else if (settingsOf(service, there) !== settingsOf(service, dest)) control.editDest(service, dest);
    }
    putInOrder(control, service, [...added.values()]);
  }
  const before = new Set(services.map(nameOf));
  for (const [name, { service, added }] of checked) {
    if (before.has(name)) continue;
    control.addService(service);
    for (const dest of added.values()) control.addDest(service, dest);
  }
}

/** Whether a dest is edited, if at all: a service has dests by SNAT alone, or none, at any time. */
function mayStay(dest: DestInfo, next: DestConfig | undefined): boolean {
  return next !== undefined && (dest.method === 'snat') === (next.method === 'snat');
}

/** What of a dest can be edited, for comparison. */
function settingsOf(service: ServiceKey, dest: DestConfig | DestInfo): string {
  return destSettings(service, dest).join();
}

function listOfDests(service: ServiceKey, dests: readonly (DestConfig | DestInfo)[]): string {
  return dests.map((dest) => `${nameOfDest(service, dest)} ${settingsOf(service, dest)}`).join('\n');
}

/** Makes list and scheduler those of a service to which its dests have just been added in that order. */
function putInOrder(control: Control, service: ServiceKey, added: readonly DestConfig[]): void {
  const records = added.map((dest) => control.dest(service, dest));
  control.core.unlinkDests(control.service(service));
  for (const [i, record] of records.entries()) control.core.linkDest(record, i === records.length - 1 ? 1 : 0);
}

/** Undoes the change when it throws: all that it may have changed lies in a few regions. */
function allOrNothing(view: DataView, plan: Plan, make: () => void): void {
  const kept = controlSections(view, plan).map(({ base, bytes }) => ({ base, bytes: bytes.slice() }));
  try {
    make();
  } catch (error) {
    // Records handed out since then are as those that never were.
    for (const { bytes } of controlSections(view, plan)) bytes.fill(0);
    const memory = new Uint8Array(view.buffer);
    for (const { base, bytes } of kept) memory.set(bytes, base);
    throw error;
  }
}
