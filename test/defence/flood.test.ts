/** A SYN flood against a small table: nobody who is established and keeps talking is lost, whatever the policy. */
import { describe, expect, it } from 'vitest';
import { besiege, type Siege, SWITCHES, strategies } from '../flood/siege.js';
import { moduleOf } from '../support/core.js';

const SEED = 20_261_128;

const small: Omit<Siege, 'evict' | 'sysctl'> = {
  connections: 2000,
  residents: 50,
  syns: 40_000,
  rate: 4,
  newcomerEvery: 500,
  seed: SEED,
  wasm: moduleOf('release'),
};

const nameOf = (sysctl: Record<(typeof SWITCHES)[number], number>): string =>
  SWITCHES.filter((name) => sysctl[name] !== 0).join(', ') || 'no defence';

describe(`seed ${SEED}`, () => {
  it.each(strategies().map((each) => [each.evict, nameOf(each.sysctl), each] as const))(
    'evict %s, automatic %s',
    (evict, _, { sysctl }) => {
      const toll = besiege({ ...small, evict, sysctl });
      expect(toll.lost).toBe(0);
      expect(toll.most).toBeLessThanOrEqual(small.connections);
      const { counters } = toll;
      expect(counters['evicted-established']).toBe(0n);
      expect(counters['table-full'] > 0n).toBe(evict === 'none');
      if (evict !== 'none') expect(counters['evicted-half-open'] > 0n || sysctl.drop_packet === 1).toBe(true);
      // With room made, everybody gets in at the first SYN, unless packets are dropped at random.
      if (evict !== 'none' && sysctl.drop_packet === 0 && sysctl.drop_entry === 0)
        expect(toll.atOnce).toBe(toll.newcomers);
      if (evict !== 'none' && sysctl.drop_packet === 0) expect(toll.gotIn).toBe(toll.newcomers);
    },
    30_000,
  );
});

it('the same flood takes the same toll', () => {
  const siege: Siege = { ...small, syns: 10_000, evict: 'half-open', sysctl: { drop_entry: 1, drop_packet: 1 } };
  expect(besiege(siege)).toEqual(besiege(siege));
});
