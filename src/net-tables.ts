/**
 * The network around the director, as the core's tables: interfaces, routes, neighbours, GUE ports.
 *
 * The core scans routes in table order and takes the first that matches, and bisects neighbours; so both are written
 * sorted here: the host's own addresses first, as Linux asks its `local` table before `main`, then by prefix length and
 * metric.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { InterfaceFlag } from './abi/memory.js';
import { type Family, parseMac } from './address.js';
import { IpvsError } from './errors.js';
import { at, bad } from './net-errors.js';
import { type IndexOf, interfaceKind, type Neighbour, neighboursOf, type Route, routesOf } from './net-routes.js';
import type { Plan, PlanOptions } from './plan.js';
import { netmask } from './prefix-bits.js';
import type { FouConfig, InterfaceConfig, NetworkConfig } from './types.js';

/** What there is once for each family. */
interface FamilyTables {
  readonly routes: readonly Route[];
  readonly neighbours: readonly Neighbour[];
}

/** A network that was checked and is ready to be written. */
export interface NetTables {
  readonly interfaces: readonly InterfaceConfig[];
  readonly families: Readonly<Record<Family, FamilyTables>>;
  readonly fou: readonly Required<FouConfig>[];
  readonly ftpPorts: readonly number[];
  /** Index of an interface by its name. */
  readonly indices: ReadonlyMap<string, number>;
}

/** FTP's port for control connections (RFC 959 §8). */
const FTP_PORT = 21;

/** Flags of each kind of interface. */
const KIND_FLAGS: Readonly<Record<NonNullable<InterfaceConfig['kind']>, number>> = {
  ether: InterfaceFlag.Ethernet,
  raw: 0,
  loopback: InterfaceFlag.Loopback,
  ipip: InterfaceFlag.Ipip,
  sit: InterfaceFlag.Sit,
  ip6tnl: InterfaceFlag.Ip6tnl,
  gre: InterfaceFlag.Gre,
  ip6gre: InterfaceFlag.Ip6gre,
};

/**
 * Checks a network and sorts it into tables.
 *
 * @throws IpvsError BAD_NETWORK, naming the entry, when something does not fit; TABLE_FULL beyond the plan.
 */
export function buildTables(network: NetworkConfig, plan: Plan): NetTables {
  const { interfaces } = network;
  const indices = new Map<string, number>();
  interfaces.forEach((config, index) => {
    if (indices.has(config.name)) throw bad(`interfaces[${index}]`, `${config.name} is there twice`);
    indices.set(config.name, index);
  });
  const indexOf: IndexOf = (name, where) => {
    const index = indices.get(name);
    if (index === undefined) throw bad(where, `no interface is called ${name}`);
    return index;
  };
  for (const [index, config] of interfaces.entries()) {
    at(`interfaces[${index}] (${config.name})`, () => checkInterface(config, interfaces, indexOf));
  }
  const familyTables = (family: Family): FamilyTables => ({
    routes: routesOf(family, network, indexOf),
    neighbours: neighboursOf(family, network, indexOf),
  });
  const families = { 4: familyTables(4), 6: familyTables(6) };
  const fou = (network.fou ?? []).map(({ port, family = 4 }) => ({ port, family }));
  for (const [index, each] of fou.entries()) at(`fou[${index}]`, () => checkFou(each, fou.slice(0, index)));

  const ftpPorts = network.ip_vs_ftp === undefined ? [] : (network.ip_vs_ftp.ports ?? [FTP_PORT]);
  at('ip_vs_ftp.ports', () => checkFtpPorts(ftpPorts));

  refuseOverflow('interfaces', interfaces.length, plan.interfaces.count);
  for (const { routes, neighbours } of Object.values(families)) {
    refuseOverflow('routes', routes.length, plan.routes.count);
    refuseOverflow('neighbours', neighbours.length, plan.neighbours.count);
  }
  return { interfaces, families, fou, ftpPorts, indices };
}

/** Writes the tables and voids everything that was cached of the ones before. */
export function writeTables(view: DataView, plan: Plan, tables: NetTables): void {
  const bytes = new Uint8Array(view.buffer);
  tables.interfaces.forEach((config, index) => {
    writeInterface(view, bytes, plan.interfaces.base + index * abi.INTERFACE_SIZE, config, tables);
  });
  const { 4: v4, 6: v6 } = tables.families;
  for (const [index, route] of v4.routes.entries()) {
    writeRoute4(view, bytes, plan.routes.base + index * abi.ROUTE_SIZE, route);
  }
  for (const [index, route] of v6.routes.entries()) {
    writeRoute6(view, bytes, plan.routes6.base + index * abi.ROUTE6_SIZE, route);
  }
  for (const [index, neighbour] of v4.neighbours.entries()) {
    const base = plan.neighbours.base + index * abi.NEIGHBOUR_SIZE;
    bytes.set(neighbour.bytes, base + abi.NB_ADDRESS_BE);
    view.setUint16(base + abi.NB_INTERFACE, neighbour.interfaceIndex, true);
    bytes.set(neighbour.mac, base + abi.NB_MAC);
  }
  for (const [index, neighbour] of v6.neighbours.entries()) {
    const base = plan.neighbours6.base + index * abi.NEIGHBOUR6_SIZE;
    bytes.set(neighbour.bytes, base + abi.NB6_ADDRESS);
    view.setUint16(base + abi.NB6_INTERFACE, neighbour.interfaceIndex, true);
    bytes.set(neighbour.mac, base + abi.NB6_MAC);
  }
  const put = (field: number, value: number): void => view.setUint32(abi.SUPERBLOCK + field, value, true);
  put(abi.SB_INTERFACE_COUNT, tables.interfaces.length);
  put(abi.SB_ROUTE_COUNT, v4.routes.length);
  put(abi.SB_ROUTE6_COUNT, v6.routes.length);
  put(abi.SB_NEIGHBOUR_COUNT, v4.neighbours.length);
  put(abi.SB_NEIGHBOUR6_COUNT, v6.neighbours.length);
  for (let i = 0; i < abi.FOU_MAX; i++) {
    const { port, family } = tables.fou[i] ?? { port: 0, family: 0 };
    view.setUint16(abi.SUPERBLOCK + abi.SB_FOU + i * 4, port, false);
    view.setUint16(abi.SUPERBLOCK + abi.SB_FOU + i * 4 + 2, family, true);
  }
  for (let i = 0; i < abi.FTP_PORTS_MAX; i++) {
    view.setUint16(abi.SUPERBLOCK + abi.SB_FTP_PORTS + i * 2, tables.ftpPorts[i] ?? 0, false);
  }
  voidCaches(view);
}

/** Makes the core look up every hop anew. Generation 0 is nobody's: it marks a hop never looked up. */
export function voidCaches(view: DataView): void {
  const field = abi.SUPERBLOCK + abi.SB_NET_GENERATION;
  view.setUint32(field, view.getUint32(field, true) + 1 || 1, true);
}

/** For which method the way to a dest is looked up next is decided anew. */
export function forgetWays(view: DataView, { dests: { base, count } }: Plan): void {
  const { DEST_SIZE, DEST_FLAGS } = abi;
  const kept = abi.DestFlag.WayKept | abi.DestFlag.WayByTarget;
  for (let at = base + DEST_FLAGS; at < base + count * DEST_SIZE; at += DEST_SIZE) {
    view.setUint8(at, view.getUint8(at) & ~kept);
  }
}

function checkInterface(config: InterfaceConfig, all: readonly InterfaceConfig[], indexOf: IndexOf): void {
  const kind = interfaceKind(config);
  if (!Object.hasOwn(KIND_FLAGS, kind)) {
    throw new RangeError(`expected a kind of ${Object.keys(KIND_FLAGS).join(', ')}, got ${kind}`);
  }
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

function checkFou({ port, family }: Required<FouConfig>, before: readonly FouConfig[]): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`expected a port from 1 to 65535, got ${port}`);
  }
  if (family !== 4 && family !== 6) throw new RangeError(`expected a family of 4 or 6, got ${family}`);
  if (before.some((each) => each.port === port && each.family === family)) {
    throw new RangeError(`expected each port of a family once, got ${port} again`);
  }
  if (before.length >= abi.FOU_MAX) throw new RangeError(`expected at most ${abi.FOU_MAX} ports, got more`);
}

function checkFtpPorts(ports: readonly number[]): void {
  if (ports.length > abi.FTP_PORTS_MAX) throw new RangeError(`expected at most ${abi.FTP_PORTS_MAX} ports, got more`);
  for (const [index, port] of ports.entries()) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new RangeError(`expected a port from 1 to 65535, got ${port}`);
    }
    if (ports.indexOf(port) < index) throw new RangeError(`expected each port once, got ${port} again`);
  }
}

function writeInterface(
  view: DataView,
  bytes: Uint8Array,
  base: number,
  config: InterfaceConfig,
  tables: NetTables,
): void {
  const kind = interfaceKind(config);
  view.setUint32(base + abi.IF_FLAGS, KIND_FLAGS[kind] | (config.up === false ? 0 : InterfaceFlag.Up), true);
  // Linux gives lo an MTU of 65536, but no IPv4 packet is longer than 65535 bytes.
  view.setUint32(base + abi.IF_MTU, Math.min(config.mtu ?? 1500, 65_535), true);
  const mac = macOf(config, tables.interfaces);
  bytes.set(kind === 'ether' && mac !== undefined ? parseMac(mac) : new Uint8Array(6), base + abi.IF_MAC);
  view.setUint16(base + abi.IF_VLAN, config.vlan?.id ?? abi.IF_VLAN_NONE, true);
  view.setUint32(
    base + abi.IF_PARENT,
    config.vlan === undefined ? 0 : (tables.indices.get(config.vlan.parent) ?? 0),
    true,
  );
}

function writeRoute4(view: DataView, bytes: Uint8Array, base: number, route: Route): void {
  bytes.fill(0, base, base + abi.ROUTE_SIZE);
  bytes.set(route.bytes, base + abi.ROUTE_DST_BE);
  bytes.set(netmask(route.length), base + abi.ROUTE_MASK_BE);
  if (route.gateway !== undefined) bytes.set(route.gateway, base + abi.ROUTE_GATEWAY_BE);
  if (route.source !== undefined) bytes.set(route.source, base + abi.ROUTE_SRC_BE);
  view.setUint32(base + abi.ROUTE_INTERFACE, route.interfaceIndex, true);
  view.setUint32(base + abi.ROUTE_TYPE, route.type, true);
}

function writeRoute6(view: DataView, bytes: Uint8Array, base: number, route: Route): void {
  bytes.fill(0, base, base + abi.ROUTE6_SIZE);
  bytes.set(route.bytes, base + abi.ROUTE6_DST);
  if (route.gateway !== undefined) bytes.set(route.gateway, base + abi.ROUTE6_GATEWAY);
  if (route.source !== undefined) bytes.set(route.source, base + abi.ROUTE6_SRC);
  view.setUint32(base + abi.ROUTE6_LENGTH, route.length, true);
  view.setUint32(base + abi.ROUTE6_INTERFACE, route.interfaceIndex, true);
  view.setUint32(base + abi.ROUTE6_TYPE, route.type, true);
  view.setUint32(base + abi.ROUTE6_SOURCE, route.sourceWord, true);
}

function refuseOverflow(option: keyof PlanOptions, count: number, room: number): void {
  if (count > room)
    throw new IpvsError('TABLE_FULL', `${option}: the plan has room for ${room}, got ${count}`, { option });
}
