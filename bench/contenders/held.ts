/**
 * Holds contenders to their work: a figure counts only when every packet of its measurement got what its scenario
 * wants. A packet that is dropped, or passed on untouched, costs less.
 *
 * @module
 */
import type { ReasonName } from 'ipvs-wasm';
import type { Contender, Sample } from '../harness.js';
import { FORWARD, LOCAL } from '../rivals/world.js';
import type { AnyMode, Mode, Scenario } from '../scenario.js';

/** Reason that every packet of a mode must get. */
export const WANTED_REASON: Record<AnyMode, ReasonName> = {
  'nat-in': 'nat-in',
  'nat-out': 'nat-out',
  dr: 'direct-route',
  'ipip-encap': 'tunnel-ipip',
  'ipip-decap': 'decapsulated',
  'nat6-in': 'nat-in',
  'nat6-out': 'nat-out',
  'fullnat-in': 'fullnat-in',
  'fullnat-out': 'fullnat-out',
  'fullnat-toa': 'fullnat-in',
  'nat64-in': 'nat64-in',
  'nat64-out': 'nat64-out',
  'snat-in': 'snat-in',
  'snat-out': 'snat-out',
  'gre-encap': 'tunnel-gre',
  'gre-csum-encap': 'tunnel-gre',
  'gue-encap': 'tunnel-gue',
  'gue-csum-encap': 'tunnel-gue',
  'icmp-in': 'icmp-in',
  'icmp-out': 'icmp-out',
};

/** The same, numbered as in the library's ABI. */
const WANTED_NUMBER: Record<Mode, string> = {
  'nat-in': '1',
  'nat-out': '2',
  dr: '3',
  'ipip-encap': '4',
  'ipip-decap': '22',
};

/** Verdict that every packet of a scenario must get. */
export function wantedVerdict({ mode }: Scenario): number {
  return mode === 'ipip-decap' ? LOCAL : FORWARD;
}

/** Packets given to a contender so far, and those of them that got what they should. */
export interface Tally {
  given: number;
  right: number;
}

function assertAll(name: string, { mode }: Scenario<AnyMode>, given: number, right: number, what = ''): void {
  if (given > 0 && right === given) return;
  const done = mode === 'ipip-decap' ? 'decapsulated' : 'forwarded';
  throw new Error(`${name}, ${mode}: expected all ${given} packets to be ${done}, got ${right}${what}`);
}

/** The contender, whose every measurement is refused unless all packets given in it were right. */
export function held(contender: Contender, scenario: Scenario<AnyMode>, tally: () => Tally): Contender {
  return {
    name: contender.name,
    measure(seconds): Sample {
      const before = tally();
      const sample = contender.measure(seconds);
      const after = tally();
      assertAll(contender.name, scenario, after.given - before.given, after.right - before.right);
      return sample;
    },
  };
}

/** The same for counts by reason, as the native rival reports them. */
export function assertReasons(
  name: string,
  scenario: Scenario,
  packets: number,
  reasons: Record<string, number>,
): void {
  const right = reasons[WANTED_NUMBER[scenario.mode]] ?? 0;
  assertAll(name, scenario, packets, right, `; reasons: ${JSON.stringify(reasons)}`);
}
