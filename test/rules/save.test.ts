import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyRules, parseRule, parseRules } from '../../src/rules/ipvsadm.js';
import type { SavedDest, SavedService } from '../../src/rules/listed.js';
import { compareDests, mergeSort } from '../../src/rules/order.js';
import { saveRules } from '../../src/rules/save.js';
import type { SchedulerFlag } from '../../src/types.js';
import { fixture, kernelFile, RuleTable, SCENARIOS } from './model.js';

const dest: SavedDest = {
  address: '10.1.0.11',
  port: 80,
  method: 'dr',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
};
const service: SavedService = {
  protocol: 'tcp',
  address: '10.0.0.100',
  port: 80,
  scheduler: 'rr',
  flags: [],
  dests: [],
};

describe('saveRules', () => {
  it('writes nothing without services', () => {
    expect(saveRules([])).toBe('');
  });

  it('writes flags, methods and the tunnel type like ipvsadm', () => {
    const dests: SavedDest[] = [
      { ...dest, address: '10.1.0.13', method: 'tun', weight: 0 },
      { ...dest, address: '10.1.0.12', port: 8080, method: 'nat', weight: 65535 },
      dest,
    ];
    expect(saveRules([{ ...service, scheduler: 'sh', flags: ['sh-port', 'sh-fallback'], dests }])).toBe(
      '-A -t 10.0.0.100:80 -s sh -b sh-fallback,sh-port\n' +
        '-a -t 10.0.0.100:80 -r 10.1.0.11:80 -g -w 1\n' +
        '-a -t 10.0.0.100:80 -r 10.1.0.12:8080 -m -w 65535\n' +
        '-a -t 10.0.0.100:80 -r 10.1.0.13:80 -i -w 0 --tun-type ipip\n',
    );
  });

  it('loses thresholds like ipvsadm unless told not to', () => {
    const limited = [{ ...service, dests: [{ ...dest, upperThreshold: 9, lowerThreshold: 3 }] }];
    expect(saveRules(limited)).toBe('-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:80 -g -w 1\n');
    expect(saveRules(limited, { lossless: true })).toContain(' -g -w 1 -x 9 -y 3\n');
  });

  it('sorts services as ipvsadm lists them', () => {
    const udp: SavedService = { ...service, protocol: 'udp', port: 53 };
    expect(saveRules([udp, { ...service, port: 443 }, service, { ...service, address: '192.168.0.1' }])).toBe(
      '-A -t 192.168.0.1:80 -s rr\n-A -t 10.0.0.100:80 -s rr\n-A -t 10.0.0.100:443 -s rr\n-A -u 10.0.0.100:53 -s rr\n',
    );
  });

  it('refuses what rules cannot say', () => {
    expect(() => saveRules([{ ...service, dests: [{ ...dest, method: 'local' }] }])).toThrow(RangeError);
  });

  it.each(SCENARIOS)('of the commands of %s gives what ipvsadm -S -n gave', (scenario) => {
    const { events } = JSON.parse(kernelFile(scenario, 'scenario.json')) as { events: { kind: string; cmd: string }[] };
    const table = new RuleTable();
    for (const { kind, cmd } of events) {
      if (kind === 'cmd' && cmd.startsWith('ipvsadm ')) applyRules(table, [parseRule(cmd)!]);
    }
    expect(saveRules(table.services())).toBe(kernelFile(scenario, 'rules.txt'));
  });

  it('gives rules files back, in whatever order their lines were', () => {
    const text = fixture('listings/load-wlc-rules.txt');
    const table = new RuleTable();
    applyRules(table, parseRules(text));
    expect(saveRules([...table.services()].reverse())).toBe(text);
  });
});

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const address = u32.map((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.'));
const port = fc.integer({ min: 1, max: 65535 });
const flagsOf = fc.subarray<SchedulerFlag>(['sh-fallback', 'sh-port']);
const anyDest: fc.Arbitrary<SavedDest> = fc
  .record({
    address,
    port,
    method: fc.constantFrom('nat', 'dr', 'tun'),
    weight: fc.integer({ min: 0, max: 65535 }),
    thresholds: fc.tuple(fc.integer({ min: 0, max: 0x7fffffff }), fc.integer({ min: 0, max: 0x7fffffff })),
  })
  .map(({ thresholds: [a, b], ...rest }) => ({
    ...rest,
    upperThreshold: Math.max(a, b),
    lowerThreshold: Math.min(a, b),
  }));
const keyOf = ({ address: text, port: number }: { address: string; port: number }) => `${text}:${number}`;
const anyServices: fc.Arbitrary<SavedService[]> = fc.uniqueArray(
  fc
    .record({
      protocol: fc.constantFrom('tcp', 'udp'),
      address,
      port,
      scheduler: fc.constantFrom('rr', 'wrr', 'wlc', 'sh'),
      flags: flagsOf,
      dests: fc.array(anyDest, { maxLength: 6 }),
    })
    .map((given) => {
      const dests = new Map<string, SavedDest>();
      for (const each of given.dests) {
        const fixed = each.method === 'nat' ? each : { ...each, port: given.port };
        dests.set(keyOf(fixed), fixed);
      }
      return { ...given, flags: given.scheduler === 'sh' ? given.flags : [], dests: [...dests.values()] };
    }),
  { maxLength: 5, selector: (each) => each.protocol + keyOf(each) },
);

/** Order is not what is compared. */
function normal(services: readonly SavedService[]): unknown {
  const byKey = (a: { address: string; port: number }, b: { address: string; port: number }) =>
    keyOf(a) < keyOf(b) ? -1 : 1;
  return [...services]
    .sort((a, b) => (a.protocol + keyOf(a) < b.protocol + keyOf(b) ? -1 : 1))
    .map((each) => ({ ...each, dests: [...each.dests].sort(byKey) }));
}

describe('saving and reading', () => {
  it('are each the inverse of the other', () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        const text = saveRules(services, { lossless: true });
        const table = new RuleTable();
        applyRules(table, parseRules(text));
        expect(normal(table.services())).toEqual(normal(services));
        // Not the same text: where signed subtraction runs in circles, the order depends on the one before.
        expect(saveRules(table.services(), { lossless: true }).split('\n').sort()).toEqual(text.split('\n').sort());
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the order of listings', () => {
  const at = (text: string) => ({ address: text, port: 80 });

  it('subtracts as signed 32-bit numbers', () => {
    expect(compareDests(at('192.168.0.11'), at('10.0.0.12'))).toBeLessThan(0);
    expect(compareDests(at('10.0.0.12'), at('192.168.0.11'))).toBeGreaterThan(0);
    expect(compareDests(at('10.0.0.2'), at('10.0.0.12'))).toBeLessThan(0);
    expect(compareDests(at('10.0.0.2'), { address: '10.0.0.2', port: 443 })).toBeLessThan(0);
    expect(compareDests(at('10.0.0.2'), at('10.0.0.2'))).toBe(0);
  });

  it('is stable and complete where the comparison is an order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat())), (items) => {
        const compare = (a: [number, number], b: [number, number]) => a[0] - b[0];
        expect(mergeSort(items, compare)).toEqual([...items].sort(compare));
      }),
      { numRuns: 1000 },
    );
  });

  // 10 < 100 < 200 < 10 by signed subtraction: halves 1 + 2, merged from the left.
  it.each([
    [
      ['10.0.0.0', '100.0.0.0', '200.0.0.0'],
      ['10.0.0.0', '100.0.0.0', '200.0.0.0'],
    ],
    [
      ['200.0.0.0', '100.0.0.0', '10.0.0.0'],
      ['200.0.0.0', '10.0.0.0', '100.0.0.0'],
    ],
    [
      ['100.0.0.0', '10.0.0.0', '200.0.0.0'],
      ['100.0.0.0', '200.0.0.0', '10.0.0.0'],
    ],
  ])('runs in circles like a merge sort: %j', (given, sorted) => {
    expect(mergeSort(given.map(at), compareDests).map((each) => each.address)).toEqual(sorted);
  });
});
