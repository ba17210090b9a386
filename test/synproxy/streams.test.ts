/**
 * Two ends with a director between them that is a SYN proxy: whatever gets lost, comes twice or too late, each gets the
 * other's stream as it was, and neither sees what cannot be (test/synproxy/end.ts looks).
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { readCookie } from '../../src/reference/synproxy/cookie.js';
import { moduleOf, SMALL_PLAN } from '../support/core.js';
import { join } from '../support/packets.js';
import { properties } from '../support/property.js';
import { End, type Habits, type Words } from './end.js';
import { FULL4, FULL6, NAT64, ofClient, ofServer, proxy, toldOf, V4, V6, type Way } from './lab.js';
import { parse, type Segment } from './segments.js';

const property = properties(import.meta.url);

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
// Where numbers wrap, mostly.
const isns = fc.oneof(u32, fc.integer({ min: 0xffff_f000, max: 0xffff_ffff }));
const habits: fc.Arbitrary<Habits> = fc
  .record({
    mss: fc.constantFrom(300, 536, 1220, 1460, 8960),
    scale: fc.option(fc.constantFrom(0, 1, 7, 9, 14), { nil: undefined }),
    sack: fc.boolean(),
    stamps: fc.boolean(),
    room: fc.constantFrom(1500, 3000, 65_535, 1 << 20),
    probesWithByte: fc.boolean(),
    isn: isns,
    ahead: isns,
  })
  // Who scales its windows has as much room that something is left of them.
  .map((each) => ({ ...each, room: Math.max(each.room, 2 << (each.scale ?? 0)) }));

const ways: readonly Way[] = [
  {},
  {},
  { carry: 'toa' },
  { carry: 'toa', profile: 'alibaba' },
  { carry: 'proxy-v1' },
  { carry: 'proxy-v2', profile: 'dpvs' },
];

const worlds = fc.record({
  ends: fc.constantFrom(V4, V6, FULL4, FULL6, NAT64),
  /** How servers by FullNAT are told their clients. */
  way: fc.constantFrom(...ways),
  client: habits,
  server: habits,
  up: fc.integer({ min: 0, max: 5000 }),
  down: fc.integer({ min: 0, max: 5000 }),
  /** Of a hundred packets. */
  losses: fc.constantFrom(0, 0, 2, 10),
  duplicates: fc.constantFrom(0, 2, 10),
  delay: fc.constantFrom(0, 5, 40),
  sysctl: fc.record({
    synproxy_wscale: fc.constantFrom(0, 2, 7, 14),
    synproxy_defer: fc.constantFrom(0, 0, 1),
    synproxy_sack: fc.constantFrom(0, 1),
  }),
  pad: fc.integer({ min: 0, max: 1 }),
  seed: u32,
  restored: fc.boolean(),
});

/** Numbers from 0 to below `n`, from a seed (xorshift). */
function random(seed: number): (n: number) => number {
  let state = seed | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

const stream = (length: number, factor: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, factor) >>> 13) & 255);

interface Flying {
  at: number;
  order: number;
  toDirector: boolean;
  side: 'cli' | 'srv';
  frame: Uint8Array;
}

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** Whether a client's segment answers a cookie, as the reference has it: given out or not. */
function bringsCookie(
  { ends: { client, vip }, seed }: World,
  { sport, dport, seq, ack, payload }: Segment,
  now: number,
) {
  const [source, destination] = [parseAnyAddress(client), parseAnyAddress(vip)];
  const tuple = { protocol: 'tcp', source, sourcePort: sport, destination, destinationPort: dport } as const;
  // Without data it may ask for a window.
  const isns = payload.length === 0 ? [seq - 1, seq] : [seq - 1];
  return isns.some((isn) => readCookie([BigInt(seed), 0n], tuple, isn >>> 0, (ack - 1) >>> 0, now) !== undefined);
}

/**
 * @returns whether a segment was a cookie by chance (docs/synproxy.md: 2^-21), and began another connection: then nothing is
 * known of the end of this one.
 */
function run(world: World): boolean {
  const { ends, way, client: clientHabits, server: serverHabits, losses, duplicates, delay, pad, restored } = world;
  // A server without timestamps refuses clients that were told them.
  const sysctl = { ...world.sysctl, synproxy_timestamp: serverHabits.stamps ? 1 : 0 };
  let director = proxy(ends, { sysctl, plan: { ...SMALL_PLAN, localAddresses: 1 }, seed: BigInt(world.seed) }, way);
  // Whoever is told by the PROXY protocol has that in front.
  const { prefix } = toldOf(ends.local === undefined ? {} : way, ends);
  const draw = random(world.seed);
  const flying: Flying[] = [];
  let order = 0;
  let now = 1000;
  // The first packets of each way get through sometimes, or nothing would ever happen with bad luck.
  const send = (toDirector: boolean, side: 'cli' | 'srv', frame: Uint8Array): void => {
    if (draw(100) < losses) return;
    const copies = draw(100) < duplicates ? 2 : 1;
    for (let i = 0; i < copies; i++)
      flying.push({ at: now + 1 + draw(delay + 1), order: order++, toDirector, side, frame });
  };
  const up = stream(world.up, 0x9e37_79b1);
  const down = stream(world.down, 0x85eb_ca6b);
  const client = new End('client', clientHabits, up, (words) => send(true, 'cli', ofClient(ends, words, pad)), false);
  // The port that the server sees, which is the client's only by NAT.
  let dport = 0;
  const answer = (words: Words) => send(true, 'srv', ofServer(ends, { ...words, dport }, pad));
  const server = new End('server', serverHabits, down, answer, true);
  const cookies = new Set<number>();
  const leave = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const { verdict, reason, outInterface, frame } = director.outcome(i, now);
      if (reason === 'syn-cookie') cookies.add(parse(frame.subarray(14)).seq);
      if (verdict === 'forward') send(false, outInterface as 'cli' | 'srv', frame);
    }
  };
  client.connect(now);
  const isDone = () => client.isHeard && server.isHeard && client.sawFin && server.sawFin;
  for (let steps = 0; steps < 40_000 && !isDone(); steps++) {
    if (client.refused || server.refused) {
      // Only with bad luck: the server never heard of its client.
      if (losses > 0 && client.received.length === 0 && server.received.length <= prefix.length) return false;
      throw new Error(`refused: client ${client.refused}, server ${server.refused}`);
    }
    flying.sort((a, b) => a.at - b.at || a.order - b.order);
    const next = flying[0];
    if (next === undefined || next.at > now + 100) {
      now += 100;
      client.tick(now);
      server.tick(now);
      director.burst.reset();
      leave(director.process(now));
      if (restored && draw(10) === 0) {
        director = Director.restoreSync(director.snapshot(), { wasm: moduleOf('release') });
      }
      continue;
    }
    flying.shift();
    now = Math.max(now, next.at);
    if (!next.toDirector) {
      const segment = parse(next.frame.subarray(14));
      if (next.side === 'srv') dport = segment.sport;
      (next.side === 'cli' ? client : server).take(segment, now);
      continue;
    }
    const { burst } = director;
    burst.reset();
    burst.reserve(next.frame.length, director.interfaceIndex(next.side)).set(next.frame);
    burst.commit(next.frame.length);
    const count = director.process(now);
    if (director.outcome(0, now).reason === 'syn-proxied') {
      const answer = parse(next.frame.subarray(14));
      expect(bringsCookie(world, answer, now)).toBe(true);
      if (!cookies.has((answer.ack - 1) >>> 0)) return true;
    }
    leave(count);
  }
  expect(Buffer.from(server.received).equals(join(prefix, up))).toBe(true);
  expect(Buffer.from(client.received).equals(down)).toBe(true);
  expect(isDone()).toBe(true);
  return false;
}

property(
  'each end gets the stream of the other',
  fc.property(worlds, (world) => {
    run(world);
  }),
);

it('the acknowledgment of a server’s FIN was a cookie by chance', () => {
  const habits = { scale: undefined, sack: false, stamps: false, room: 1500, probesWithByte: false } as const;
  const world: World = {
    ...{ ends: NAT64, way: {}, up: 3921, down: 3215, losses: 0, duplicates: 0, delay: 0, pad: 0, restored: false },
    client: { ...habits, mss: 536, scale: 7, isn: 4_294_963_580, ahead: 0 },
    server: { ...habits, mss: 300, isn: 0, ahead: 4_294_963_200 },
    sysctl: { synproxy_wscale: 0, synproxy_defer: 0, synproxy_sack: 0 },
    seed: 1_492_736_600,
  };
  expect(run(world)).toBe(true);
  expect(run({ ...world, seed: 1 })).toBe(false);
});
