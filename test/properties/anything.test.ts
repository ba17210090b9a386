/**
 * Whatever bytes come in, and whatever a descriptor says: a verdict, a known reason, no trap, and not a byte
 * written outside of the frame's slot.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BURST_MAX, HEADROOM } from '../../src/abi/memory.js';
import type { Director } from '../../src/director.js';
import { REASONS, type ReasonName, reasonName, verdictName } from '../../src/reasons.js';
import type { DestConfig, InterfaceConfig, ServiceConfig } from '../../src/types.js';
import { BINARIES, type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { frames, scenarioNames } from '../support/fixtures.js';
import { fixIpv4 } from '../support/packets.js';
import { properties } from '../support/property.js';
import { KEYS, MAC, networkOf, sysctls } from './world.js';

const property = properties(import.meta.url);

const NETWORK = networkOf({
  cliRaw: false,
  srv: 'vlan',
  cliMtu: 1500,
  srvMtu: 1500,
  tunnel: 'up',
  defaultRoute: true,
  srvUp: true,
});

const ADDRESSES6: Record<string, string[]> = { cli: ['fd00::1/64', `fd00::100/128`], srv: ['fd00:1::1/64'] };
const NEIGHBOURS6 = [
  { dst: 'fd00::2', dev: 'cli', lladdr: MAC.client },
  { dst: 'fd00:1::11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
  { dst: 'fd00:1::12', dev: 'srv', lladdr: '02:00:00:00:01:12' },
];

const TUNNELS = ['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'] as const;

/** Both families; a raw interface, on which an IP header stands right behind the headroom; an end of every tunnel. */
const INTERFACES: InterfaceConfig[] = [
  ...NETWORK.interfaces
    .filter(({ kind }) => kind !== 'ipip')
    .map((each) => ({ ...each, addresses: [...(each.addresses ?? []), ...(ADDRESSES6[each.name] ?? [])] })),
  { name: 'raw', kind: 'raw', mtu: 1400 },
  ...TUNNELS.map((kind) => ({ name: kind, kind, mtu: 1480 })),
];
const index = (name: string): number => INTERFACES.findIndex((each) => each.name === name);

const VIP6 = 'fd00::100';
const SERVICES: ServiceConfig[] = [
  ...KEYS.map((key) => ({ ...key, scheduler: 'rr' as const })),
  ...(['tcp', 'udp'] as const).map((protocol) => ({ protocol, address: VIP6, port: protocol === 'tcp' ? 80 : 53 })),
  { protocol: 'sctp', address: '10.0.0.100', port: 5000 },
];

/** Methods, and what TUN wraps packets in. */
const METHODS: Pick<DestConfig, 'method' | 'tunnel'>[] = [
  { method: 'nat' },
  { method: 'dr' },
  { method: 'tun' },
  { method: 'tun', tunnel: { type: 'gre', checksum: 'csum' } },
  { method: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'nocsum' } },
  { method: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'remcsum' } },
];

const memories = new Map<Binary, WebAssembly.Memory>();

function ready(binary: Binary, how: (typeof METHODS)[number] = { method: 'nat' }, sysctl = {}): Director {
  const memory = memories.get(binary) ?? memoryFor(binary);
  memories.set(binary, memory);
  const network = {
    ...NETWORK,
    interfaces: INTERFACES,
    neighbours: [...(NETWORK.neighbours ?? []), ...NEIGHBOURS6],
    fou: [
      { family: 4 as const, port: 6080 },
      { family: 6 as const, port: 6080 },
    ],
  };
  const plan = { ...SMALL_PLAN, connections: 8, connections6: 8, datagrams: 4, fragmentBytes: 1 << 13 };
  const director = createDirector(binary, { memory, plan, network, sysctl });
  for (const service of SERVICES) {
    director.addService(service);
    const port = how.method === 'nat' ? 8080 : (service as { port: number }).port;
    const net = (service as { address: string }).address === VIP6 ? 'fd00:1::' : '10.1.0.';
    for (const n of [99, 12, 11]) director.addDest(service, { ...how, address: `${net}${n}`, port });
  }
  return director;
}

const GUARD = 0xa5;
const FENCE = 64;

/** Frames that the directors of the scenarios received. */
const REAL = scenarioNames().flatMap((name) =>
  ['cli', 'srv'].flatMap((side) =>
    frames(name, `${side}-in`)
      .slice(0, 40)
      .map((frame) => ({ frame, inInterface: index(side) })),
  ),
);

interface Arrival {
  bytes: Uint8Array;
  inInterface: number;
}

interface Damage {
  at: number;
  value: number;
}

/** A real frame with bytes changed, cut or repeated; its IP checksum may be put right again, to get further in. */
const damaged: fc.Arbitrary<Arrival> = fc
  .record({
    real: fc.constantFrom(...REAL),
    elsewhere: fc.oneof({ weight: 6, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(INTERFACES.length) }),
    damages: fc.array(fc.record<Damage>({ at: fc.nat(80), value: fc.nat(255) }), { maxLength: 3 }),
    length: fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(120) }),
    fix: fc.boolean(),
  })
  .map(({ real: { frame, inInterface }, elsewhere, damages, length, fix }) => {
    const copy = length < 0 ? frame.slice() : frame.slice(0, length);
    for (const { at, value } of damages) if (at < copy.length) copy[at] = value;
    if (fix && copy.length >= 74) fixIpv4(copy.subarray(14));
    // Some come in by another interface than they did.
    return { bytes: copy, inInterface: elsewhere < 0 ? inInterface : elsewhere };
  });

const noise = (maxLength: number): fc.Arbitrary<Arrival> =>
  fc.record({ bytes: fc.uint8Array({ maxLength, size: 'max' }), inInterface: fc.nat(INTERFACES.length) });

const anything = fc.oneof(
  { weight: 1, arbitrary: noise(2048) },
  { weight: 1, arbitrary: noise(64) },
  { weight: 4, arbitrary: damaged },
);

const arrivals = fc.array(
  fc.record({
    arrival: anything,
    headroom: fc.constantFrom(HEADROOM, HEADROOM, 0, 4, 19, 20, 33, 34, 38),
    // Frames of odd addresses, too.
    shift: fc.nat(7),
  }),
  { minLength: 1, maxLength: 6 },
);

const methods = fc.constantFrom({ method: 'nat' as const }, ...METHODS);

/** Bytes that a frame takes with headroom, shift and fences. */
const room = ({ arrival }: { arrival: Arrival }): number => arrival.bytes.length + HEADROOM + 8 + 2 * FENCE;

/** Every frame of the burst is judged, by a reason that belongs to the verdict. Returns the reasons. */
function expectJudged({ burst }: Director): ReasonName[] {
  const reasons: ReasonName[] = [];
  for (let i = 0; i < burst.length; i++) {
    const verdict = verdictName(burst.verdict(i));
    const reason = reasonName(burst.reason(i));
    const known = REASONS.find(({ name }) => name === reason);
    if (known === undefined || known.verdict !== verdict) {
      throw new Error(`frame ${i}: verdict ${burst.verdict(i)}, reason ${burst.reason(i)}`);
    }
    reasons.push(known.name);
  }
  return reasons;
}

describe.each(BINARIES)('%s', (binary) => {
  const tally = new Map<ReasonName, number>();
  let lives = 0;

  property(
    `any bytes get a verdict from the ${binary} core, and guards stay whole`,
    fc.property(arrivals, methods, sysctls, (given, method, sysctl) => {
      const director = ready(binary, method, { ...sysctl, sloppy_tcp: 1 });
      const { burst } = director;
      const size = given.reduce((sum, each) => sum + room(each), 0);
      const base = burst.hold(size);
      const held = burst.bytes.subarray(base, base + size).fill(GUARD);
      const slots = given.map(({ arrival: { bytes, inInterface }, headroom, shift }, at) => {
        const before = given.slice(0, at).reduce((sum, each) => sum + room(each), 0);
        const start = before + FENCE + HEADROOM + shift;
        held.set(bytes, start);
        burst.place(base + start, bytes.length, headroom, inInterface, at);
        return { from: start - headroom, to: start + bytes.length };
      });
      director.process(1_700_000_000_000);
      for (const reason of expectJudged(director)) tally.set(reason, (tally.get(reason) ?? 0) + 1);
      slots.forEach(({ from, to }, at) => {
        const start = burst.address(at) - base;
        if (start < from || start + burst.frameLength(at) > to) throw new Error(`frame ${at} left its slot`);
        if (burst.cookie(at) !== at) throw new Error(`cookie ${at} changed`);
      });
      const free = held.slice();
      for (const { from, to } of slots) free.fill(GUARD, from, to);
      expect(free.every((byte) => byte === GUARD)).toBe(true);
      lives++;
    }),
  );

  it(`has seen much of the ${binary} core on the way`, () => {
    console.log(`${binary}: ${[...tally].map(([name, count]) => `${count} × ${name}`).join(', ')}`);
    if (lives < 1000) return;
    const common: ReasonName[] = [
      ...(['nat-in', 'direct-route', 'tunnel-ipip', 'tunnel-gre', 'tunnel-gue', 'routed'] as const),
      ...(['no-headroom', 'ipv4-checksum', 'ipv6-payload-length', 'fragment-held'] as const),
    ];
    expect(common.filter((name) => !tally.has(name))).toEqual([]);
  });

  const number = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 1, 1024, 65_535, 65_536, 0x7fff_ffff, 0xffff_ffff));

  property(
    `any descriptor gets a verdict from the ${binary} core`,
    fc.property(
      fc.array(
        fc.record({
          address: fc.oneof(number, fc.integer({ min: -200, max: 1 << 17 })),
          relative: fc.boolean(),
          length: fc.oneof(number, fc.nat(2000)),
          headroom: fc.constantFrom(0, 128, 0xffff),
          inInterface: fc.oneof(fc.nat(INTERFACES.length), fc.nat(0xffff)),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      (given) => {
        const director = ready(binary);
        const { burst, plan } = director;
        const { base, count } = plan.arena;
        const end = base + count;
        burst.bytes.fill(GUARD, base, end);
        const before = burst.bytes.slice(0, 1024);
        const addresses = given.map(({ address, relative, length, headroom, inInterface }) => {
          const at = (relative ? base + address : address) >>> 0;
          burst.place(at, length, headroom, inInterface);
          return at;
        });
        director.process(1);
        expectJudged(director);
        given.forEach(({ length, headroom, inInterface }, index) => {
          const at = addresses[index] as number;
          const inside = at - headroom >= base && at + length <= end;
          const reason = reasonName(burst.reason(index));
          if (!inside) expect(reason).toBe('bad-descriptor');
          else if (inInterface >= INTERFACES.length) expect(reason).toBe('unknown-interface');
          else expect(['bad-descriptor', 'unknown-interface']).not.toContain(reason);
        });
        expect(Buffer.from(burst.bytes.slice(0, 1024)).equals(before)).toBe(true);
        // Nothing of a frame of 0xa5 is worth a change.
        expect(Buffer.from(burst.bytes.buffer, base, count).equals(Buffer.alloc(count, GUARD))).toBe(true);
      },
    ),
  );

  it('judges a burst of 256 frames of nothing', () => {
    const director = ready(binary);
    for (let i = 0; i < BURST_MAX; i++) director.burst.place(director.plan.arena.base + 128, 0, 128, i % 6);
    expect(director.process(1)).toBe(BURST_MAX);
    expectJudged(director);
  });
});
