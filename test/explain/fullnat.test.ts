/** Explaining FullNAT: replies to local addresses, errors both ways, and both families in one connection. */
import { expect, test } from 'vitest';
import type { Director } from '../../src/director.js';
import { answer, fullNat, NOW, request } from '../support/fullnat.js';
import { atClient, atServer, fromClient, fromServer, LOCAL, nat64, ROUTER, ROUTER6, VIP } from '../support/nat64.js';
import { ACK, hex, icmp, SYN } from '../support/packets.js';
import { linesOf } from './lines.js';

/** What was found from the INPUT hook on, and the reason. */
const told = (director: Director, packet: Uint8Array, wire: 'cli' | 'srv') => linesOf(director, packet, wire, NOW);

const S = 'SYN_RECV, service [fd00::100]:80 (fullnat)';

test('a client of IPv6 and a server of IPv4', () => {
  const director = nat64({}, {}, ['tcp']);
  expect(told(director, fromClient(), 'cli').slice(-6)).toEqual([
    'route to 10.1.0.11: 10.1.0.0/24 dev srv, MTU 1500: 1520 as IPv6, whose header is 20 bytes longer',
    'hop limit 64: becomes 63',
    'length 60, MTU 1520: fits',
    'method fullnat: IPv6 becomes IPv4, destination [fd00::100]:80 becomes 10.1.0.11:8080, source [fd00::2]:40001 becomes 10.1.0.1:1024, numbers of TCP and checksums updated',
    'out interface: srv',
    'nat64-in',
  ]);
  expect(told(director, fromServer({ flags: SYN | ACK }), 'srv')).toEqual([
    `connection TCP reply 10.1.0.11:8080 > 10.1.0.1:1024: ${S}`,
    'route to fd00::2: fd00::/64 dev cli, MTU 1500: 1480 as IPv4, whose header is 20 bytes shorter',
    'TTL 64: becomes 63',
    'length 40, MTU 1480: fits',
    'method fullnat: IPv4 becomes IPv6, source 10.1.0.11:8080 becomes [fd00::100]:80, destination 10.1.0.1:1024 becomes [fd00::2]:40001, numbers of TCP and checksums updated',
    'out interface: cli',
    'nat64-out',
  ]);
  expect(told(director, fromServer({ ttl: 1 }), 'srv').at(-1)).toBe('ttl-exceeded');
});

test('errors between families', () => {
  const director = nat64({}, {}, ['tcp']);
  director.send(fromClient(), 'cli', NOW);
  const words = { source: ROUTER, destination: LOCAL };
  const out = told(director, icmp(words, 3, 1, atServer()), 'srv');
  expect([out[0], ...out.slice(-3)]).toEqual([
    `ICMP 3/1 (host unreachable) about TCP 10.1.0.1:1024 > 10.1.0.11:8080: ${S}`,
    'method fullnat: IPv4 becomes IPv6, source 10.1.0.254 becomes fd00::100, quoted 10.1.0.1:1024 becomes [fd00::2]:40001, quoted 10.1.0.11:8080 becomes [fd00::100]:80, ICMP checksum anew',
    'out interface: cli',
    'icmp-out',
  ]);
  expect(told(director, icmp(words, 4, 0, atServer()), 'srv').at(-1)).toBe('icmp-untranslatable');
  const words6 = { source: ROUTER6, destination: VIP };
  const back = told(director, icmp(words6, 1, 1, atClient()), 'cli');
  expect(back.slice(-3)).toEqual([
    'method fullnat: IPv6 becomes IPv4, source fd00::9 becomes 10.1.0.1, destination fd00::100 becomes 10.1.0.11, quoted [fd00::100]:80 becomes 10.1.0.11:8080, quoted [fd00::2]:40001 becomes 10.1.0.1:1024, ICMP checksum anew',
    'out interface: srv',
    'icmp-in',
  ]);
  const lost = told(director, icmp(words6, 4, 2, atClient()), 'cli');
  expect(lost.slice(-2)).toEqual([expect.stringMatching(/^method fullnat: /), 'icmp-untranslatable']);
});

test('a packet that is to go on to another waypoint', () => {
  const director = nat64({}, {}, ['tcp']);
  const extensions = [[43, hex(`020001${'00'.repeat(20)}`)]] as const;
  expect(told(director, fromClient({ extensions }), 'cli').at(-1)).toBe('ipv6-extension');
});

test.each([4, 6] as const)('IPv%i alone', (family) => {
  const director = fullNat();
  director.send(request(family), 'cli', NOW);
  const reply = told(director, answer(family, 1024), 'srv');
  expect(reply.at(-1)).toBe('fullnat-out');
  expect(reply.at(-3)).toMatch(/^method fullnat: source .*:8080 becomes .*:80, destination .*:1024 becomes .*:40001,/);
});

test.each([
  ['linux', 'becomes 63'],
  ['dpvs', 'stays'],
  ['alibaba', 'stays'],
] as const)('the TTL as the profile %s leaves it', (profile, found) => {
  const director = fullNat({ profile }, {}, ['tcp']);
  for (const family of [4, 6] as const) {
    const hops = family === 4 ? 'TTL' : 'hop limit';
    expect(told(director, request(family), 'cli')).toContain(`${hops} 64: ${found}`);
    expect(told(director, answer(family, 1024), 'srv')).toContain(`${hops} 64: ${found}`);
  }
});

test('a datagram has no numbers of TCP', () => {
  const director = fullNat({}, {}, ['udp']);
  const method = (lines: string[]) => lines.find((line) => line.startsWith('method'));
  expect(method(told(director, request(4, { protocol: 'udp' }), 'cli'))).toMatch(/:1024, checksums updated$/);
  expect(method(told(director, answer(4, 1024, { protocol: 'udp' }), 'srv'))).toMatch(/:40001, checksums updated$/);
});
