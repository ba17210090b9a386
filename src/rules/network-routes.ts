/**
 * Routes from the words of `ip -j route`.
 *
 * @module
 */
import { isIPv6Prefix, parsePrefix, prefixMask } from '../address.js';
import type { RouteConfig } from '../types.js';
import { type JsonEntry, type JsonInput, shown } from './json-input.js';
import type { Interfaces } from './network-interfaces.js';

/** Routes that never carry a forwarded unicast packet. */
const GROUP_TYPES: readonly unknown[] = ['broadcast', 'multicast', 'anycast'];
/** The tables that are looked up without rules of one's own (`ip rule`), by name and number. */
const TABLES = ['local', 'main', 'default', '255', '254', '253'];

/**
 * One entry; `undefined` for what the kernel would not use for an IPv4 packet either.
 *
 * @throws IpvsError `BAD_INPUT` for what is malformed, and for what the kernel would use and this version cannot.
 */
export function routeOf(input: JsonInput, entry: JsonEntry, interfaces: Interfaces): RouteConfig | undefined {
  const { value } = entry;
  if (isForOthers(value)) return undefined;
  const prefix = input.parsed(entry, 'dst', parsePrefix);
  if ((prefix.address & ~prefixMask(prefix.length)) !== 0) {
    input.fail(`${entry.path}.dst`, `expected a network without host bits, got ${shown(value.dst)}`);
  }
  if (value.type === 'local') return checkLocal(input, entry, interfaces);
  refuseUnhandled(input, entry);
  const dev = interfaces.usableAt(entry, 'dev');
  return {
    dst: value.dst as string,
    dev,
    ...(value.gateway !== undefined && { gateway: input.ipv4(entry, 'gateway') }),
    ...(value.prefsrc !== undefined && { prefsrc: input.ipv4(entry, 'prefsrc') }),
    ...(value.metric !== undefined && { metric: input.integer(entry, 'metric', 0, 0xffffffff, 'a metric') }),
  };
}

function isForOthers(value: JsonEntry['value']): boolean {
  const { type, dst, gateway, prefsrc, table, flags } = value;
  const isV6 = (text: unknown): boolean => typeof text === 'string' && isIPv6Prefix(text);
  // `default` is written alike for both families; `pref`, the router preference of RFC 4191, is IPv6's alone.
  const ipv6 = isV6(dst) || isV6(gateway) || isV6(prefsrc) || 'pref' in value;
  const dead = Array.isArray(flags) && flags.includes('dead');
  return ipv6 || dead || GROUP_TYPES.includes(type) || (table !== undefined && !TABLES.includes(String(table)));
}

/** Routes to our own addresses are implied by the addresses: checked, not kept. */
function checkLocal(input: JsonInput, entry: JsonEntry, interfaces: Interfaces): undefined {
  const { dst } = entry.value;
  const { address, length } = parsePrefix(dst as string);
  const loopback = length >= 8 && address >>> 24 === 127;
  // Interfaces of other link types are not part of the network, and neither are their addresses.
  if (interfaces.isUnusable(String(entry.value.dev))) return undefined;
  if (loopback || (length === 32 && interfaces.owns((dst as string).replace('/32', '')))) return undefined;
  return input.fail(`${entry.path}.dst`, `expected an address of an interface for a local route, got ${shown(dst)}`);
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
