/**
 * The director whose differences from Linux 6.1 are shown: its network, and a service by NAT.
 *
 * @module
 */
import type { Director } from '../../../src/director.js';
import { createDirector, SMALL_PLAN } from '../../support/core.js';
import { tcp } from '../../support/packets.js';

export const CLIENT = '192.0.2.1';
export const VIP = '10.0.0.100';
export const RIP = '10.1.0.11';
export const WEB = { protocol: 'tcp', address: VIP, port: 80 } as const;
export const T0 = 1_000_000;

/** A segment of the client to the service. */
export const segment = (
  flags: number,
  more: { df?: boolean; payload?: Uint8Array; options?: Uint8Array; ttl?: number } = {},
) => tcp({ source: CLIENT, destination: VIP, sport: 40_000, dport: 80, flags, ...more });

/** That of the test that runs. */
export let director: Director;

export function begin(): void {
  director = createDirector('release', {
    plan: SMALL_PLAN,
    network: {
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['192.0.2.254/24', `${VIP}/32`] },
        { name: 'srv', kind: 'raw', mtu: 1400, addresses: ['10.1.0.1/24'] },
        { name: 'eth', mac: '02:00:00:00:00:09', addresses: ['10.2.0.1/24'] },
      ],
    },
  });
  director.addService({ ...WEB, scheduler: 'rr' });
  director.addDest(WEB, { address: RIP, port: 8080, method: 'nat' });
}

export function end(): void {
  director.close();
}

/** What becomes of a frame that comes in by that interface. */
export const fate = (frame: Uint8Array, by = 'cli', now = T0): string => {
  const [first] = director.send(frame, by, now);
  return `${first?.verdict} ${first?.reason}`;
};
