/**
 * Routes from the words of `ip -j route`.
 *
 * @module
 */
import { type Family, hasHostBits, isIPv6Prefix, prefixBytes } from '../address.js';
import type { RouteConfig } from '../types.js';
import { type JsonEntry, type JsonInput, shown } from './json-input.js';
import type { Interfaces } from './network-interfaces.js';

/** Routes that never carry a forwarded unicast packet. */
const GROUP_TYPES: readonly unknown[] = ['broadcast', 'multicast', 'anycast'];
/** The tables that are looked up without rules of one's own (`ip rule`), by name and number. */
const TABLES = ['local', 'main', 'default', '255', '254', '253'];

/**
 * One entry; `undefined` for what the kernel would not use for a forwarded packet either.
 *
 * @throws IpvsError `BAD_INPUT` for what is malformed, and for what the kernel would use and this version cannot.
 */
export function routeOf(input: JsonInput, entry: JsonEntry, interfaces: Interfaces): RouteConfig | undefined {
  const { value } = entry;
  if (isForOthers(value)) return undefined;
  const family = familyOfRoute(value);
  const prefix = input.parsed(entry, 'dst', (text) => prefixBytes(text, family));
  if (hasHostBits(prefix)) {
    input.fail(`${entry.path}.dst`, `expected a network without host bits, got ${shown(value.dst)}`);
  }
  if (value.type === 'local') return checkLocal(input, entry, interfaces);
  refuseUnhandled(input, entry);
  const dev = interfaces.usableAt(entry, 'dev');
  if (interfaces.isTunnel(dev)) return checkTunnel(input, entry, dev);
  return {
    dst: value.dst === 'default' && prefix.family === 6 ? '::/0' : input.string(entry, 'dst', 'a prefix'),
    dev,
    ...(value.gateway !== undefined && { gateway: input.address(entry, 'gateway', prefix.family) }),
    ...(Array.isArray(value.flags) && value.flags.includes('onlink') && { onlink: true }),
    ...(value.prefsrc !== undefined && { prefsrc: input.address(entry, 'prefsrc', prefix.family) }),
    ...(value.metric !== undefined && { metric: input.integer(entry, 'metric', 0, 0xffffffff, 'a metric') }),
  };
}

function isForOthers({ type, table, flags, metric }: JsonEntry['value']): boolean {
  const dead = Array.isArray(flags) && flags.includes('dead');
  // What the kernel ends its IPv6 tables with: the same as no route.
  const last = type === 'unreachable' && metric === 0xffffffff;
  return dead || last || GROUP_TYPES.includes(type) || (table !== undefined && !TABLES.includes(String(table)));
}

/** `default` is written alike for both families; `pref`, the router preference of RFC 4191, is IPv6's alone. */
function familyOfRoute(value: JsonEntry['value']): Family {
  const { gateway, prefsrc } = value;
  const isIPv6 = [gateway, prefsrc].some((text) => typeof text === 'string' && isIPv6Prefix(text));
  return isIPv6 || 'pref' in value ? 6 : 4;
}

/** Routes to our own addresses are implied by the addresses: checked, not kept. */
function checkLocal(input: JsonInput, entry: JsonEntry, interfaces: Interfaces): undefined {
  const dst = input.string(entry, 'dst', 'an address');
  const { family, bytes, length } = prefixBytes(dst);
  const loopback = family === 4 ? length >= 8 && bytes[0] === 127 : dst === '::1';
  // Interfaces of other link types are not part of the network, and neither are their addresses.
  if (interfaces.isUnusable(String(entry.value.dev))) return undefined;
  if (loopback || (length === bytes.length * 8 && interfaces.owns(dst.replace(/\/.*/, '')))) return undefined;
  return input.fail(`${entry.path}.dst`, `expected an address of an interface for a local route, got ${shown(dst)}`);
}

/** What the kernel itself adds for a tunnel device's addresses is of no use to a director, anything else would be used. */
function checkTunnel(input: JsonInput, entry: JsonEntry, dev: string): undefined {
  if (entry.value.protocol === 'kernel') return undefined;
  return input.fail(`${entry.path}.dev`, `routes into a tunnel (${dev}) are not handled by this version`);
}

function refuseUnhandled(input: JsonInput, entry: JsonEntry): void {
  const { value, path } = entry;
  const refuse = (key: string, what: string): never =>
    input.fail(`${path}.${key}`, `${what} not handled by this version`);
  if (value.type !== undefined && value.type !== 'unicast') refuse('type', `${shown(value.type)} routes are`);
  if (value.nexthops !== undefined) refuse('nexthops', 'several next hops are');
  if (value.via !== undefined) refuse('via', 'a gateway of another address family is');
  if (value.encap !== undefined) refuse('encap', 'encapsulating routes are');
  if (value.tos !== undefined && value.tos !== 0 && value.tos !== '0') refuse('tos', 'routes by TOS are');
  const metrics = Array.isArray(value.metrics) ? value.metrics : [];
  if (metrics.some((metric) => typeof metric === 'object' && metric !== null && 'mtu' in metric)) {
    refuse('metrics', "an MTU of the route's own is");
  }
}
