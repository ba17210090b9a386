/**
 * A director with a service by NAT, and the clients that open its connections.
 *
 * @module
 */
import * as abi from '../../src/abi/memory.js';
import type { Director } from '../../src/director.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from './core.js';
import { NOW } from './fullnat.js';
import { dotted, ip, SYN, tcp } from './packets.js';

export const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32', '10.0.0.101/32'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] },
  ],
  routes: [{ dst: 'default', dev: 'cli' }],
};
export const WEB = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
export const OTHER = { protocol: 'tcp', address: '10.0.0.101', port: 80 } as const;
export const DEST = { address: '10.1.0.11', port: 80, method: 'nat' } as const;

/** With a service at WEB, DEST its only server. */
export function director(plan = {}): Director {
  const made = createDirector('release', { network: NETWORK, plan: { ...SMALL_PLAN, connections: 300, ...plan } });
  made.addService({ ...WEB, scheduler: 'rr' });
  made.addDest(WEB, DEST);
  return made;
}

/** A segment of client `n`; sent at `now`. */
export function open(
  to: Director,
  n: number,
  { flags = SYN, now = NOW, service = WEB as { address: string; port: number } } = {},
) {
  const ends = { source: dotted(ip('192.0.2.0') + n), destination: service.address, sport: 1000, dport: service.port };
  return to.send(tcp({ ...ends, flags }), 'cli', now)[0];
}

/** Entries in the index. */
export function entriesOf({ burst, plan }: Director): number {
  const words = new Uint32Array(burst.bytes.buffer, plan.index.base, (plan.index.count * abi.BUCKET_SIZE) / 4);
  return words.filter((word, i) => word !== 0 && (i * 4) % abi.BUCKET_SIZE >= abi.BUCKET_REFS).length;
}
