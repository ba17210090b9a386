/**
 * What the director's methods are given, checked and turned into the core's numbers.
 *
 * @module
 */
import type { Method, Scheduler } from './abi/protocol.js';
import { memoryOrder, parseIPv4 } from './address.js';
import { METHODS, PROTOCOLS, SCHEDULER_FLAGS, SCHEDULERS } from './records.js';
import type { DestConfig, DestKey, ServiceConfig, ServiceKey } from './types.js';

/** For messages: `tcp 10.0.0.100:80`. */
export function serviceLabel({ protocol, address, port }: ServiceKey): string {
  return `${protocol} ${address}:${port}`;
}

/** Protocol, address and port of a service. @throws RangeError naming what is wrong. */
export function serviceKey(service: ServiceKey): [number, number, number] {
  const protocol = lookUp(PROTOCOLS, 'protocol', service.protocol);
  return [protocol, memoryOrder(parseIPv4(service.address)), portBE(service.port, 'service port')];
}

/** Scheduler and flags of a service. @throws RangeError naming what is wrong. */
export function serviceSettings({ scheduler = 'wlc', flags = [] }: ServiceConfig): [Scheduler, number] {
  const bits = flags.reduce((sum, flag) => sum | lookUp(SCHEDULER_FLAGS, 'scheduler flag', flag), 0);
  return [lookUp(SCHEDULERS, 'scheduler', scheduler), bits];
}

/** Address and port of a dest. @throws RangeError when the address is none that a host can have. */
export function destKey(service: ServiceKey, dest: DestKey): [number, number] {
  const address = parseIPv4(dest.address);
  const net = address >>> 24;
  if (net === 0 || net >= 224) throw new RangeError(`expected the address of a server, got ${dest.address}`);
  return [memoryOrder(address), portBE(dest.port ?? service.port, 'server port')];
}

/** A dest as it will be: DR and TUN send to the service's own port, whatever was given. */
export function withForcedPort<D extends DestConfig>(service: ServiceKey, dest: D): D {
  return dest.method === 'nat' ? dest : { ...dest, port: service.port };
}

/** Method, weight and thresholds of a dest. @throws RangeError naming what is wrong. */
export function destSettings(dest: DestConfig): [Method, number, number, number] {
  const { method = 'dr', weight = 1, upperThreshold = 0, lowerThreshold = 0 } = dest;
  assertInteger('weight', weight, 65_535);
  assertInteger('upperThreshold', upperThreshold, 0x7fffffff);
  assertInteger('lowerThreshold', lowerThreshold, 0x7fffffff);
  return [lookUp(METHODS, 'method', method), weight, upperThreshold, lowerThreshold];
}

/** @throws RangeError unless `now` is a time in milliseconds. */
export function assertTime(now: number): void {
  if (!(now >= 0 && now <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`expected a time in milliseconds from 0 on, got ${now}`);
  }
}

/** The 16 bytes of a seed; drawn by the host when none is given. @throws RangeError for another number of bytes. */
export function seedBytes(seed: bigint | Uint8Array | undefined): Uint8Array {
  let bytes: Uint8Array;
  if (typeof seed === 'bigint') {
    bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, seed), true);
    view.setBigUint64(8, BigInt.asUintN(64, seed >> 64n), true);
  } else {
    bytes = seed ?? crypto.getRandomValues(new Uint8Array(16));
  }
  if (bytes.length !== 16) throw new RangeError(`expected a seed of 16 bytes, got ${bytes.length}`);
  return bytes;
}

function lookUp<T extends number>(table: Readonly<Record<string, T>>, what: string, name: string): T {
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (value === undefined) {
    throw new RangeError(`expected a ${what} of ${Object.keys(table).join(', ')}, got ${name}`);
  }
  return value;
}

function portBE(port: number, what: string): number {
  assertInteger(what, port, 65_535, 1);
  return ((port & 0xff) << 8) | (port >> 8);
}

function assertInteger(what: string, value: number, max: number, min = 0): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`expected a ${what} from ${min} to ${max}, got ${value}`);
  }
}
