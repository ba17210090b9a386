/** Where a director of ours is not Linux 6.1 (docs/deviations.md): schedulers, weights and templates. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseRule } from '../../../src/rules/ipvsadm.js';
import { createDirector, SMALL_PLAN } from '../../support/core.js';
import { ACK, SYN, tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

describe('schedulers', () => {
  const SCHEDULED = { protocol: 'tcp', address: VIP, port: 81 } as const;
  const syn = (host: number) =>
    tcp({ source: `192.0.2.${host}`, destination: VIP, sport: 40_000, dport: 81, flags: SYN });

  test('twos compares loads of any size', () => {
    using large = createDirector('release', { plan: { ...SMALL_PLAN, connections: 1024 }, network: director.network });
    large.addService({ ...SCHEDULED, scheduler: 'twos' });
    const dest = (host: number, weight: number) => ({ address: `10.1.0.${host}`, method: 'dr', weight }) as const;
    large.addDest(SCHEDULED, dest(12, 65_535));
    // 256 × 200 × 65535 is above 2^31, and negative in 32 bits.
    for (let host = 1; host <= 200; host++) large.send(syn(host), 'cli', T0);
    large.addDest(SCHEDULED, dest(13, 65_535));
    for (let host = 201; host <= 240; host++) large.send(syn(host), 'cli', T0);
    const [added] = large.services()[0]?.dests ?? [];
    // In one of four cases the other one is drawn twice.
    expect(added?.activeConnections).toBeGreaterThan(22);
  });

  test('weights above 65,535 are refused', () => {
    const dest = { address: '10.1.0.12', weight: 65_536 };
    expect(() => director.addDest(WEB, dest)).toThrow(/^expected a weight from 0 to 65535, got 65536$/);
    const at = `-a -t ${VIP}:80 -r 10.1.0.12`;
    expect(() => parseRule(`${at} -w 65536`)).toThrow('illegal weight specified');
    expect(parseRule(`${at} -w 65535`)).toMatchObject({ dest: { weight: 65_535 } });
  });

  test('port 0 of a persistent client: no packet belongs to a template', () => {
    director.editService({ ...WEB, persistent: 300 });
    fate(segment(SYN));
    const answer = tcp({ source: RIP, destination: CLIENT, sport: 8080, dport: 0, flags: ACK });
    expect(director.connections(T0)).toMatchObject([{ template: true }, { clientPort: 40_000 }]);
    expect(fate(answer, 'srv')).toBe('forward routed');
  });

  test('port 65,535: a persistent service finds no template that is void', () => {
    const high = { ...WEB, port: 65_535 };
    director.setSysctl({ expire_quiescent_template: 1 });
    director.editService({ ...WEB, persistent: 300 });
    director.addService({ ...high, scheduler: 'rr', persistent: 300 });
    director.addDest(high, { address: '10.1.0.12', method: 'nat' });
    fate(segment(SYN));
    director.editDest(WEB, { address: RIP, port: 8080, method: 'nat', weight: 0 });
    fate(tcp({ source: CLIENT, destination: VIP, sport: 40_001, dport: 80, flags: SYN }));
    expect(director.connections(T0)).toContainEqual(expect.objectContaining({ template: true, virtualPort: 65_535 }));
    director.editDest(WEB, { address: RIP, port: 8080, method: 'nat', weight: 1 });
    const to = tcp({ source: CLIENT, destination: VIP, sport: 40_002, dport: 65_535, flags: SYN });
    expect(director.send(to, 'cli', T0)[0]?.connection).toMatchObject({ destAddress: '10.1.0.12' });
  });

  test('mh with more dests than slots: the first of the list share the table', () => {
    const plan = { ...SMALL_PLAN, dests: 4200 };
    using large = createDirector('release', { plan, network: director.network });
    large.addService({ ...SCHEDULED, scheduler: 'mh' });
    for (let n = 0; n < 4100; n++) {
      large.addDest(SCHEDULED, { address: `10.1.${4 + (n >> 8)}.${n & 255}`, method: 'dr' });
    }
    // The dests added first are the last ones of the list.
    for (let n = 0; n < 7; n++) {
      large.deleteDest(SCHEDULED, { address: `10.1.${4 + (n >> 8)}.${n & 255}` });
      const [outcome] = large.send(syn(n + 1), 'cli', T0);
      expect(outcome?.connection?.destAddress).toMatch(/^10\.1\./);
    }
  });
});
