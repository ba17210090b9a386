/**
 * How listings name services, servers and addresses.
 *
 * @module
 */
import { addressBytes, formatIPv4Bytes } from '../address.js';
import { SCHEDULER_FLAGS } from '../schedulers.js';
import type { ProtocolName, SchedulerFlag, ServiceKey } from '../types.js';
import type { SavedService } from './listed.js';
import type { Names } from './names.js';

/** Characters of a service's or a server's name of IPv4 that a listing has room for. */
export const SERVICE_ROOM = 33;
export const DEST_ROOM = 28;

/** Writes addresses and ports: as names where there are some. */
export class Naming {
  readonly #names: Names;

  constructor(names: Names) {
    this.#names = names;
  }

  /** `10.0.0.1:80`, `[fd00::1]:http`; without a protocol the port stays a number. */
  endpoint(address: string, port: number, protocol?: ProtocolName): string {
    const host = this.#names.hostOf(address) ?? asText(address);
    const end = (protocol && this.#names.serviceOf(port, protocol)) ?? String(port);
    return address.includes(':') ? `[${host}]:${end}` : `${host}:${end}`;
  }

  /** A service in a listing: `TCP  10.0.0.1:80`, `FWM  7 IPv6`. */
  service(service: Readonly<ServiceKey>): string {
    if ('fwmark' in service) return `FWM  ${markText(service)}${service.family === 6 ? ' IPv6' : ''}`;
    const { protocol, address, port } = service;
    const text = `${protocol.toUpperCase().padEnd(4)} ${this.endpoint(address, port, protocol)}`;
    return address.includes(':') ? text : text.slice(0, SERVICE_ROOM);
  }

  /** A server in a listing. */
  dest(service: Readonly<ServiceKey>, { address, port }: { address: string; port: number }): string {
    const text = this.endpoint(address, port, 'fwmark' in service ? undefined : service.protocol);
    return (address.includes(':') ? text : text.slice(0, DEST_ROOM)).padEnd(DEST_ROOM);
  }
}

/** ipvsadm prints marks of 2^31 and more as negative numbers, which it does not read itself. */
export function markText({ fwmark }: { fwmark: number }): string {
  return String(fwmark | 0);
}

/** The flags of a service's scheduler in a comma list; `undefined` without any, empty when none has a name. */
export function flagsText({ scheduler, flags }: Pick<SavedService, 'scheduler' | 'flags'>): string | undefined {
  if (flags.length === 0) return undefined;
  const isNamed = scheduler === 'sh' || scheduler === 'mh' || scheduler === 'maglev';
  const isShown = (flag: SchedulerFlag): boolean => flags.includes(flag) && !(isNamed && flag === 'flag-3');
  return SCHEDULER_FLAGS.filter(isShown).join(',');
}

/** The mask of a persistent service where it is not the whole address. */
export function maskOf({ netmask }: Pick<SavedService, 'netmask'>): string | undefined {
  const isWhole = netmask === undefined || netmask === 128 || netmask === '255.255.255.255';
  return isWhole ? undefined : String(netmask);
}

/** As the C library writes it: IPv6 with six zero groups in front ends in a dotted quad. */
function asText(address: string): string {
  if (!/^::[\da-f]+:[\da-f]+$/.test(address)) return address;
  const { bytes } = addressBytes(address);
  return `::${formatIPv4Bytes(bytes, 12)}`;
}
