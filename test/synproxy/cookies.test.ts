/**
 * SYN cookies: all that were given are taken in their time and none afterwards, and nobody who guesses gets in more often than
 * docs/synproxy.md claims.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Reason } from '../../src/abi/verdict.js';
import type { Director } from '../../src/director.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { judged, NETWORK, TCP_KEY } from '../support/lab.js';
import { ACK } from '../support/packets.js';
import { properties } from '../support/property.js';
import { acknowledge, ENDS, left, ofClient, proxy, V4 } from './lab.js';
import type { Options } from './segments.js';

const property = properties(import.meta.url);

/** Milliseconds for which a period lasts. */
const PERIOD = 65_536;

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const offers: fc.Arbitrary<Options> = fc
  .record({
    mss: optional(fc.integer({ min: 0, max: 65_535 })),
    scale: optional(fc.integer({ min: 0, max: 255 })),
    sackPermitted: fc.boolean(),
    stamps: optional(u32.map((value) => [value, 0] as const)),
  })
  .map(
    (offer) =>
      Object.fromEntries(
        Object.entries(offer).filter(([, value]) => value !== undefined && value !== false),
      ) as Options,
  );

property(
  'every cookie is taken in its time, and tells what was offered; none afterwards, nor of another client',
  fc.property(
    fc.constantFrom(...ENDS),
    fc.record({ seq: u32, sport: fc.integer({ min: 1, max: 65_535 }).filter((port) => port !== 20), offer: offers }),
    fc.record({ now: fc.integer({ min: 0, max: 2 ** 45 }), age: fc.integer({ min: 0, max: 4 * PERIOD }) }),
    fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
    ([family, ends], { seq, sport, offer }, { now, age }, seed) => {
      const director = proxy(ends, { seed, plan: SMALL_PLAN });
      const [answer] = left(director.send(ofClient(ends, { seq, sport, options: offer }), 'cli', now));
      const cookie = answer!.seq;
      const words = { ...acknowledge(cookie, offer), seq: (seq + 1) >>> 0, sport };
      const later = now + age;
      const outcomes = director.send(ofClient(ends, words), 'cli', later);
      const isInTime = Math.floor(later / PERIOD) - Math.floor(now / PERIOD) <= 1;
      expect(judged(outcomes)).toEqual([isInTime ? 'forward syn-proxied' : 'local bad-cookie']);
      if (!isInTime) return;
      const [syn] = left(outcomes);
      expect(syn).toMatchObject({ seq, sport });
      const { scale, sackPermitted, stamps } = syn!.options;
      expect({ scale, sackPermitted, stamps }).toEqual({
        scale: offer.scale === undefined ? undefined : Math.min(offer.scale, 14),
        sackPermitted: offer.sackPermitted,
        stamps: offer.stamps && [(offer.stamps[0] + 5) >>> 0, 0],
      });
      const isV6 = family === 'IPv6';
      const least = isV6 ? 1220 : 536;
      const most = isV6 ? 1440 : 1460;
      const said = Math.min(offer.mss || least, most);
      const sizes = [64, 536, 1220, 1360, 1440, 1452, 1460];
      expect(syn!.options.mss).toBe(sizes.findLast((size) => size <= said) ?? 64);
    },
  ),
);

property(
  'each answer to a SYN is whole: right checksums, and no byte but its own',
  fc.property(
    fc.constantFrom(...ENDS),
    u32,
    offers,
    fc.integer({ min: 0, max: 3 }),
    fc.nat({ max: 2 ** 40 }),
    ([, ends], seq, offer, pad, now) => {
      const frame = ofClient(ends, { seq, options: offer }, pad);
      const director = proxy(ends, { plan: SMALL_PLAN });
      const { burst } = director;
      burst.reset();
      const next = ofClient(ends, { seq, sport: 1, options: {} });
      for (const each of [frame, next]) {
        burst.reserve(each.length, director.interfaceIndex('cli')).set(each);
        burst.commit(each.length);
      }
      expect(director.process(now)).toBe(2);
      // Parsing recomputes all checksums; what was longer did not write into the frame behind it.
      const outcomes = [0, 1].map((i) => director.outcome(i, now));
      expect(judged(outcomes)).toEqual(['forward syn-cookie', 'forward syn-cookie']);
      expect(left(outcomes)[0]).toMatchObject({ ack: (seq + 1) >>> 0 });
      expect(director.connectionCount).toBe(0);
    },
  ),
);

/** Frames that guess, and how many of them were taken for answers of cookies: each with a random number in 32 bits. */
function guess(director: Director, tries: number, seed: number): number {
  const { burst } = director;
  const template = ofClient(V4, { flags: ACK });
  const cli = director.interfaceIndex('cli');
  let state = seed >>> 0;
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d);
    return (mixed ^ (mixed >>> 12)) >>> 0;
  };
  let accepted = 0;
  for (let done = 0; done < tries; ) {
    burst.reset();
    for (; !burst.full && done < tries; done++) {
      const frame = burst.reserve(template.length, cli);
      frame.set(template);
      const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
      // Another client each time, and numbers; partial checksums, as nobody needs them.
      view.setUint32(14 + 12, (0x0a09_0000 | (draw() & 0xffff)) >>> 0);
      view.setUint16(14 + 10, 0);
      let sum = 0;
      for (let i = 14; i < 34; i += 2) sum += view.getUint16(i);
      sum = (sum & 0xffff) + (sum >>> 16);
      view.setUint16(14 + 10, ~(sum + (sum >>> 16)) & 0xffff);
      view.setUint16(34, 1024 + (draw() % 60_000));
      view.setUint32(38, draw());
      view.setUint32(42, draw());
      burst.commit(template.length, 0, 0, true);
    }
    const given = burst.length;
    director.process(done / 10);
    // Behind them come SYNs that are sent again.
    for (let i = 0; i < given; i++) if (burst.reason(i) === Reason.SynProxied) accepted++;
  }
  return accepted;
}

/** The number that a Poisson variable of that mean exceeds less often than once in a million times. */
function bound(mean: number): number {
  let term = Math.exp(-mean);
  let sum = term;
  let k = 0;
  while (1 - sum > 1e-6) {
    k++;
    term *= mean / k;
    sum += term;
  }
  return k;
}

it('who guesses gets in as often as claimed at most', { timeout: 600_000 }, () => {
  const tries = Number(process.env.COOKIE_TRIES ?? 300_000);
  const director = createDirector('release', { network: NETWORK, plan: { ...SMALL_PLAN, arenaBytes: 1 << 18 } });
  director.addService({ ...TCP_KEY, synproxy: true });
  director.addDest(TCP_KEY, { address: '10.1.0.11', method: 'nat' });
  const accepted = guess(director, tries, Number(process.env.COOKIE_SEED ?? 1));
  // Two periods of four, times two numbers that a segment without data may mean, times 2^-21 for the tag.
  const mean = (tries * 2 * 2) / 4 / 2 ** 21;
  console.log(`${tries} guesses, ${accepted} were right; expected ${mean.toFixed(2)}, up to ${bound(mean)} allowed`);
  expect(accepted).toBeLessThanOrEqual(bound(mean));
});
