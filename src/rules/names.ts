/**
 * Names of hosts and ports.
 *
 * @module
 */
import type { ProtocolName } from '../types.js';

/** Where names of hosts and ports are looked up, in both directions. */
export interface Names {
  /** The IPv4 address of a host. */
  addressOf(host: string): string | undefined;
  /** The number of a port. */
  portOf(name: string, protocol: ProtocolName): number | undefined;
  /** The name of an address. */
  hostOf(address: string): string | undefined;
  /** The name of a port. */
  serviceOf(port: number, protocol: ProtocolName): string | undefined;
}

/** Knows none. */
export const NO_NAMES: Names = {
  addressOf: () => undefined,
  portOf: () => undefined,
  hostOf: () => undefined,
  serviceOf: () => undefined,
};

/**
 * Reads the files `/etc/hosts` and `/etc/services`; nothing else is asked.
 *
 * @param hosts the first line that has an address or a name counts
 */
export function namesFromFiles(hosts: string, services: string): Names {
  const addresses = new Map<string, string>();
  const names = new Map<string, string>();
  for (const [address, name, ...aliases] of fieldsOf(hosts)) {
    if (address === undefined || name === undefined) continue;
    if (!names.has(address)) names.set(address, name);
    if (address.includes(':')) continue;
    for (const each of [name, ...aliases]) {
      const key = each.toLowerCase();
      if (!addresses.has(key)) addresses.set(key, address);
    }
  }
  const ports = new Map<string, number>();
  const known = new Map<string, string>();
  for (const [name, end = '', ...aliases] of fieldsOf(services)) {
    const [, port, protocol] = /^(\d+)\/(\w+)$/.exec(end) ?? [];
    if (name === undefined || port === undefined) continue;
    if (!known.has(`${port}/${protocol}`)) known.set(`${port}/${protocol}`, name);
    for (const each of [name, ...aliases]) {
      const key = `${each}/${protocol}`;
      if (!ports.has(key)) ports.set(key, Number(port));
    }
  }
  return {
    addressOf: (host) => addresses.get(host.toLowerCase()),
    portOf: (name, protocol) => ports.get(`${name}/${protocol}`),
    hostOf: (address) => names.get(address),
    serviceOf: (port, protocol) => known.get(`${port}/${protocol}`),
  };
}

function fieldsOf(text: string): string[][] {
  return text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/));
}
