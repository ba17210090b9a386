/** How a live kernel cuts what goes into a tunnel and came in fragments, held to core and reference. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig, NetworkConfig, SysctlConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { counting, fixIpv4, icmp, udp } from '../support/packets.js';

type Any = Director | ReferenceDirector;

const network: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.100/32', '10.0.0.1/24', 'fd00::100/128', 'fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
};
const ENDS = {
  4: { source: '10.0.0.2', destination: '10.0.0.100', sport: 1000, dport: 4000 },
  6: { source: 'fd00::2', destination: 'fd00::100', sport: 1000, dport: 4000 },
} as const;
const GRE = { type: 'gre' } as const;

const MAKERS: readonly [name: string, make: (sysctl: SysctlConfig) => Any][] = [
  ['core', (sysctl) => createDirector('release', { plan: SMALL_PLAN, network, sysctl })],
  ['reference', (sysctl) => new ReferenceDirector({ network, sysctl })],
];

/** Fragments with these payloads. */
function fragments(family: 4 | 6, lengths: readonly number[], dontFragment = false): Uint8Array[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let at = 0;
  const cuts = lengths.slice(0, -1).map((length) => (at += length));
  const pieces = fragmentsOf(udp({ ...ENDS[family], payload: counting(total - 8) }), cuts);
  return dontFragment ? pieces.map(withDf) : pieces;
}

function withDf(fragment: Uint8Array): Uint8Array {
  const marked = fragment.slice();
  marked[6]! |= 0x40;
  return fixIpv4(marked);
}

/** Length and fragment fields of what leaves: flags and offset of IPv4; of IPv6 those of the fragment header, if there is one. */
function leaving(director: Any, dest: DestConfig, given: readonly Uint8Array[]): [number, number | undefined][] {
  const family = given[0]![0]! >> 4 === 6 ? 6 : 4;
  const service = { protocol: 'udp', address: ENDS[family].destination, port: 4000 } as const;
  director.addService(service);
  director.addDest(service, { method: 'tun', ...dest });
  const outcomes = given.flatMap((fragment) => director.send(fragment, 'cli', 0));
  return outcomes
    .filter(({ verdict }) => verdict === 'forward')
    .map(({ frame }) => {
      const view = new DataView(frame.buffer, frame.byteOffset);
      if (frame[0]! >> 4 === 4) return [frame.length, view.getUint16(6)];
      return [frame.length, frame[6] === 44 ? view.getUint16(42) : undefined];
    });
}

/** Its header shifts what follows the first fragment to where no fragment can begin. */
const GRE_SUM = { address: '10.1.0.11', tunnel: { type: 'gre', checksum: 'csum' } } as const;
const IPV6 = { address: 'fd00:1::11' };

describe.each(MAKERS)('%s', (_, make) => {
  const none = () => make({});

  it('IPv4 in IPv4: where the longest fragment had DF, other pieces outside have it, too', () => {
    const pieces = [
      [1020, 0x6000],
      [1020, 0x607d],
      [48, 0x40fa],
    ];
    expect(leaving(make({ pmtu_disc: 0 }), GRE_SUM, fragments(4, [1000, 1000], true))).toEqual(pieces);
  });

  it('IPv4 in IPv4: not where a longer one had none', () => {
    const [first, last] = fragments(4, [1000, 500]);
    expect(leaving(none(), GRE_SUM, [first!, withDf(last!)])).toEqual([
      [1020, 0x2000],
      [548, 0x007d],
    ]);
  });

  it('IPv6 in IPv4: the longest, taken for flags, gives DF to other pieces', () => {
    expect(leaving(none(), { address: '10.1.0.11', tunnel: GRE }, fragments(6, [1424, 1424]))).toEqual([
      [1500, 0x6000],
      [1432, 0x40b9],
    ]);
    expect(leaving(none(), { address: '10.1.0.11', tunnel: GRE }, fragments(6, [1416, 1416]))).toEqual([
      [1500, 0x2000],
      [1416, 0x00b9],
    ]);
  });

  it('IPv4 in IPv6: DF, taken for the longest, cuts at 1280', () => {
    expect(leaving(make({ pmtu_disc: 0 }), IPV6, fragments(4, [1440, 587], true))).toEqual([
      [1280, 1],
      [863, 1232],
    ]);
    expect(leaving(make({ pmtu_disc: 0 }), IPV6, fragments(4, [1440, 587]))).toEqual([
      [1496, 1],
      [647, 1448],
    ]);
  });

  it('IPv4 in IPv6: with DF there is a fragment header even around what fits', () => {
    expect(leaving(none(), IPV6, fragments(4, [64, 24], true))).toEqual([[156, 0]]);
    expect(leaving(none(), IPV6, fragments(4, [64, 24]))).toEqual([[148, undefined]]);
  });

  it('IPv4 in IPv6: the same around an error that was on its way through', () => {
    const about = { source: '10.0.0.100', destination: '10.0.0.2' };
    const quote = udp({ ...about, sport: 4000, dport: 1000, payload: counting(8) });
    const error = (destination: string) => icmp({ source: '10.0.0.3', destination }, 3, 1, quote);
    const opening = udp({ ...ENDS[4], payload: counting(8) });
    expect(leaving(none(), IPV6, [opening, error('10.0.0.100'), error('10.1.0.14')])).toEqual([
      [76, undefined],
      [104, undefined],
      [112, 0],
    ]);
  });
});
