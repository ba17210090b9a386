/** Where a director of ours is not Linux 6.1 (docs/deviations.md): addresses and next hops. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { icmp, ipv4 } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate } from './lab.js';

beforeEach(begin);
afterEach(end);

describe('not handled yet, and said so', () => {
  test('next hop unknown: dropped, the host owns ARP', () => {
    expect(fate(ipv4({ source: CLIENT, destination: '10.2.0.9', protocol: 99 }))).toBe('drop no-neighbour');
  });
});

describe('addresses of IPv6', () => {
  const ping = (destination: string) => icmp({ source: 'fd00::2', destination }, 128);
  const interfaces = [
    { name: 'cli', kind: 'raw', addresses: ['fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
  ] as const;

  test('a subnet-router anycast address is like any of its subnet', () => {
    director.setNetwork({ interfaces });
    expect(fate(ping('fd00:1::1'))).toBe('local local-delivery');
    expect(fate(ping('fd00:1::'))).toBe('forward routed');
  });
});
