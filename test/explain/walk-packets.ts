import type { ConnectionInfo, Outcome, ServiceInfo } from '../../src/director.js';
import { walkOf } from '../../src/explain/walk.js';
import type { NetworkConfig, SysctlConfig, TunnelConfig } from '../../src/types.js';
import { C0_MAC, CLI_MAC, RS1_MAC, SRV_MAC, tcp6Frame, tcpFrame } from '../scenario/packets.js';

export const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', mac: CLI_MAC, addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', mac: SRV_MAC, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'tunl0', kind: 'ipip' },
    { name: 'gre0', kind: 'gre' },
    { name: 'ip6tnl0', kind: 'ip6tnl' },
  ],
  neighbours: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: C0_MAC },
    { dst: 'fd00::2', dev: 'cli', lladdr: C0_MAC },
    { dst: '10.1.0.21', dev: 'srv', lladdr: RS1_MAC },
    { dst: 'fd00:1::21', dev: 'srv', lladdr: RS1_MAC },
  ],
  fou: [{ port: 6080 }],
};
export const SYSCTL = { ip_forward: 1, ipv6_forwarding: 1 } as Required<SysctlConfig>;
export const STATS = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

export function serviceOf(key: object, dest: { address: string; port: number; method: string; tunnel?: TunnelConfig }) {
  const more = { weight: 1, upperThreshold: 0, lowerThreshold: 0, activeConnections: 0, inactiveConnections: 0 };
  const dests = [{ ...dest, ...more, stats: STATS }];
  return { scheduler: 'rr', flags: [], stats: STATS, ...key, dests } as unknown as ServiceInfo;
}

export interface Told {
  frame: Uint8Array;
  reason: string;
  inInterface?: string;
  verdict?: string;
  connection?: Partial<ConnectionInfo> | undefined;
  /** What left; default: the frame itself, by `out`. */
  sent?: Uint8Array;
  out?: string | undefined;
  made?: { reason: string; frame: Uint8Array }[];
  services?: ServiceInfo[];
  connections?: Partial<ConnectionInfo>[];
  mark?: number;
}

/** The lines of a walk as `hook: looked = found`, from PREROUTING on. */
export function told({
  frame,
  reason,
  inInterface = 'cli',
  verdict = 'forward',
  mark = 0,
  made = [],
  ...more
}: Told): string[] {
  const rest = { made: false, decapsulated: false, partialChecksum: false };
  const { connection, sent = frame, services = [], connections = [] } = more;
  const outInterface = verdict === 'forward' ? (more.out ?? (inInterface === 'cli' ? 'srv' : 'cli')) : undefined;
  const steps = walkOf({
    network: NETWORK,
    sysctl: SYSCTL,
    frame,
    interfaceName: inInterface,
    mark,
    outcome: { verdict, reason, outInterface, connection, frame: sent, ...rest } as Outcome,
    made: made.map((one) => ({ verdict: 'forward', outInterface, ...rest, ...one, made: true }) as unknown as Outcome),
    services,
    connections: connections as ConnectionInfo[],
  });
  const all = steps.flatMap(({ hook, lines }) => lines.map(({ looked, found }) => `${hook}: ${looked} = ${found}`));
  return all.filter((line) => !line.startsWith('link:'));
}

export const NAT6 = {
  protocol: 'tcp',
  clientAddress: 'fd00::2',
  clientPort: 40001,
  virtualAddress: 'fd00::100',
  virtualPort: 80,
  destAddress: 'fd00:1::21',
  destPort: 8080,
  method: 'nat',
  state: 'SYN_RECV',
  expires: 60,
  inPackets: 1,
} as const;
export const NAT4 = {
  ...NAT6,
  clientAddress: '10.0.0.2',
  virtualAddress: '10.0.0.100',
  destAddress: '10.1.0.21',
  state: 'ESTABLISHED',
} as const;
export const ENDS = { sport: 40001, dport: 80 };
export const syn = tcpFrame(ENDS);
export const syn6 = tcp6Frame(ENDS);
export const OUT = [
  `POSTROUTING: next hop 10.1.0.21 = MAC ${RS1_MAC}`,
  `POSTROUTING: out interface = srv, from MAC ${SRV_MAC}`,
];
