/**
 * The core is the reference in both families, side by side and mixed: with every method and tunnel, with errors and
 * fragments, marks and unfinished checksums.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { ReasonName } from '../../../src/reasons.js';
import { BINARIES } from '../../support/core.js';
import { properties } from '../../support/property.js';
import { expectSeen } from '../seen.js';
import type { Tally } from '../twins.js';
import { live } from './life.js';
import { lives } from './steps.js';

const property = properties(import.meta.url);

/** Nothing that any 1000 lives would not show. */
const COMMON: readonly ReasonName[] = [
  ...(['nat-in', 'nat-out', 'direct-route', 'tunnel-ipip', 'tunnel-gre', 'tunnel-gue', 'icmp-in', 'icmp-out'] as const),
  ...(['routed', 'time-exceeded', 'port-unreachable', 'fragmentation-needed', 'host-unreachable'] as const),
  ...(['net-unreachable', 'parameter-problem', 'fragment', 'local-delivery', 'not-opening', 'local-dest'] as const),
  ...(['ftp-data', 'decapsulated', 'not-forwarding', 'fragment-held', 'ipv6-truncated', 'ipv6-version'] as const),
  ...(['ipv6-payload-length', 'ipv6-extension', 'martian-source', 'martian-destination', 'fragment-overlap'] as const),
  ...(['transport-truncated', 'tunnel-malformed', 'tunnel-checksum', 'tunnel-ecn'] as const),
  ...(['fragment-duplicate', 'ttl-exceeded', 'too-big', 'no-dest', 'no-route'] as const),
  ...(['fullnat-in', 'fullnat-out', 'nat64-in', 'nat64-out', 'snat-in', 'snat-out'] as const),
  ...(['no-local-port', 'client-port-zero'] as const),
  ...(['syn-cookie', 'bad-cookie', 'syn-proxied', 'syn-proxy-wait', 'syn-proxy-reset', 'syn-proxy-ack'] as const),
  ...(['no-neighbour', 'tunnel-mtu', 'local-boundary', 'interface-down', 'drop-packet', 'tcp-checksum'] as const),
];

describe.each(BINARIES)('%s', (binary) => {
  const tally: Tally = new Map();
  let count = 0;

  property(
    `the ${binary} core does what the reference does, in both families`,
    fc.property(lives, (life) => {
      live(life, binary, tally);
      count++;
    }),
  );

  it(`has seen every common reason in the ${binary} core`, () => {
    expectSeen(binary, tally, count, COMMON);
  });
});
