/**
 * The network of a director in the words of the library, and the commands of iproute2 that make the guest have it.
 *
 * @module
 */
import type { InterfaceConfig, NetworkConfig, RouteConfig } from '../../src/types.js';

/** The devices that Linux has for tunnels from the start. */
const DEVICES: Partial<Record<NonNullable<InterfaceConfig['kind']>, string>> = {
  ipip: 'tunl0',
  sit: 'sit0',
  ip6tnl: 'ip6tnl0',
  gre: 'gre0',
  ip6gre: 'ip6gre0',
};

/** A shell script that gives a guest without configuration this network. @throws RangeError for what a guest has not */
export function networkScript(network: NetworkConfig): string {
  const { interfaces, routes = [], neighbours = [], fou = [] } = network;
  const lines = [
    ...interfaces.flatMap(interfaceLines),
    ...neighbours.map(({ dst, dev, lladdr }) => `neigh replace ${dst} dev ${dev} lladdr ${lladdr} nud permanent`),
    ...routes.map(routeLine),
    ...fou.map(({ port, family }) => `fou add port ${port} gue${family === 6 ? ' -6' : ''}`),
  ];
  return `ip -batch - <<'END'\n${lines.join('\n')}\nEND`;
}

const isSix = (text: string): boolean => text.includes(':');

function interfaceLines({
  name,
  kind = name === 'lo' ? 'loopback' : 'ether',
  mtu,
  up,
  addresses = [],
}: InterfaceConfig): string[] {
  if (kind === 'loopback') return [];
  const device = kind === 'ether' ? name : DEVICES[kind];
  if (device !== name) throw new RangeError(`the guest has no interface ${name} of the kind ${kind}`);
  return [
    ...(mtu === undefined ? [] : [`link set ${name} mtu ${mtu}`]),
    ...(up === false ? [] : [`link set ${name} up`]),
    // Linux keeps the newest IPv6 address first, and we have the order in which it lists them.
    ...addresses.filter((text) => !isSix(text)).map((text) => `addr replace ${text} dev ${name}`),
    ...addresses
      .filter(isSix)
      .reverse()
      .map((text) => `addr replace ${text} dev ${name} nodad`),
  ];
}

function routeLine({ dst, dev, gateway, prefsrc, metric }: RouteConfig): string {
  // In a batch nothing else tells the family of a default route.
  const to = dst === 'default' && gateway?.includes(':') ? '::/0' : dst;
  const words = ['route replace', to, 'dev', dev];
  if (gateway !== undefined) words.push('via', gateway);
  if (prefsrc !== undefined) words.push('src', prefsrc);
  if (metric !== undefined) words.push('metric', String(metric));
  return words.join(' ');
}
