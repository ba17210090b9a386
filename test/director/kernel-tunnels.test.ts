/** What a live kernel takes out of tunnels, and what not, held to core and reference. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { checksum, hex, ipv4, ipv6, join, udp } from '../support/packets.js';

type Any = Director | ReferenceDirector;

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.100/32', '10.0.0.1/24', 'fd00::100/128', 'fd00::1/64'] },
    ...(['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'] as const).map((kind) => ({ name: kind, kind })),
  ],
  fou: [{ port: 6080 }, { port: 6080, family: 6 }],
};
const ENDS = { source: '10.0.0.2', destination: '10.0.0.100' };
const ENDS6 = { source: 'fd00::2', destination: 'fd00::100' };
const INNER = udp({ ...ENDS, sport: 1, dport: 2 });

const DIRECTORS: readonly [name: string, make: () => Any][] = [
  ['core', () => createDirector('release', { plan: SMALL_PLAN, network: NETWORK })],
  ['reference', () => new ReferenceDirector({ network: NETWORK })],
];

const fate = (director: Any, packet: Uint8Array): string => {
  const [first] = director.send(packet, 'cli', 0);
  return `${first?.verdict} ${first?.reason}`;
};
const TAKEN = 'local decapsulated';

const gre = (head: string) => ipv4({ ...ENDS, protocol: 47 }, join(hex(head), INNER));
/** GUE whose UDP length is what it is, or `length`. */
const gue = (head: string, length?: number) => {
  const datagram = udp({ ...ENDS, sport: 40_000, dport: 6080, payload: join(hex(head), INNER) });
  // No checksum.
  datagram.set([0, 0], 26);
  if (length !== undefined) datagram.set([length >> 8, length & 255], 24);
  return datagram;
};

describe.each(DIRECTORS)('%s', (_, make) => {
  it.each([
    ['plain', '0000 0800', TAKEN],
    ['key', '2000 0800 00000007', TAKEN],
    ['sequence number', '1000 0800 00000001', TAKEN],
    ['both', '3000 0800 00000007 00000001', TAKEN],
    ['bits of RFC 1701', '0f80 0800', TAKEN],
    ['a bit that Linux takes for one of the version', '0008 0800', 'drop tunnel-malformed'],
    ['another one', '0040 0800', 'drop tunnel-malformed'],
    ['source route', '4000 0800 00000000', 'drop tunnel-malformed'],
    ['version 1', '0001 0800', 'drop tunnel-malformed'],
  ])('GRE: %s', (_what, head, expected) => {
    expect(fate(make(), gre(head))).toBe(expected);
  });

  it('GRE: over IPv6 the bits before the version are not looked at', () => {
    const packet = ipv6({ ...ENDS6, protocol: 47, hopLimit: 64 }, join(hex('0f78 0800'), INNER));
    expect(fate(make(), packet)).toBe(TAKEN);
  });

  it('GRE: a checksum is looked at before key and sequence number', () => {
    const whole = join(hex('b000 0800 0000 0000 00000007 00000001'), INNER);
    const sum = checksum(whole);
    whole.set([sum >> 8, sum & 255], 4);
    expect(fate(make(), ipv4({ ...ENDS, protocol: 47 }, whole))).toBe(TAKEN);
    whole[11] = 8;
    expect(fate(make(), ipv4({ ...ENDS, protocol: 47 }, whole))).toBe('drop tunnel-checksum');
  });

  it.each([
    ['plain', '00 04 0000', TAKEN],
    ['a word more than there are options', '01 04 0000 ffffffff', TAKEN],
    ['private options, of which there is none', '01 04 0001 00000000', TAKEN],
    ['an option that nobody knows', '01 04 0001 40000000', 'drop tunnel-malformed'],
    ['a remote checksum beyond the header', '01 04 0001 80000000', 'drop tunnel-malformed'],
    ['a flag that nobody knows', '01 04 8000 00000000', 'drop tunnel-malformed'],
    ['private options beyond the header', '00 04 0001', 'drop tunnel-malformed'],
  ])('GUE: %s', (_what, head, expected) => {
    expect(fate(make(), gue(head))).toBe(expected);
  });

  it('GUE ends where UDP says', () => {
    const all = 8 + 4 + INNER.length;
    expect(fate(make(), gue('00 04 0000', all))).toBe(TAKEN);
    for (const length of [0, 7, 8, 12, all - 1, all + 1]) {
      expect(fate(make(), gue('00 04 0000', length))).toBe('drop tunnel-malformed');
    }
  });

  it('over IPv6 a UDP length of 0 is all there is', () => {
    const inner = udp({ ...ENDS6, sport: 1, dport: 2 });
    const outer = udp({ ...ENDS6, sport: 40_000, dport: 6080, payload: join(hex('00 29 0000'), inner) });
    outer.set([0, 0], 44);
    outer.set([0, 0], 46);
    expect(fate(make(), outer)).toBe(TAKEN);
  });

  it.each([
    ['fd00::2', TAKEN],
    ['::', 'drop martian-source'],
    ['fe80::2', 'drop martian-source'],
    ['::ffff:a00:2', 'drop martian-source'],
    ['fd00::1', 'drop martian-source'],
  ])('an IPv6 tunnel from %s', (source, expected) => {
    const words = { ...ENDS6, source, hopLimit: 64 };
    expect(fate(make(), ipv6({ ...words, protocol: 4 }, INNER))).toBe(expected);
    // GRE does not ask.
    expect(fate(make(), ipv6({ ...words, protocol: 47 }, join(hex('0000 0800'), INNER)))).toBe(TAKEN);
  });

  it.each([
    ['CALIPSO', '07 08 00000000 00000000 0100', 'drop ipv6-extension'],
    ['IOAM, aligned', '0100 31 02 0000', 'forward routed'],
    ['IOAM, not aligned', '31 02 0000 0100', 'drop ipv6-extension'],
  ])('a hop-by-hop option: %s', (_what, options, expected) => {
    const director = make();
    const rest = join(Uint8Array.of((hex(options).length + 2) / 8 - 1), hex(options));
    const packet = udp({ source: 'fd00::2', destination: 'fd00::9', sport: 1, dport: 2, extensions: [[0, rest]] });
    expect(fate(director, packet)).toBe(expected);
  });
});
