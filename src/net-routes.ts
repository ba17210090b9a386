/**
 * The routes and neighbours of one family: those that addresses imply, and those that are given.
 *
 * Addresses are bytes as on the wire, four or sixteen, so that both families go the same way.
 *
 * @module
 */
import { RouteType } from './abi/memory.js';
import {
  type AddressBytes,
  addressBytes,
  type Family,
  hasHostBits,
  isLoopback6,
  type PrefixBytes,
  parseMac,
  prefixBytes,
} from './address.js';
import { at, bad } from './net-errors.js';
import { defaultSources, isLinkLocal, type OwnAddress, type SourceRange, type Way } from './net-source.js';
import { broadcastOf, commonBits, compareBytes, networkOf } from './prefix-bits.js';
import type { InterfaceConfig, NetworkConfig, RouteConfig } from './types.js';

/** A row of a route table. */
export interface Route extends Way, SourceRange {
  readonly type: RouteType;
  readonly metric: number;
  /** ROUTE6_SOURCE. */
  readonly sourceWord: number;
}

/** A route in rows: one for each part of it that has a source of its own, the whole of it last. */
interface Given {
  readonly way: Way;
  readonly length: number;
  readonly metric: number;
  readonly rows: readonly Route[];
}

/** A row of a neighbour table. */
export interface Neighbour extends AddressBytes {
  readonly interfaceIndex: number;
  readonly mac: Uint8Array;
}

/** Index of an interface by its name; throws, naming the place, when there is none. */
export type IndexOf = (name: string, where: string) => number;

/** Metric of a connected route that only an address implies: any given route of that length wins. */
const IMPLIED = 2 ** 32;

/** Order of rows: by prefix length, then by metric. */
function byPrefix(a: { length: number; metric: number }, b: { length: number; metric: number }): number {
  return b.length - a.length || a.metric - b.metric;
}

/** What the loopback interface takes, and sends from. */
const LOOPBACK: Readonly<Record<Family, readonly [taken: PrefixBytes, source: Uint8Array]>> = {
  4: [prefixBytes('127.0.0.0/8'), addressBytes('127.0.0.1').bytes],
  6: [prefixBytes('::1'), addressBytes('::1').bytes],
};

/** Kind of an interface when none is given. */
export function interfaceKind(config: InterfaceConfig): NonNullable<InterfaceConfig['kind']> {
  return config.kind ?? (config.name === 'lo' ? 'loopback' : 'ether');
}

/** The route table of a family, sorted: the host's own addresses first, then by prefix length and metric. */
export function routesOf(family: Family, network: NetworkConfig, indexOf: IndexOf): Route[] {
  const own = ownAddresses(family, network.interfaces);
  const local: Route[] = [];
  for (const [interfaceIndex, config] of network.interfaces.entries()) {
    if (interfaceKind(config) !== 'loopback') continue;
    const [taken, source] = LOOPBACK[family];
    local.push({ ...taken, interfaceIndex, type: RouteType.Local, source, metric: 0, sourceWord: 0 });
  }
  const main: Given[] = [];
  const checked: [Given, where: string][] = [];
  for (const each of own) {
    const { bytes, length, interfaceIndex, up } = each;
    local.push(hostRoute(each, bytes, RouteType.Local));
    if (!up || length === bytes.length * 8) continue;
    if (family === 4 && length < 31) local.push(hostRoute(each, broadcastOf(bytes, length), RouteType.Broadcast));
    const way = { family, bytes: networkOf(bytes, length), length, interfaceIndex };
    main.push(inRows(way, IMPLIED, 0, family === 4 ? [{ ...way, source: bytes }] : defaultSources(own, way)));
  }
  for (const [index, route] of (network.routes ?? []).entries()) {
    if (routeFamily(route) !== family) continue;
    const where = `routes[${index}]`;
    const interfaceIndex = indexOf(route.dev, where);
    const given = readRoute(family, route, own, interfaceIndex, where);
    if (network.interfaces[interfaceIndex]?.up === false) continue;
    main.push(given);
    if (route.onlink !== true) checked.push([given, where]);
  }
  for (const [{ way }, where] of checked) {
    if (way.gateway === undefined || isOnLink(way, way.gateway, main)) continue;
    throw bad(`${where}.gateway`, 'expected an address on a network of the interface, or onlink');
  }
  return [...local.sort(byPrefix), ...main.sort(byPrefix).flatMap(({ rows }) => rows)];
}

/** The neighbour table of a family, sorted by address, then interface. */
export function neighboursOf(family: Family, { neighbours = [] }: NetworkConfig, indexOf: IndexOf): Neighbour[] {
  const rows: Neighbour[] = [];
  for (const [index, { dst, dev, lladdr }] of neighbours.entries()) {
    if (meant(dst) !== family) continue;
    const where = `neighbours[${index}]`;
    const address = at(`${where}.dst`, () => addressBytes(dst));
    const interfaceIndex = indexOf(dev, where);
    rows.push({ ...address, interfaceIndex, mac: at(`${where}.lladdr`, () => parseMac(lladdr)) });
  }
  return rows.sort((a, b) => compareBytes(a.bytes, b.bytes) || a.interfaceIndex - b.interfaceIndex);
}

/** In order. As in Linux, an interface that is down keeps its IPv4 addresses, and has no IPv6 ones. */
function ownAddresses(family: Family, interfaces: readonly InterfaceConfig[]): OwnAddress[] {
  return interfaces.flatMap(({ addresses = [], up = true }, interfaceIndex) =>
    addresses
      .filter((text) => meant(text) === family && (up || family === 4))
      .map((text) => {
        const prefix = at(`interfaces[${interfaceIndex}].addresses`, () => prefixBytes(text));
        return { ...prefix, interfaceIndex, up };
      }),
  );
}

function readRoute(
  family: Family,
  { dst, gateway, prefsrc, metric = 0 }: RouteConfig,
  own: readonly OwnAddress[],
  interfaceIndex: number,
  where: string,
): Given {
  const address = (what: string, text: string | undefined): Uint8Array | undefined => {
    if (text === undefined) return undefined;
    const found = at(`${where}.${what}`, () => addressBytes(text));
    if (found.family !== family) throw bad(`${where}.${what}`, `expected the family of ${dst}, got ${text}`);
    return found.bytes;
  };
  const prefix = at(`${where}.dst`, () => prefixBytes(dst, family));
  if (hasHostBits(prefix)) throw bad(`${where}.dst`, `expected a network without host bits, got ${dst}`);
  const { bytes, length } = prefix;
  if (!Number.isInteger(metric) || metric < 0 || metric >= IMPLIED) {
    throw bad(where, `expected a metric from 0 to ${IMPLIED - 1}, got ${metric}`);
  }
  const way = { family, bytes, length, interfaceIndex, gateway: address('gateway', gateway) };
  const source = address('prefsrc', prefsrc);
  return source === undefined
    ? inRows(way, metric, 0, defaultSources(own, way))
    : inRows(way, metric, 1, [{ ...way, source }]);
}

/** Whether a gateway can be reached without another; link-local addresses of IPv6 are on every link. */
function isOnLink({ interfaceIndex, family }: Way, gateway: Uint8Array, main: readonly Given[]): boolean {
  if (family === 6 && isLinkLocal(gateway)) return true;
  return main.some(({ way }) => {
    const holds = commonBits(way.bytes, gateway) >= way.length;
    return holds && way.gateway === undefined && way.interfaceIndex === interfaceIndex;
  });
}

function inRows(way: Way, metric: number, sourceWord: number, ranges: readonly SourceRange[]): Given {
  const rows = ranges.map((range) => ({ ...way, ...range, type: RouteType.Unicast, metric, sourceWord }));
  return { way, length: way.length, metric, rows };
}

/** `default` is of its gateway's family. */
function routeFamily({ dst, gateway = '' }: RouteConfig): Family {
  return meant(dst === 'default' ? gateway : dst);
}

/** The family that a text means, be it right or not. */
function meant(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

function hostRoute(own: OwnAddress, bytes: Uint8Array, type: RouteType): Route {
  const { family, bytes: source, interfaceIndex } = own;
  const sourceWord = family === 6 && !isLoopback6(source) ? own.length : 0;
  return { family, bytes, length: bytes.length * 8, interfaceIndex, type, source, metric: 0, sourceWord };
}
