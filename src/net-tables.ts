/**
 * The network around the director, as the core's tables: interfaces, routes, neighbours.
 *
 * The core scans routes in table order and takes the first that matches, and bisects neighbours;
 * so both are written sorted here: the host's own addresses first, as Linux asks its `local` table
 * before `main`, then by prefix length and metric.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { InterfaceFlag, RouteType } from './abi/memory.js';
import { isIPv6, isIPv6Prefix, memoryOrder, parseIPv4, parseMac, parsePrefix, prefixMask } from './address.js';
import { IpvsError } from './errors.js';
import type { Plan } from './plan.js';
import type { InterfaceConfig, NetworkConfig } from './types.js';

interface Route {
  readonly address: number;
  readonly length: number;
  readonly type: RouteType;
  readonly interfaceIndex: number;
  readonly gateway: number;
  readonly source: number;
  readonly metric: number;
}

/** An address of the director. */
interface OwnAddress {
  readonly address: number;
  readonly length: number;
  readonly interfaceIndex: number;
  readonly up: boolean;
}

interface Neighbour {
  readonly address: number;
  readonly interfaceIndex: number;
  readonly mac: Uint8Array;
}

/** A network that was checked and is ready to be written. */
export interface NetTables {
  readonly interfaces: readonly InterfaceConfig[];
  readonly routes: readonly Route[];
  readonly neighbours: readonly Neighbour[];
  /** Index of an interface by its name. */
  readonly indices: ReadonlyMap<string, number>;
}

/** Kind of an interface when none is given. */
export function interfaceKind(config: InterfaceConfig): NonNullable<InterfaceConfig['kind']> {
  return config.kind ?? (config.name === 'lo' ? 'loopback' : 'ether');
}

/**
 * Checks a network and sorts it into tables.
 *
 * @throws IpvsError BAD_NETWORK, naming the entry, when something does not fit; TABLE_FULL beyond the plan.
 */
export function buildTables(network: NetworkConfig, plan: Plan): NetTables {
  const indices = new Map<string, number>();
  network.interfaces.forEach((config, index) => {
    if (indices.has(config.name)) throw bad(`interfaces[${index}]`, `${config.name} is there twice`);
    indices.set(config.name, index);
  });
  const indexOf = (name: string, where: string): number => {
    const index = indices.get(name);
    if (index === undefined) throw bad(where, `no interface is called ${name}`);
    return index;
  };
  for (const [index, config] of network.interfaces.entries()) {
    at(`interfaces[${index}] (${config.name})`, () => checkInterface(config, network.interfaces, indexOf));
  }

  const local: Route[] = [];
  const main: Route[] = [];
  const own: OwnAddress[] = [];
  for (const [index, config] of network.interfaces.entries()) {
    if (interfaceKind(config) === 'loopback') local.push(hostRoute(0x7f000000, RouteType.Local, index, 0x7f000001, 8));
    for (const text of config.addresses ?? []) {
      if (isIPv6Prefix(text)) continue;
      const { address, length } = at(`interfaces[${index}].addresses`, () => parsePrefix(text));
      own.push({ address, length, interfaceIndex: index, up: config.up !== false });
      local.push(hostRoute(address, RouteType.Local, index, address));
      if (config.up === false || length === 32) continue;
      const mask = prefixMask(length);
      if (length < 31) local.push(hostRoute((address | ~mask) >>> 0, RouteType.Broadcast, index, address));
      main.push(connected((address & mask) >>> 0, length, index, address));
    }
  }
  for (const [index, route] of (network.routes ?? []).entries()) {
    if (isIPv6Prefix(route.dst)) continue;
    const where = `routes[${index}]`;
    const interfaceIndex = indexOf(route.dev, where);
    if (network.interfaces[interfaceIndex]?.up === false) continue;
    const { address: given, length } = at(`${where}.dst`, () => parsePrefix(route.dst));
    const address = (given & prefixMask(length)) >>> 0;
    const { gateway: via, prefsrc, metric = 0 } = route;
    const gateway = via === undefined ? 0 : at(`${where}.gateway`, () => parseIPv4(via));
    if (!Number.isInteger(metric) || metric < 0 || metric >= IMPLIED) {
      throw bad(where, `expected a metric from 0 to ${IMPLIED - 1}, got ${metric}`);
    }
    main.push({
      address,
      length,
      type: RouteType.Unicast,
      interfaceIndex,
      gateway,
      source:
        prefsrc === undefined
          ? defaultSource(own, interfaceIndex, gateway === 0 ? address : gateway)
          : at(`${where}.prefsrc`, () => parseIPv4(prefsrc)),
      metric,
    });
  }
  const neighbours: Neighbour[] = [];
  for (const [index, neighbour] of (network.neighbours ?? []).entries()) {
    if (isIPv6(neighbour.dst)) continue;
    const where = `neighbours[${index}]`;
    neighbours.push({
      address: at(`${where}.dst`, () => parseIPv4(neighbour.dst)),
      interfaceIndex: indexOf(neighbour.dev, where),
      mac: at(`${where}.lladdr`, () => parseMac(neighbour.lladdr)),
    });
  }

  const byPrefix = (a: Route, b: Route): number => b.length - a.length || a.metric - b.metric;
  const routes = [...local.sort(byPrefix), ...main.sort(byPrefix)];
  neighbours.sort((a, b) => a.address - b.address || a.interfaceIndex - b.interfaceIndex);
  refuseOverflow('interfaces', network.interfaces.length, plan.interfaces.count);
  refuseOverflow('routes', routes.length, plan.routes.count);
  refuseOverflow('neighbours', neighbours.length, plan.neighbours.count);
  return { interfaces: network.interfaces, routes, neighbours, indices };
}

/** Writes the tables and voids everything that was cached of the ones before. */
export function writeTables(view: DataView, plan: Plan, tables: NetTables): void {
  tables.interfaces.forEach((config, index) => {
    writeInterface(view, plan.interfaces.base + index * abi.INTERFACE_SIZE, config, tables);
  });
  tables.routes.forEach((route, index) => {
    const base = plan.routes.base + index * abi.ROUTE_SIZE;
    view.setUint32(base + abi.ROUTE_DST_BE, memoryOrder(route.address), true);
    view.setUint32(base + abi.ROUTE_MASK_BE, memoryOrder(prefixMask(route.length)), true);
    view.setUint32(base + abi.ROUTE_GATEWAY_BE, memoryOrder(route.gateway), true);
    view.setUint32(base + abi.ROUTE_SRC_BE, memoryOrder(route.source), true);
    view.setUint32(base + abi.ROUTE_INTERFACE, route.interfaceIndex, true);
    view.setUint32(base + abi.ROUTE_TYPE, route.type, true);
  });
  tables.neighbours.forEach((neighbour, index) => {
    const base = plan.neighbours.base + index * abi.NEIGHBOUR_SIZE;
    view.setUint32(base + abi.NB_ADDRESS_BE, memoryOrder(neighbour.address), true);
    view.setUint16(base + abi.NB_INTERFACE, neighbour.interfaceIndex, true);
    neighbour.mac.forEach((byte, i) => {
      view.setUint8(base + abi.NB_MAC + i, byte);
    });
  });
  const put = (field: number, value: number): void => view.setUint32(abi.SUPERBLOCK + field, value, true);
  put(abi.SB_INTERFACE_COUNT, tables.interfaces.length);
  put(abi.SB_ROUTE_COUNT, tables.routes.length);
  put(abi.SB_NEIGHBOUR_COUNT, tables.neighbours.length);
  voidCaches(view);
}

/** Makes the core look up every hop anew. Generation 0 is nobody's: it marks a hop never looked up. */
export function voidCaches(view: DataView): void {
  const at = abi.SUPERBLOCK + abi.SB_NET_GENERATION;
  view.setUint32(at, view.getUint32(at, true) + 1 || 1, true);
}

/** Metric of a connected route that only an address implies: any given route of that length wins. */
const IMPLIED = 2 ** 32;

/** The source of packets that take a route without one of its own: an address of the interface, best in the next hop's net. */
function defaultSource(own: readonly OwnAddress[], interfaceIndex: number, towards: number): number {
  const here = own.filter((each) => each.interfaceIndex === interfaceIndex);
  const near = here.find(({ address, length }) => ((address ^ towards) & prefixMask(length)) === 0);
  const any = own.find(({ address, up }) => up && address >>> 24 !== 127);
  return (near ?? here[0] ?? any)?.address ?? 0;
}

function hostRoute(address: number, type: RouteType, interfaceIndex: number, source: number, length = 32): Route {
  return { address, length, type, interfaceIndex, gateway: 0, source, metric: 0 };
}

function connected(address: number, length: number, interfaceIndex: number, source: number): Route {
  return { address, length, type: RouteType.Unicast, interfaceIndex, gateway: 0, source, metric: IMPLIED };
}

function checkInterface(
  config: InterfaceConfig,
  all: readonly InterfaceConfig[],
  indexOf: (name: string, where: string) => number,
): void {
  const kind = interfaceKind(config);
  const mtu = config.mtu ?? 1500;
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_536) {
    throw new RangeError(`expected an mtu from 68 to 65536, got ${mtu}`);
  }
  if (config.vlan !== undefined) {
    const { id, parent } = config.vlan;
    if (!Number.isInteger(id) || id < 1 || id > 4094)
      throw new RangeError(`expected a VLAN id from 1 to 4094, got ${id}`);
    const on = all[indexOf(parent, `vlan ${id}`)] as InterfaceConfig;
    if (on.vlan !== undefined) throw new RangeError(`expected one VLAN tag, but ${parent} has one already`);
    if (all.some((other) => other !== config && other.vlan?.parent === parent && other.vlan.id === id)) {
      throw new RangeError(`expected one interface for VLAN ${id} of ${parent}, got another`);
    }
    if (interfaceKind(on) !== 'ether') throw new RangeError(`expected a parent of kind ether, got ${parent}`);
    if (kind !== 'ether') throw new RangeError(`expected a VLAN to be of kind ether, got ${kind}`);
  }
  if (kind === 'ether') parseMac(macOf(config, all) ?? 'no MAC');
}

/** A VLAN without a MAC of its own has its parent's, as in Linux. */
function macOf(config: InterfaceConfig, all: readonly InterfaceConfig[]): string | undefined {
  return config.mac ?? all.find(({ name }) => name === config.vlan?.parent)?.mac;
}

function writeInterface(view: DataView, base: number, config: InterfaceConfig, tables: NetTables): void {
  const kind = interfaceKind(config);
  let flags = config.up === false ? 0 : InterfaceFlag.Up;
  if (kind === 'ether') flags |= InterfaceFlag.Ethernet;
  if (kind === 'loopback') flags |= InterfaceFlag.Loopback;
  if (kind === 'ipip') flags |= InterfaceFlag.Ipip;
  view.setUint32(base + abi.IF_FLAGS, flags, true);
  // Linux gives lo an MTU of 65536, but no IPv4 packet is longer than 65535 bytes.
  view.setUint32(base + abi.IF_MTU, Math.min(config.mtu ?? 1500, 65_535), true);
  const mac = macOf(config, tables.interfaces);
  (kind === 'ether' && mac !== undefined ? parseMac(mac) : new Uint8Array(6)).forEach((byte, i) => {
    view.setUint8(base + abi.IF_MAC + i, byte);
  });
  view.setUint16(base + abi.IF_VLAN, config.vlan?.id ?? abi.IF_VLAN_NONE, true);
  view.setUint32(
    base + abi.IF_PARENT,
    config.vlan === undefined ? 0 : (tables.indices.get(config.vlan.parent) ?? 0),
    true,
  );
}

function refuseOverflow(what: string, count: number, room: number): void {
  if (count > room) throw new IpvsError('TABLE_FULL', `${what}: the plan has room for ${room}, got ${count}`);
}

/** Runs a parser and names the place when it refuses. */
function at<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof IpvsError) throw error;
    throw bad(where, (error as Error).message, error);
  }
}

function bad(where: string, message: string, cause?: unknown): IpvsError {
  return new IpvsError('BAD_NETWORK', `${where}: ${message}`, { cause });
}
