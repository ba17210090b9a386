/**
 * The rivals of the benchmarks do the same work: their bytes, verdicts and counters are the reference's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACK_FLAG, ETHERNET, FIN_FLAG, IPV4, RST_FLAG, SYN_FLAG } from '../../bench/frames.js';
import { MapRival, checksum as mapChecksum } from '../../bench/rivals/map.js';
import { buildNative, checkNative } from '../../bench/rivals/native.js';
import { TypedArrayRival } from '../../bench/rivals/typed-array.js';
import { checksum as wordsChecksum } from '../../bench/rivals/words.js';
import { DROP, FORWARD, type Judged, LOCAL, PASS, type World, writeWorld } from '../../bench/rivals/world.js';
import {
  type Arrival,
  frameOf,
  interfaceName,
  layOut,
  type Mode,
  makeWorld,
  methodOf,
  NETWORK,
  openingFrame,
  SERVICE_PORT,
  serverOf,
  servers,
  VIP,
} from '../../bench/scenario.js';
import { internetChecksum, ReferenceDirector, TCP_STATES } from '../../src/reference/index.js';

const FLOWS = 40;
const FRAMES = 400;
const LONGEST = 700;
const HISTORIES = 1500;
const SEGMENTS = 6;
const SEED = 20240611;

const MODES = ['nat', 'dr', 'ipip-encap', 'ipip-decap'] as const;
const VERDICTS = ['none', 'forward', 'local', 'pass', 'drop'];

type TestMode = (typeof MODES)[number];

/** Both directions of NAT share a world. */
function worldMode(mode: TestMode): Mode {
  return mode === 'nat' ? 'nat-in' : mode;
}

interface Totals {
  inPackets: number;
  outPackets: number;
  inBytes: number;
  outBytes: number;
  active: number;
  inactive: number;
  /** Connections in each state. */
  states: number[];
}

/** What a contender made of all frames, as text, and its counters. */
interface Result {
  judged: string[];
  totals: Totals;
}

function text({ verdict, out, frame }: Judged): string {
  // the rivals do not answer with ICMP: of a dropped frame only the verdict is theirs
  if (verdict === DROP) return 'drop';
  const where = verdict === FORWARD ? ` ${interfaceName(out)}` : '';
  return `${VERDICTS[verdict]}${where} ${Buffer.from(frame).toString('hex')}`;
}

/** Internet checksum field that NAT to (`out`: from) the flow's server turns into 0. */
function vanishing(flow: number, out: boolean): number {
  const halves = ({ address, port }: { address: string; port: number }): number => {
    const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
    return a * 256 + b + c * 256 + d + port;
  };
  const ends = [halves({ address: VIP, port: SERVICE_PORT }), halves(servers('nat-in')[serverOf(flow)]!)];
  const [from, to] = out ? ends.reverse() : ends;
  return (((to! - from!) % 0xffff) + 0xffff) % 0xffff;
}

const changesOfFrames = fc.record({
  flow: fc.nat(FLOWS - 1),
  out: fc.boolean(),
  flags: fc.constantFrom(ACK_FLAG, ACK_FLAG | 8, ACK_FLAG | FIN_FLAG, ACK_FLAG | RST_FLAG, SYN_FLAG, 0),
  tos: fc.nat(255),
  outerTos: fc.nat(255),
  ttl: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 2, max: 255 }) }, { weight: 1, arbitrary: fc.nat(1) }),
  id: fc.nat(0xffff),
  dontFragment: fc.boolean(),
  payload: fc.oneof(fc.nat(12), fc.nat(600)),
  /** UDP: no checksum. */
  checksumless: fc.boolean(),
  damage: fc.oneof(fc.constant('none'), fc.constant('vanishing'), fc.nat(0xffff)),
  padding: fc.nat(6),
});

/** Frames of known flows with everything changed that the rivals claim to handle. */
function arrivals(mode: TestMode, protocol: 'tcp' | 'udp', damaged: boolean): Arrival[] {
  return fc
    .sample(changesOfFrames, { seed: SEED, numRuns: FRAMES })
    .map(({ flow, out, damage, padding, ...changes }) => {
      const udp = protocol === 'udp';
      const outward = mode === 'nat' && out;
      // the reference takes identifications for its ICMP errors, too: no TTL that causes one beside a tunnel's
      const ttl = mode === 'ipip-encap' ? Math.max(changes.ttl, 2) : changes.ttl;
      const checksumless = damaged && udp && changes.checksumless;
      const usual = { ...changes, ttl, protocol, checksumless };
      const { frame, interface: inside } = frameOf(outward ? 'nat-out' : worldMode(mode), flow, usual);
      if (damaged && damage !== 'none' && !checksumless) {
        const field = ETHERNET + IPV4 + (mode === 'ipip-decap' ? IPV4 : 0) + (udp ? 6 : 16);
        const value = typeof damage === 'number' ? damage : vanishing(flow, outward);
        new DataView(frame.buffer).setUint16(field, value);
      }
      const padded = new Uint8Array(frame.length + padding);
      padded.set(frame);
      return { frame: padded, interface: inside };
    });
}

const STATES = [...TCP_STATES, 'UDP'];

function histogram(states: Iterable<number>): number[] {
  const counts = STATES.map(() => 0);
  for (const state of states) counts[state]!++;
  return counts;
}

function referenceResult(mode: Mode, protocol: 'tcp' | 'udp', frames: Arrival[], flows = FLOWS): Result {
  const director = new ReferenceDirector({ network: NETWORK, ipId: 0, sysctl: { conn_reuse_mode: 0 } });
  const service = { protocol, address: VIP, port: SERVICE_PORT };
  director.addService({ ...service, scheduler: 'rr' });
  for (const server of servers(mode)) director.addDest(service, { ...server, method: methodOf(mode) });
  for (const flags of protocol === 'tcp' ? [SYN_FLAG, ACK_FLAG] : [0]) {
    for (let n = 0; n < flows; n++) director.send(openingFrame(n, flags, protocol), 'cli', 0);
  }
  const before = director.services()[0]!.stats;
  /** The rivals do not answer: what the director's own errors about DR and TUN count as. */
  const own = { packets: 0, bytes: 0 };
  const judged = frames.map(({ frame, interface: inside }, i) => {
    const [outcome, ...made] = director.send(frame, interfaceName(inside), i);
    for (const answer of methodOf(mode) === 'nat' ? [] : made) {
      own.packets++;
      own.bytes += answer.frame.length - ETHERNET;
    }
    const out = NETWORK.interfaces.findIndex(({ name }) => name === outcome!.outInterface);
    return text({ verdict: VERDICTS.indexOf(outcome!.verdict), out, frame: outcome!.frame });
  });
  const { stats, dests } = director.services()[0]!;
  return {
    judged,
    totals: {
      inPackets: Number(stats.inPackets - before.inPackets),
      outPackets: Number(stats.outPackets - before.outPackets) - own.packets,
      inBytes: Number(stats.inBytes - before.inBytes),
      outBytes: Number(stats.outBytes - before.outBytes) - own.bytes,
      active: dests.reduce((sum, dest) => sum + dest.activeConnections, 0),
      inactive: dests.reduce((sum, dest) => sum + dest.inactiveConnections, 0),
      states: histogram(director.connections(frames.length).map(({ state }) => STATES.indexOf(state))),
    },
  };
}

function typedArrayResult(
  world: World,
  frames: Arrival[],
  staged: boolean,
  rival = new TypedArrayRival(world, staged),
): Result {
  const bytes = new Uint8Array(rival.words.buffer);
  const judged: string[] = [];
  // seven at a time: bursts that are not full must work, too
  for (let first = 0; first < frames.length; first += 7) {
    const burst = frames.slice(first, first + 7);
    for (const [i, { frame, interface: inside }] of burst.entries()) {
      bytes.set(frame, rival.slot(i));
      rival.inLength[i] = frame.length;
      rival.inInterface[i] = inside;
    }
    rival.process(burst.length, first);
    judged.push(...burst.map((_, i) => text(rival.judged(i))));
  }
  const [inPackets, inBytes, outPackets, outBytes] = rival.stats as unknown as [number, number, number, number];
  const total = (counts: Int32Array): number => counts.reduce((sum, count) => sum + count, 0);
  const { table } = rival;
  const counts = { active: total(table.active), inactive: total(table.inactive), states: histogram(table.states()) };
  return { judged, totals: { inPackets, outPackets, inBytes, outBytes, ...counts } };
}

function mapResult(world: World, frames: Arrival[]): Result {
  const rival = new MapRival(world);
  const judged = frames.map(({ frame, interface: inside }, i) => text(rival.process(frame.slice(), inside, i)));
  const active = rival.dests.reduce((sum, dest) => sum + dest.active, 0);
  const inactive = rival.dests.reduce((sum, dest) => sum + dest.inactive, 0);
  const states = histogram(Array.from(new Set(rival.connections.values()), ({ state }) => state));
  return { judged, totals: { ...rival.service, active, inactive, states } };
}

function nativeResult(binary: string, world: World): Result {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-rivals-'));
  try {
    const path = join(folder, 'world');
    writeWorld(world, path);
    const { judged, totals } = checkNative(binary, path);
    return { judged: judged.map(text), totals };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const native = buildNative(join(import.meta.dirname, '../../bench'));

describe.each(MODES)('%s', (mode) => {
  describe.each(['tcp', 'udp'] as const)('%s', (protocol) => {
    // the Map rival sums checksums anew, and so repairs what the kernel leaves wrong
    for (const damaged of [true, false]) {
      const frames = arrivals(mode, protocol, damaged);
      const world = makeWorld(
        { mode: worldMode(mode), connections: FLOWS, protocol },
        layOut(frames, frames.length, LONGEST),
      );
      const what = damaged ? 'frames with wrong and missing checksums' : 'frames';
      const expected = referenceResult(worldMode(mode), protocol, frames);

      it(`the reference forwards or takes most of the ${what}`, () => {
        const wanted = mode === 'ipip-decap' ? LOCAL : FORWARD;
        const count = expected.judged.filter((one) => one.startsWith(VERDICTS[wanted]!)).length;
        expect(count).toBeGreaterThan(FRAMES / 2);
        expect(expected.judged.filter((one) => one.startsWith(VERDICTS[PASS]!))).toEqual([]);
      });

      it.each([
        ['typed arrays', false],
        ['typed arrays, staged', true],
      ])(`%s: ${what} as the reference`, (_, staged) => {
        expect(typedArrayResult(world, frames, staged)).toEqual(expected);
      });

      if (!damaged) {
        it(`Map: ${what} as the reference`, () => {
          expect(mapResult(world, frames)).toEqual(expected);
        });
      }

      if (native) {
        it(`native: ${what} as the reference`, () => {
          expect(nativeResult(native, world)).toEqual(expected);
        });
      }
    }
  });
});

it('counts the frames of each verdict', () => {
  const frames = arrivals('nat', 'tcp', true);
  const world = makeWorld({ mode: 'nat-in', connections: FLOWS }, layOut(frames, frames.length, LONGEST));
  for (const staged of [false, true]) {
    const rival = new TypedArrayRival(world, staged);
    const { judged } = typedArrayResult(world, frames, staged, rival);
    const count = (verdict: string): number => judged.filter((one) => one.startsWith(verdict)).length;
    expect(count('drop')).toBeGreaterThan(0);
    expect(Array.from(rival.verdicts.subarray(1, 5))).toEqual(VERDICTS.slice(1).map(count));
  }
});

it.runIf(native === undefined)('a system without a C compiler is not one that checks everything', () => {
  expect(process.env.CI, 'CI is set, and there is no C compiler').toBeUndefined();
});

describe.each(['nat', 'dr'] as const)('%s: many short histories of TCP flags', (mode) => {
  const flags = fc.sample(fc.tuple(fc.nat(31), fc.boolean()), { seed: SEED, numRuns: HISTORIES * SEGMENTS });
  const frames = flags.map(([bits, out], i) =>
    frameOf(out && mode === 'nat' ? 'nat-out' : worldMode(mode), i % HISTORIES, { flags: bits }),
  );
  const scenario = { mode: worldMode(mode), connections: HISTORIES };
  const world = makeWorld(scenario, layOut(frames, frames.length, 64));
  const { totals } = referenceResult(worldMode(mode), 'tcp', frames, HISTORIES);

  it('end in the states of the reference', () => {
    const results = [
      typedArrayResult(world, frames, false),
      typedArrayResult(world, frames, true),
      mapResult(world, frames),
    ];
    if (native) results.push(nativeResult(native, world));
    for (const result of results) expect(result.totals).toEqual(totals);
    expect(totals.states.filter((count) => count > 0).length).toBeGreaterThan(4);
  });
});

describe('checksum', () => {
  const words = fc.array(fc.oneof(fc.constant(0xff), fc.nat(255)), { maxLength: 200 });
  it.each([
    ['typed arrays', (bytes: Uint8Array) => wordsChecksum(new Int32Array(bytes.buffer), 0, bytes.length)],
    ['Map', (bytes: Uint8Array) => mapChecksum(new DataView(bytes.buffer), 0, bytes.length)],
  ])('%s: as the reference', (name, checksum) => {
    const property = fc.property(words, (values) => {
      // the typed arrays' one adds in memory order
      const bytes = new Uint8Array(new ArrayBuffer(Math.ceil(values.length / 4) * 4)).fill(0xa5);
      bytes.set(values);
      const sum = checksum(bytes.subarray(0, values.length));
      const value = name === 'Map' ? sum : ((sum & 0xff) << 8) | (sum >> 8);
      expect(value).toBe(internetChecksum(Uint8Array.from(values)));
    });
    fc.assert(property, { numRuns: 2000, verbose: 1 });
  });
});
