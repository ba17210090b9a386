import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { familyOf, formatIPv6Bytes } from '../../src/address.js';
import { applyRules, parseRule, parseRules } from '../../src/rules/ipvsadm.js';
import type { SavedDest, SavedService, SavedSettings } from '../../src/rules/listed.js';
import { compareDests, mergeSort } from '../../src/rules/order.js';
import { saveRules } from '../../src/rules/save.js';
import type { SchedulerFlag, ServiceKey } from '../../src/types.js';
import { fixture, kernelFile, keyOf, listingsOf, RuleTable, SCENARIOS } from './model.js';

const dest: SavedDest = {
  address: '10.1.0.11',
  port: 80,
  method: 'dr',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
};
const settings: SavedSettings = { scheduler: 'rr', flags: [], dests: [] };
const service = { protocol: 'tcp', address: '10.0.0.100', port: 80, ...settings } satisfies SavedService;

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

  it('writes IPv6, SCTP, marks and tunnels like ipvsadm', () => {
    const tun: SavedDest = { ...dest, method: 'tun' };
    const services: SavedService[] = [
      { ...settings, fwmark: 8, family: 6, dests: [{ ...dest, address: 'fd00::2', port: 0 }] },
      { ...settings, fwmark: 4294967295, dests: [{ ...dest, port: 0 }] },
      {
        ...service,
        protocol: 'sctp',
        address: 'fd00::100',
        dests: [
          { ...tun, tunnel: { type: 'gue', port: 6080 } },
          { ...tun, address: '10.1.0.12', tunnel: { type: 'gue', port: 6080, checksum: 'remcsum' } },
          { ...tun, address: '10.1.0.13', tunnel: { type: 'gre' } },
          { ...tun, address: '10.1.0.14', tunnel: { type: 'gre', checksum: 'csum' } },
          { ...tun, address: 'fd00:1::1', tunnel: { type: 'ipip', checksum: 'nocsum' } },
        ],
      },
    ];
    expect(saveRules(services)).toBe(
      // Which ipvsadm does not read itself.
      '-A -f -1 -s rr\n' +
        '-a -f -1 -r 10.1.0.11:0 -g -w 1\n' +
        '-A --sctp-service [fd00::100]:80 -s rr\n' +
        '-a --sctp-service [fd00::100]:80 -r [fd00:1::1]:80 -i -w 1 --tun-type ipip\n' +
        '-a --sctp-service [fd00::100]:80 -r 10.1.0.11:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum\n' +
        '-a --sctp-service [fd00::100]:80 -r 10.1.0.12:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum\n' +
        '-a --sctp-service [fd00::100]:80 -r 10.1.0.13:80 -i -w 1 --tun-type gre --tun-nocsum\n' +
        '-a --sctp-service [fd00::100]:80 -r 10.1.0.14:80 -i -w 1 --tun-type gre --tun-csum\n' +
        '-A -f 8 -6 -s rr\n' +
        '-a -f 8 -6 -r [fd00::2]:0 -g -w 1\n',
    );
  });

  it('lossless, marks are such that they can be read', () => {
    const marked: SavedService = { ...settings, fwmark: 4294967295, dests: [] };
    expect(saveRules([marked], { lossless: true })).toBe('-A -f 4294967295 -s rr\n');
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

  it.each(listingsOf('rules'))('gives %s back, in whatever order its lines were', (file) => {
    // Schedulers of later versions stand in two of them.
    const text = fixture(`listings/${file}`).replaceAll(/-s (dh|lblc)\n/g, '-s rr\n');
    const table = new RuleTable();
    applyRules(table, parseRules(text));
    expect(saveRules([...table.services()].reverse())).toBe(text);
  });
});

const ipv4 = fc.ipV4();
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => formatIPv6Bytes(bytes));
const port = fc.integer({ min: 1, max: 65535 });
const anyTunnel: fc.Arbitrary<NonNullable<SavedDest['tunnel']>> = fc.oneof(
  fc.constant({ type: 'ipip', checksum: 'nocsum' } as const),
  fc.record({ type: fc.constant('gre'), checksum: fc.constantFrom('nocsum', 'csum') }),
  fc.record({ type: fc.constant('gue'), port, checksum: fc.constantFrom('nocsum', 'csum', 'remcsum') }),
);
const anyDest = fc
  .record({
    ipv4,
    ipv6,
    other: fc.boolean(),
    port,
    method: fc.constantFrom('nat', 'dr', 'tun'),
    weight: fc.integer({ min: 0, max: 65535 }),
    thresholds: fc.tuple(fc.integer({ min: 0, max: 0x7fffffff }), fc.integer({ min: 0, max: 0x7fffffff })),
    tunnel: anyTunnel,
  })
  .map(({ thresholds: [a, b], ...rest }) => ({
    ...rest,
    upperThreshold: Math.max(a, b),
    lowerThreshold: Math.min(a, b),
  }));
const anyKey: fc.Arbitrary<ServiceKey> = fc.oneof(
  fc.record({ protocol: fc.constantFrom('tcp', 'udp', 'sctp'), address: fc.oneof(ipv4, ipv6), port }),
  fc.record({ fwmark: fc.integer({ min: 1, max: 0xffffffff }), family: fc.constantFrom(4, 6) }),
);
const destKey = ({ address, port: number }: { address: string; port: number }) => `${address} ${number}`;
const anyServices: fc.Arbitrary<SavedService[]> = fc.uniqueArray(
  fc
    .record({
      key: anyKey,
      scheduler: fc.constantFrom('rr', 'wrr', 'wlc', 'sh'),
      flags: fc.subarray<SchedulerFlag>(['sh-fallback', 'sh-port']),
      dests: fc.array(anyDest, { maxLength: 6 }),
    })
    .map(({ key, ...given }) => {
      const dests = new Map<string, SavedDest>();
      const byAddress = 'fwmark' in key ? undefined : key;
      const family = 'fwmark' in key ? key.family : familyOf(key.address);
      for (const { ipv4: four, ipv6: six, other, tunnel, ...rest } of given.dests) {
        const address = (family === 6) === (other && rest.method === 'tun') ? four : six;
        const forced = byAddress !== undefined && rest.method !== 'nat' ? byAddress.port : rest.port;
        const made = { ...rest, address, port: forced, ...(rest.method === 'tun' && { tunnel }) };
        dests.set(destKey(made), made);
      }
      return { ...key, ...given, flags: given.scheduler === 'sh' ? given.flags : [], dests: [...dests.values()] };
    }),
  { maxLength: 5, selector: keyOf },
);

/** Order is not what is compared. */
function normal(services: readonly SavedService[]): unknown {
  return [...services]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((each) => ({ ...each, dests: [...each.dests].sort((a, b) => (destKey(a) < destKey(b) ? -1 : 1)) }));
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
