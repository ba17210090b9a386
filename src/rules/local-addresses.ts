/**
 * Local addresses of FullNAT, as DPVS's `ipvsadm --get-laddr` lists them.
 *
 * @module
 */
import type { ServiceKey } from '../types.js';
import type { ListedConnection, ListedService } from './listed.js';
import { type Names, NO_NAMES } from './names.js';
import { Naming } from './naming.js';
import { compareServices, mergeSort } from './order.js';

/** A local address of a service. */
export interface LocalAddressRow {
  readonly service: Readonly<ServiceKey>;
  readonly localAddress: string;
  /** Connections that have it, of whichever service. */
  readonly connections: number;
}

/** The local addresses of services, and how many connections have them. */
export function localAddressesOf(
  services: readonly ListedService[],
  connections: readonly ListedConnection[],
): LocalAddressRow[] {
  const counts = new Map<string, number>();
  for (const { localAddress } of connections) {
    if (localAddress !== undefined) counts.set(localAddress, (counts.get(localAddress) ?? 0) + 1);
  }
  return mergeSort(services, compareServices).flatMap((service) =>
    (service.localAddresses ?? []).map((localAddress) => ({
      service: keyOf(service),
      localAddress,
      connections: counts.get(localAddress) ?? 0,
    })),
  );
}

/** A line a local address. There are no conflicts here: a port that is in use is not tried. */
export function listLocalAddresses(rows: readonly LocalAddressRow[], names: Names = NO_NAMES): string {
  const naming = new Naming(names);
  const totals = new Map<string, number>();
  for (const { service } of rows) {
    const name = nameOf(service, naming);
    totals.set(name, (totals.get(name) ?? 0) + 1);
  }
  let text = line('VIP:VPORT', 'TOTAL', 'SNAT_IP', 'CONFLICTS', 'CONNS');
  let last = '';
  for (const { service, localAddress, connections } of rows) {
    const name = nameOf(service, naming);
    const isFirst = name !== last;
    text += line(isFirst ? name : '', isFirst ? `${totals.get(name)}` : '', localAddress, '0', `${connections}`);
    last = name;
  }
  return text;
}

function line(service: string, total: string, address: string, conflicts: string, connections: string): string {
  return `${service.padEnd(20)} ${total.padEnd(8)} ${address.padEnd(20)} ${conflicts.padEnd(10)} ${connections.padEnd(10)}\n`;
}

function nameOf(service: Readonly<ServiceKey>, naming: Naming): string {
  if ('fwmark' in service) return `FWM ${service.fwmark}`;
  return naming.endpoint(service.address, service.port, service.protocol);
}

function keyOf(service: ListedService): ServiceKey {
  if ('fwmark' in service) return { fwmark: service.fwmark, family: service.family ?? 4 };
  const { protocol, address, port } = service;
  return { protocol, address, port };
}
