/**
 * The network of the captures' director: clients 10.0.0.2–6, 10.0.0.50–59 and 10.9.0.0/16, servers 10.1.0.11–13 and
 * 10.1.0.21–23, the same in fd00::/64, fd00:9::/32 and fd00:1::/64, VIPs 10.0.0.100 and fd00::100.
 *
 * @module
 */
import type { NetworkConfig } from '../../src/types.js';

/** MAC addresses of the hosts around the director. */
export const MAC = {
  cli: '02:00:00:00:00:01',
  srv: '02:00:00:00:01:01',
  client: '02:00:00:00:00:02',
  rs1: '02:00:00:00:01:11',
  rs2: '02:00:00:00:01:12',
  rs3: '02:00:00:00:01:13',
} as const;

const hosts = (dev: string, prefixes: readonly string[], numbers: readonly number[], lladdr: string) =>
  prefixes.flatMap((prefix) => numbers.map((n) => ({ dst: `${prefix}${n}`, dev, lladdr })));

export const CAPTURES_NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8', '::1/128'] },
    {
      name: 'cli',
      mac: MAC.cli,
      mtu: 1500,
      addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'],
    },
    { name: 'srv', mac: MAC.srv, mtu: 1500, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
  routes: [
    { dst: '10.9.0.0/16', dev: 'cli', gateway: '10.0.0.2' },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: 'fd00::2' },
  ],
  neighbours: [
    ...hosts('cli', ['10.0.0.', 'fd00::'], [2, 3, 4, 5, 6, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59], MAC.client),
    ...hosts('srv', ['10.1.0.', 'fd00:1::'], [11, 21], MAC.rs1),
    ...hosts('srv', ['10.1.0.', 'fd00:1::'], [12, 22], MAC.rs2),
    ...hosts('srv', ['10.1.0.', 'fd00:1::'], [13, 23], MAC.rs3),
  ],
};
