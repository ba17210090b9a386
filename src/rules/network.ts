/**
 * The network around the director from JSON: one file with the outputs of iproute2 side by side,
 *
 * ```json
 * { "link": [ip -j -d link], "addr": [ip -j addr], "route": [ip -j route show table all], "neigh": [ip -j neigh],
 *   "fou": [ip -j fou show], "ip_vs_ftp": { "ports": [21] } }
 * ```
 *
 * of which `link` is only needed for VLANs and tunnels with names of their own (`ip -j -d addr` has both), `fou` for GUE,
 * and `ip_vs_ftp` where FTP's helper is loaded (`ports` as its parameter); or the topology of a recorded scenario.
 * (`ip -j route` alone prints IPv4 routes only.) What the kernel would not use for forwarding either is passed over: broadcast and multicast routes, other tables than local, main and default,
 * neighbours that failed. What it would use and this version cannot (multipath, blackholes, routes into tunnels, FOU
 * without GUE) is refused, with the JSON path and the line.
 *
 * @module
 */
import { addressBytes, parseMac, prefixBytes } from '../address.js';
import type { FouConfig, FtpConfig, InterfaceConfig, NeighbourConfig, NetworkConfig } from '../types.js';
import { type JsonEntry, JsonInput, shown } from './json-input.js';
import { addInterfaces, Interfaces, TUNNEL_OF_NAME } from './network-interfaces.js';
import { routeOf } from './network-routes.js';

const PARTS = ['addr', 'link', 'route', 'neigh', 'fou', 'ip_vs_ftp'];
/** Neighbour states in which the kernel has no usable MAC. */
const UNUSABLE_STATES = ['FAILED', 'INCOMPLETE', 'NONE'];

/**
 * Reads a network file.
 *
 * @param file named in errors.
 * @throws RuleError with file, line and JSON path of what is wrong.
 */
export function parseNetwork(text: string, file = 'network'): NetworkConfig {
  const input = new JsonInput(file, text);
  return networkFrom(input, input.parse());
}

/**
 * The same from a value already parsed.
 *
 * @throws IpvsError `BAD_INPUT` with the JSON path of what is wrong.
 */
export function networkFromJson(value: unknown, file = 'network'): NetworkConfig {
  return networkFrom(new JsonInput(file), value);
}

function networkFrom(input: JsonInput, value: unknown): NetworkConfig {
  const root = input.entry(value, '');
  for (const key of Object.keys(root.value)) {
    if (!PARTS.includes(key)) input.fail(key, `expected one of ${PARTS.join(', ')}, got ${shown(key)}`);
  }
  if (root.value.addr === undefined && root.value.link === undefined) {
    input.fail('', 'expected "addr" (ip -j addr) or "link" (ip -j link), got neither');
  }
  const interfaces = new Interfaces(input);
  addInterfaces(interfaces, input.entries(root, 'addr'), input.entries(root, 'link'));
  const fou = input.entries(root, 'fou').map((entry) => fouOf(input, entry));
  return {
    interfaces: interfaces.list,
    routes: input.entries(root, 'route').flatMap((entry) => routeOf(input, entry, interfaces) ?? []),
    neighbours: input.entries(root, 'neigh').flatMap((entry) => neighbourOf(input, entry, interfaces) ?? []),
    ...(fou.length > 0 && { fou }),
    ...(root.value.ip_vs_ftp !== undefined && { ip_vs_ftp: helperOf(input, root.value.ip_vs_ftp) }),
  };
}

function neighbourOf(input: JsonInput, entry: JsonEntry, interfaces: Interfaces): NeighbourConfig | undefined {
  const { value } = entry;
  const dst = input.address(entry, 'dst');
  const dev = interfaces.nameAt(entry, 'dev');
  // A proxy entry is about answering ARP for others, it has no MAC.
  if ('proxy' in value) return undefined;
  const states = Array.isArray(value.state) ? value.state : [value.state];
  if (states.some((state) => UNUSABLE_STATES.includes(state))) return undefined;
  // Only Ethernet has link addresses: elsewhere the kernel keeps entries that it never looks at.
  if (interfaces.get(dev)?.kind !== 'ether') return undefined;
  // The MAC of a group follows from its address; the kernel notes it all the same.
  if (isGroup(dst)) return undefined;
  input.parsed(entry, 'lladdr', parseMac);
  return { dst, dev, lladdr: input.string(entry, 'lladdr', 'a MAC') };
}

function isGroup(address: string): boolean {
  const { family, bytes } = addressBytes(address);
  const [first = 0] = bytes;
  return family === 4 ? first >>> 4 === 0xe : first === 0xff;
}

function helperOf(input: JsonInput, value: unknown): FtpConfig {
  const { ports, ...others } = input.entry(value, 'ip_vs_ftp').value;
  for (const key of Object.keys(others)) input.fail(`ip_vs_ftp.${key}`, `expected ports, got ${shown(key)}`);
  if (ports === undefined) return {};
  if (!Array.isArray(ports)) input.fail('ip_vs_ftp.ports', `expected a list, got ${shown(ports)}`);
  return {
    ports: ports.map((port: unknown, i) => {
      const path = `ip_vs_ftp.ports[${i}]`;
      if (Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65535) return Number(port);
      return input.fail(path, `expected a port of 1 to 65535, got ${shown(port)}`);
    }),
  };
}

function fouOf(input: JsonInput, entry: JsonEntry): FouConfig {
  const { value, path } = entry;
  if (!('gue' in value)) input.fail(path, 'FOU without GUE is not handled by this version');
  for (const key of ['local', 'peer', 'peer_port', 'dev']) {
    if (key in value) input.fail(`${path}.${key}`, 'a GUE port for some packets only is not handled by this version');
  }
  const port = input.integer(entry, 'port', 1, 65535, 'a port');
  const { family = 'inet' } = value;
  if (family !== 'inet' && family !== 'inet6') {
    input.fail(`${path}.family`, `expected inet or inet6, got ${shown(family)}`);
  }
  return { port, family: family === 'inet' ? 4 : 6 };
}

/**
 * A host of a scenario's `topology`: `interfaces` with `name`, `mac`, `mtu` and `addrs`, `routes`, `neighbours`.
 * Pass the value of `topology.director`; errors name paths below that. All its interfaces are up, `tunl0`, `sit0` and
 * their like are tunnels.
 *
 * @throws IpvsError `BAD_INPUT` with the JSON path of what is wrong.
 */
export function networkFromScenario(host: unknown, file = 'scenario.json'): NetworkConfig {
  const input = new JsonInput(file);
  const root = input.entry(host, 'topology.director');
  const interfaces = new Interfaces(input);
  for (const entry of input.entries(root, 'interfaces')) interfaces.add(entry, scenarioInterface(input, entry));
  if (interfaces.list.length === 0) input.fail(`${root.path}.interfaces`, 'expected interfaces, got none');
  return {
    interfaces: interfaces.list,
    routes: input.entries(root, 'routes').flatMap((entry) => routeOf(input, entry, interfaces) ?? []),
    neighbours: input.entries(root, 'neighbours').flatMap((entry) => neighbourOf(input, entry, interfaces) ?? []),
  };
}

function scenarioInterface(input: JsonInput, entry: JsonEntry): InterfaceConfig {
  const name = input.string(entry, 'name', 'the name of an interface');
  const kind = (Object.hasOwn(TUNNEL_OF_NAME, name) && TUNNEL_OF_NAME[name]) || (name === 'lo' ? 'loopback' : 'ether');
  if (kind === 'ether') input.parsed(entry, 'mac', parseMac);
  const { addrs } = entry.value;
  if (!Array.isArray(addrs)) input.fail(`${entry.path}.addrs`, `expected a list, got ${shown(addrs)}`);
  for (const [index, address] of addrs.entries()) checkAddress(input, address, `${entry.path}.addrs[${index}]`);
  return {
    name,
    kind,
    ...(kind === 'ether' && { mac: entry.value.mac as string }),
    mtu: input.integer(entry, 'mtu', 68, 65536, 'an MTU'),
    up: true,
    addresses: addrs,
  };
}

function checkAddress(input: JsonInput, address: unknown, path: string): void {
  try {
    if (typeof address === 'string' && address.includes('/') && prefixBytes(address)) return;
  } catch {
    // Reported below, with what was expected here.
  }
  input.fail(path, `expected an address with its prefix length such as 10.0.0.1/24, got ${shown(address)}`);
}
