/** Tunnel packets like the one before are let in without another look at their addresses. These are the cases in which not. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { FrameNotes, NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { ipv4, udp } from '../support/packets.js';

type Any = Director | ReferenceDirector;

const ENDS = { source: '10.0.0.2', destination: '10.0.0.100' };
const INNER = udp({ ...ENDS, source: '10.0.0.9', sport: 1, dport: 2 });
const TUNNEL = ipv4({ ...ENDS, protocol: 4 }, INNER);
const TAKEN = 'local decapsulated from inside';

const networkWith = (...addresses: string[]): NetworkConfig => ({
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8'] },
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', ...addresses] },
    { name: 'tunl0', kind: 'ipip' },
  ],
});
const NETWORK = networkWith('10.0.0.100/32');

const DIRECTORS: readonly [name: string, make: (network?: NetworkConfig) => Any][] = [
  ['core', (network = NETWORK) => createDirector('release', { plan: SMALL_PLAN, network })],
  ['reference', (network = NETWORK) => new ReferenceDirector({ network })],
];

const fate = (director: Any, packet = TUNNEL, by = 'cli', notes?: FrameNotes): string => {
  const [first] = director.send(packet, by, 0, notes);
  return `${first?.verdict} ${first?.reason}${first !== undefined && first.frame.length < packet.length ? ' from inside' : ''}`;
};

describe.each(DIRECTORS)('%s', (_, make) => {
  it('its destination was taken away', () => {
    const director = make();
    expect([fate(director), fate(director)]).toEqual([TAKEN, TAKEN]);
    director.setNetwork(networkWith());
    expect(fate(director)).toBe('forward routed');
    director.setNetwork(NETWORK);
    expect(fate(director)).toBe(TAKEN);
  });

  it('its source has become an address of the director', () => {
    const director = make();
    expect(fate(director)).toBe(TAKEN);
    director.setNetwork(networkWith('10.0.0.100/32', '10.0.0.2/32'));
    expect(fate(director)).toBe('drop martian-source');
  });

  it('it came from the director itself', () => {
    const director = make(networkWith('10.0.0.100/32', '10.0.0.2/32'));
    expect(fate(director, TUNNEL, 'lo')).toBe(TAKEN);
    expect(fate(director)).toBe('drop martian-source');
  });

  it('it has a bad option', () => {
    const director = make();
    const odd = ipv4(
      { ...ENDS, protocol: 4, options: Uint8Array.of(7, 1, 0, 0) },
      udp({ ...ENDS, sport: 1, dport: 2 }),
    );
    expect([fate(director), fate(director, odd)]).toEqual([TAKEN, 'drop ipv4-option']);
  });

  it('it was taken in for its mark', () => {
    const director = make(networkWith());
    director.addService({ fwmark: 7 });
    // It is, and so is what was in it, which the service has no dest for.
    expect(fate(director, TUNNEL, 'cli', { mark: 7 })).toBe('drop no-dest from inside');
    expect(fate(director)).toBe('forward routed');
  });
});
