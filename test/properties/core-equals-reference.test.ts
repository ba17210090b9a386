/**
 * The core is the reference: the same verdicts, reasons, bytes, connections and counters, whatever happens.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { ReasonName } from '../../src/reasons.js';
import { BINARIES } from '../support/core.js';
import { properties } from '../support/property.js';
import { live } from './life.js';
import { expectSeen } from './seen.js';
import { steps } from './steps.js';
import { type Tally, Twins } from './twins.js';
import { networkOf, worlds } from './world.js';

const property = properties(import.meta.url);

describe.each(BINARIES)('%s', (binary) => {
  const tally: Tally = new Map();
  let lives = 0;

  property(
    `the ${binary} core does what the reference does`,
    fc.property(worlds, steps, (world, life) => {
      const twins = new Twins({ ...world, network: networkOf(world.network) }, binary, tally);
      for (const step of life) live(twins, step);
      twins.compareState();
      lives++;
    }),
  );

  /** Nothing that any 1000 lives would not show. */
  const COMMON: readonly ReasonName[] = [
    'nat-in',
    'nat-out',
    'direct-route',
    'tunnel-ipip',
    'routed',
    'time-exceeded',
    'port-unreachable',
    'fragmentation-needed',
    'local-delivery',
    'not-opening',
    'local-dest',
    'ftp-data',
    'decapsulated',
    'arp',
    'fragment-held',
    'fragment',
    'other-host',
    'ipv4-checksum',
    'ipv4-total-length',
    'ipv4-option',
    'source-route',
    'martian-source',
    'martian-destination',
    'transport-truncated',
    'tunnel-ecn',
    'ttl-exceeded',
    'too-big',
    'no-dest',
    'no-route',
    'no-neighbour',
  ];

  it(`has seen every common reason in the ${binary} core`, () => {
    expectSeen(binary, tally, lives, COMMON);
  });
});
