/**
 * The network of a director in the words of the library, and the commands of iproute2 that make the guest have it.
 *
 * @module
 */

/** What an interface is; the tunnel kinds are Linux's own fallback devices. */
export type LabKind = 'ether' | 'loopback' | 'ipip' | 'sit' | 'ip6tnl' | 'gre' | 'ip6gre';

/** An interface, in the words of `InterfaceConfig`. */
export interface LabLink {
  readonly name: string;
  readonly kind?: LabKind;
  readonly mac?: string;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly addresses?: readonly string[];
}

/** A network, in the words of `NetworkConfig`. */
export interface LabNetwork {
  readonly interfaces: readonly LabLink[];
  readonly routes?: readonly { dst: string; dev: string; gateway?: string; prefsrc?: string; metric?: number }[];
  readonly neighbours?: readonly { dst: string; dev: string; lladdr: string }[];
  /** Ports that take GUE. */
  readonly fou?: readonly { port: number; family?: 4 | 6 }[];
}

const DEVICES: Partial<Record<LabKind, string>> = {
  ipip: 'tunl0',
  sit: 'sit0',
  ip6tnl: 'ip6tnl0',
  gre: 'gre0',
  ip6gre: 'ip6gre0',
};

/** A shell script that gives a guest without configuration this network. @throws RangeError for what a guest has not */
export function networkScript(network: LabNetwork): string {
  const { interfaces, routes = [], neighbours = [], fou = [] } = network;
  const lines = [
    ...interfaces.flatMap(interfaceLines),
    ...neighbours.map(({ dst, dev, lladdr }) => `neigh replace ${dst} dev ${dev} lladdr ${lladdr} nud permanent`),
    ...routes.map(routeLine),
    ...fou.map(({ port, family }) => `fou add port ${port} gue${family === 6 ? ' -6' : ''}`),
  ];
  return `ip -batch - <<'END'\n${lines.join('\n')}\nEND`;
}

function interfaceLines({ name, kind = kindOf(name), mtu, up, addresses = [] }: LabLink): string[] {
  if (kind === 'loopback') return [];
  const device = DEVICES[kind] ?? name;
  if (device !== name) throw new RangeError(`the guest's ${kind} interface is called ${device}, not ${name}`);
  return [
    ...(mtu === undefined ? [] : [`link set ${name} mtu ${mtu}`]),
    ...(up === false ? [] : [`link set ${name} up`]),
    ...addresses.map((text) => `addr replace ${text} dev ${name}${text.includes(':') ? ' nodad' : ''}`),
  ];
}

function kindOf(name: string): LabKind {
  return name === 'lo' ? 'loopback' : 'ether';
}

function routeLine({ dst, dev, gateway, prefsrc, metric }: NonNullable<LabNetwork['routes']>[number]): string {
  // In a batch nothing else tells the family of a default route.
  const to = dst === 'default' && gateway?.includes(':') ? '::/0' : dst;
  const words = ['route replace', to, 'dev', dev];
  if (gateway !== undefined) words.push('via', gateway);
  if (prefsrc !== undefined) words.push('src', prefsrc);
  if (metric !== undefined) words.push('metric', String(metric));
  return words.join(' ');
}
