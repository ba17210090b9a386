/**
 * The commands of iproute2, tc, iptables and ethtool that a scenario's director was given.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { FtpConfig, InterfaceConfig, NetworkConfig, SysctlConfig } from '../types.js';
import { Netfilter } from './netfilter.js';

/** What is around IPVS in a director, as events change it. */
export interface Surroundings {
  network: NetworkConfig;
  /** All switches that events set so far. */
  readonly sysctl: SysctlConfig;
  readonly netfilter: Netfilter;
  /** Input captures whose senders leave checksums to their network cards. */
  readonly offloads: Set<string>;
}

/** Those of a director that has just been set up. */
export function surroundings(network: NetworkConfig): Surroundings {
  return { network, sysctl: {}, netfilter: new Netfilter(), offloads: new Set() };
}

/** The tunnel devices that a host has from the start, down. */
const TUNNELS: Readonly<Record<string, NonNullable<InterfaceConfig['kind']>>> = {
  tunl0: 'ipip',
  sit0: 'sit',
  ip6tnl0: 'ip6tnl',
  gre0: 'gre',
  ip6gre0: 'ip6gre',
};

/**
 * Carries out a command of the director; gives whether the network has changed.
 *
 * @throws {IpvsError} `BAD_INPUT` for what is not handled
 */
export function runCommand(around: Surroundings, command: string): boolean {
  const [program, ...rest] = command.trim().split(/\s+/);
  if (program === 'iptables' || program === 'ip6tables') {
    around.netfilter.add(rest, (name) => firstAddress(around.network, name));
    return false;
  }
  if (program === 'tc') {
    around.netfilter.addFilter(rest);
    return false;
  }
  if (program === 'modprobe' && rest[0] === 'ip_vs_ftp') {
    around.network = { ...around.network, ip_vs_ftp: helperOf(rest.slice(1)) };
    return true;
  }
  const words = rest.filter((word) => word !== '-6');
  const changed = program === 'ip' ? changedNetwork(around.network, words, rest.includes('-6')) : undefined;
  if (changed === undefined) throw new IpvsError('BAD_INPUT', 'not handled');
  const isChanged = changed !== around.network;
  around.network = changed;
  return isChanged;
}

/** FTP's helper, as the module's parameters have it. */
function helperOf(parameters: readonly string[]): FtpConfig {
  const [, ports] = /^ports=(\d+(?:,\d+)*)$/.exec(parameters[0] ?? '') ?? [];
  if (parameters.length > 1 || (parameters.length === 1 && ports === undefined)) {
    throw new IpvsError('BAD_INPUT', `expected ports=PORT,..., got ${parameters.join(' ')}`);
  }
  return ports === undefined ? {} : { ports: ports.split(',').map(Number) };
}

/** Whether a command says that a host leaves checksums to its network card (`true`), or no longer; else `undefined`. */
export function checksumOffload(command: string): boolean | undefined {
  const word = /^ethtool -K \S+ tx (on|off)$/.exec(command)?.[1];
  return word === undefined ? undefined : word === 'on';
}

function changedNetwork(network: NetworkConfig, words: readonly string[], isIPv6: boolean): NetworkConfig | undefined {
  const text = words.join(' ');
  const [, change, prefix, dev] = /^addr (add|del) (\S+) dev (\S+)$/.exec(text) ?? [];
  if (dev !== undefined && prefix !== undefined) {
    return withInterface(network, dev, (one) => {
      const others = (one.addresses ?? []).filter((address) => address !== prefix);
      return { ...one, addresses: change === 'add' ? [...others, prefix] : others };
    });
  }
  const [, added, type] = /^link add (\S+) type (gre|ip6gre) local \S+ icsum$/.exec(text) ?? [];
  if (added !== undefined) {
    const device: InterfaceConfig = { name: added, kind: type === 'gre' ? 'gre' : 'ip6gre', up: false };
    return { ...network, interfaces: [...network.interfaces, device] };
  }
  const [, link, state] = /^link set (?:dev )?(\S+) (up|down|mtu \d+)$/.exec(text) ?? [];
  if (link !== undefined && state !== undefined) {
    const mtu = /^mtu (\d+)$/.exec(state)?.[1];
    return withInterface(network, link, (one) => ({
      ...one,
      ...(mtu === undefined ? { up: state === 'up' } : { mtu: Number(mtu) }),
    }));
  }
  // Policy routing that delivers marked packets to this host: a director does so for the marks of its services.
  if (/^rule add fwmark \d+ lookup \d+$/.test(text)) return network;
  if (/^route add local (0\.0\.0\.0\/0|default) dev lo table \d+$/.test(text)) return network;
  const port = /^fou add port (\d+) gue$/.exec(text)?.[1];
  if (port === undefined) return undefined;
  const taken = { port: Number(port), ...(isIPv6 && ({ family: 6 } as const)) };
  return { ...network, fou: [...(network.fou ?? []), taken] };
}

/** The network with one interface changed; a tunnel device is there once it is named. */
function withInterface(
  network: NetworkConfig,
  name: string,
  change: (one: InterfaceConfig) => InterfaceConfig,
): NetworkConfig {
  const kind = TUNNELS[name];
  const known = network.interfaces.find((one) => one.name === name) ?? (kind && { name, kind, up: false });
  if (known === undefined) throw new IpvsError('BAD_INPUT', `there is no interface ${name}`);
  const changed = change(known);
  const has = network.interfaces.some((one) => one.name === name);
  const interfaces = has
    ? network.interfaces.map((one) => (one.name === name ? changed : one))
    : [...network.interfaces, changed];
  return { ...network, interfaces };
}

function firstAddress(network: NetworkConfig, name: string): string | undefined {
  const one = network.interfaces.find((item) => item.name === name);
  return one?.addresses?.find((address) => !address.includes(':'))?.replace(/\/.*/, '');
}
