/** Fragments that pass through, as a live kernel treats them, held to core and reference. */
import { describe, expect, it } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { counting, fixIpv4, udp } from '../support/packets.js';

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
};
const PACKET = udp({ source: '10.1.0.12', destination: '10.0.0.2', sport: 1, dport: 2, payload: counting(100) });

/** Two fragments; the first one is the longer one. `df`: which have DF. */
function pieces(df: readonly boolean[]): Uint8Array[] {
  return fragmentsOf(PACKET, [64]).map((fragment, i) => {
    if (df[i]) fragment[6] = (fragment[6] ?? 0) | 0x40;
    return fixIpv4(fragment);
  });
}

describe.each([
  ['core', () => createDirector('release', { plan: SMALL_PLAN, network: NETWORK })],
  ['reference', () => new ReferenceDirector({ network: NETWORK })],
] as const)('%s', (_, make) => {
  function fates(df: readonly boolean[]): string[] {
    const director = make();
    // Without a service nobody puts them together.
    director.addService({ protocol: 'udp', address: '10.0.0.1', port: 53, scheduler: 'rr' });
    const [first, last] = pieces(df) as [Uint8Array, Uint8Array];
    director.send(first, 'srv', 0);
    return director.send(last, 'srv', 0).map(({ verdict, reason }) => `${verdict} ${reason}`);
  }

  it.each([
    ['without DF', [false, false]],
    ['of which a short one has DF', [false, true]],
  ])('fragments %s leave as they came', (_what, df) => {
    expect(fates(df)).toEqual(['forward routed', 'forward fragment']);
  });

  it.each([
    ['with DF', [true, true]],
    ['of which the longest has DF', [true, false]],
  ])('fragments %s are too big, put together, even where they fit', (_what, df) => {
    expect(fates(df)).toEqual(['drop too-big', 'forward fragmentation-needed']);
  });

  it.each([
    ['the only one of its packet', [], 1496],
    ['one of two', [1456], 1498],
  ])('of IPv6, one longer than the MTU, %s, is none when the packet fits', (_what, cuts, length) => {
    const director = make();
    director.addService({ protocol: 'udp', address: 'fd00::1', port: 53, scheduler: 'rr' });
    const ends = { source: 'fd00:1::12', destination: 'fd00::2', sport: 1, dport: 2 };
    const packet = udp({ ...ends, payload: counting(length - 48) });
    const outcomes = fragmentsOf(packet, cuts).map((piece) => director.send(piece, 'srv', 0));
    expect(outcomes.at(-1)?.map(({ reason, frame }) => `${reason} ${frame.length}`)).toEqual([`routed ${length}`]);
  });

  it('of IPv6, one longer than the MTU is too big when the packet is, too', () => {
    const director = make();
    director.addService({ protocol: 'udp', address: 'fd00::1', port: 53, scheduler: 'rr' });
    const packet = udp({ source: 'fd00:1::12', destination: 'fd00::2', sport: 1, dport: 2, payload: counting(1460) });
    const [first, last] = fragmentsOf(packet, [1456]) as [Uint8Array, Uint8Array];
    director.send(first, 'srv', 0);
    expect(director.send(last, 'srv', 0).map(({ reason }) => reason)).toEqual(['too-big', 'fragmentation-needed']);
  });

  it.each([
    ['nat', undefined, 1456],
    ['dr', undefined, 1456],
    ['tun', { type: 'ipip' }, 1416],
  ] as const)(
    'of IPv6, one longer than the MTU is too big for a server by %s, even when the packet is not',
    (method, tunnel, cut) => {
      const director = make();
      const service = { protocol: 'udp', address: 'fd00::1', port: 2 } as const;
      director.addService({ ...service, scheduler: 'rr' });
      director.addDest(service, { address: 'fd00:1::12', method, ...(tunnel && { tunnel }) });
      const packet = udp({ source: 'fd00::2', destination: 'fd00::1', sport: 1, dport: 2, payload: counting(cut - 6) });
      const [first, last] = fragmentsOf(packet, [cut]) as [Uint8Array, Uint8Array];
      director.send(first, 'cli', 0);
      expect(director.send(last, 'cli', 0).map(({ reason }) => reason)).toEqual(['too-big', 'fragmentation-needed']);
    },
  );
});
