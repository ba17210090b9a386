/** Rates as Linux 6.1 estimates them: every two seconds, in its fixed point numbers. */
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import type { Stats } from '../../src/records.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import { createDirector, moduleOf } from '../support/core.js';
import { SYN, tcp } from '../support/packets.js';

const WEB = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
const DEST = { address: '10.1.0.11', port: 80, method: 'nat' } as const;
const network = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] },
  ],
} as const;
/** An even second. */
const NOW = 1_700_000_000_000;
const NONE: Stats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

let port = 1000;
/** New connections of one packet of 40 bytes. */
function open(director: Director | ReferenceDirector, count: number, now: number): void {
  for (let n = 0; n < count; n++) {
    director.send(
      tcp({ source: '10.0.0.2', destination: WEB.address, sport: port++, dport: 80, flags: SYN }),
      'cli',
      now,
    );
  }
}

function ready<D extends Director | ReferenceDirector>(made: D): D {
  made.addService({ ...WEB, scheduler: 'rr' });
  made.addDest(WEB, DEST);
  made.advance(NOW);
  return made;
}

const director = (): Director => ready(createDirector('release', { network, plan: { connections: 5000 } }));
const twins = () => [director(), ready(new ReferenceDirector({ network, seed: 1n }))] as const;

const ratesOf = (of: Director | ReferenceDirector) => of.services().map(({ rates, dests }) => [rates, dests[0]?.rates]);

describe('rates', () => {
  it('move by a quarter every two seconds, and are shown rounded', () => {
    const web = director();
    const seen: bigint[][] = [];
    for (let second = 0; second < 20; second += 2) {
      open(web, 40, NOW + second * 1000);
      web.advance(NOW + second * 1000 + 2000);
      const [{ rates } = { rates: NONE }] = web.services();
      seen.push([rates.connections, rates.inPackets, rates.inBytes]);
    }
    // By hand: 20 a second, 5, 8.75, 11.56, 13.67, 15.25, 16.44, 17.33, 18.00, 18.50, 18.87; of 40 bytes each.
    expect(seen.map(([connections]) => Number(connections))).toEqual([5, 9, 12, 14, 15, 16, 17, 18, 18, 19]);
    expect(seen.map((all) => Number(all[2]))).toEqual([200, 350, 462, 547, 610, 658, 693, 720, 740, 755]);
    expect(seen.every(([connections, packets]) => connections === packets)).toBe(true);
  });

  it('stay until the next even second', () => {
    const web = director();
    open(web, 40, NOW + 1);
    web.advance(NOW + 1999);
    expect(ratesOf(web)).toEqual([[NONE, NONE]]);
    web.advance(NOW + 2000);
    const rates = { ...NONE, connections: 5n, inPackets: 5n, inBytes: 200n };
    expect(ratesOf(web)).toEqual([[rates, rates]]);
    expect(web.total()).toEqual({ stats: web.services()[0]?.stats, rates });
  });

  it.each([2000, 4000, 7777, 100_000, 3_600_000, 4e12])('are after %i ms of silence what the reference has', (ms) => {
    const [web, reference] = twins();
    for (const each of [web, reference]) {
      port = 1000;
      open(each, 123, NOW + 500);
      open(each, 77, NOW + 2500);
      each.advance(NOW + 2500 + ms);
    }
    expect(ratesOf(web)).toEqual(ratesOf(reference));
  });

  it('fade', () => {
    const web = director();
    open(web, 1000, NOW);
    web.advance(NOW + 2000);
    const once = web.services()[0]?.rates.connections;
    web.advance(NOW + 400_000);
    expect([once, ratesOf(web)]).toEqual([125n, [[NONE, NONE]]]);
  });

  it('go on in a restored director', () => {
    const web = director();
    open(web, 99, NOW);
    web.advance(NOW + 2000);
    open(web, 5, NOW + 3000);
    const copy = Director.restoreSync(web.snapshot(), { wasm: moduleOf('release'), plan: { services: 1000 } });
    for (const each of [web, copy]) each.advance(NOW + 6000);
    expect([ratesOf(copy), copy.total()]).toEqual([ratesOf(web), web.total()]);
  });
});

describe('zeroing', () => {
  it('of a service sets its counts and rates to 0, and leaves the total', () => {
    const web = director();
    open(web, 40, NOW);
    web.advance(NOW + 2000);
    const total = web.total();
    web.zeroStats(WEB);
    expect(ratesOf(web)).toEqual([[NONE, NONE]]);
    expect(web.services()[0]?.stats).toEqual(NONE);
    expect(web.total()).toEqual(total);
    open(web, 8, NOW + 3000);
    web.advance(NOW + 4000);
    expect(web.services()[0]?.rates.connections).toBe(1n);
    expect(web.total()).toMatchObject({ stats: { connections: 48n }, rates: { connections: 5n } });
  });

  it('leaves what was not estimated yet to the next rates, as the reference', () => {
    const [web, reference] = twins();
    for (const each of [web, reference]) {
      port = 1000;
      open(each, 16, NOW);
      each.advance(NOW + 2000);
      open(each, 40, NOW + 2500);
      each.zeroStats();
      open(each, 8, NOW + 3000);
      each.zeroStats(WEB);
      each.advance(NOW + 4000);
    }
    const rates = { ...NONE, connections: 6n, inPackets: 6n, inBytes: 240n };
    expect(ratesOf(web)).toEqual([[rates, rates]]);
    expect(ratesOf(reference)).toEqual(ratesOf(web));
    expect(web.total()).toEqual({ stats: { ...NONE, connections: 8n, inPackets: 8n, inBytes: 320n }, rates });
    for (const each of [web, reference]) each.advance(NOW + 6000);
    expect(ratesOf(web)[0]?.[0]?.connections).toBe(4n);
    expect(ratesOf(reference)).toEqual(ratesOf(web));
  });

  it('of all zeroes the total, too', () => {
    const web = director();
    open(web, 40, NOW);
    web.advance(NOW + 2000);
    web.zeroStats();
    expect(web.total()).toEqual({ stats: NONE, rates: NONE });
  });

  it('a deleted service stays in the total', () => {
    const web = director();
    open(web, 40, NOW);
    web.deleteService(WEB);
    web.advance(NOW + 2000);
    expect(web.total()).toMatchObject({ stats: { connections: 40n }, rates: { connections: 5n } });
  });
});
