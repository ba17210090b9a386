/** What the reference implementation, which follows docs/synproxy.md alone, has found. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { BINARIES, createDirector, SMALL_PLAN } from '../support/core.js';
import { judged, lab, SERVERS, VIP } from '../support/lab.js';
import { ACK, counting, RST, SYN } from '../support/packets.js';
import { gue } from '../support/tunnels.js';
import { acknowledge, ask, ENDS, ISN, left, OFFER, ofClient, ofServer, open, proxy, V4 } from './lab.js';
import { build, parse } from './segments.js';

const CASES = BINARIES.flatMap((binary) => ENDS.map(([family, ends]) => [binary, family, ends] as const));

const sentAt = (director: Director, now: number): string[] => {
  director.burst.reset();
  return judged(Array.from({ length: director.process(now) }, (_, i) => director.outcome(i, now)));
};

describe.each(CASES)('%s, %s', (binary, _, ends) => {
  it.each([0, 1, 100, 255, 256, 1000])(
    'a server that was asked at %i ms is asked again in the unit of 256 ms behind the third second',
    (asked) => {
      const director = proxy(ends, { binary });
      ask(director, ends, asked);
      const due = asked + 3000;
      const again = (Math.floor(due / 256) + 1) * 256;
      expect([due, again - 1, again, again + 1].map((now) => sentAt(director, now))).toEqual([
        [],
        [],
        ['forward syn-proxied'],
        [],
      ]);
    },
  );

  it("a server's SYN with RST is no SYN-ACK that comes again: the connection ends as any", () => {
    const director = proxy(ends, { binary });
    open(director, ends, 0);
    expect(judged(director.send(ofServer(ends, { flags: SYN | RST, ack: 0 }), 'srv', 1))).toEqual(['forward nat-out']);
    expect(director.connections(1)).toMatchObject([{ state: 'CLOSE' }]);
  });

  it('what a SYN-ACK that comes again acknowledges is what its server expects (conn_expire_tcp_rst)', () => {
    const director = proxy(ends, { binary, sysctl: { conn_expire_tcp_rst: 1 } });
    open(director, ends, 0);
    director.send(ofServer(ends, { ack: ISN + 30, options: { ...OFFER, stamps: [900, 1005] } }), 'srv', 1);
    director.burst.reset();
    const now = 1_000_000;
    const outcomes = Array.from({ length: director.process(now) }, (_, i) => director.outcome(i, now));
    expect(judged(outcomes)).toEqual(['forward expired-reset', 'forward expired-reset']);
    expect(left(outcomes).find(({ out }) => out === 'srv')).toMatchObject({ seq: ISN + 30, flags: RST });
  });

  it('a server is heard, too, where a firewall mark brings its answer to the director', () => {
    const director = proxy(ends, { binary });
    director.addService({ fwmark: 7, family: ends === V4 ? 4 : 6 });
    ask(director, ends, 0);
    const answer = ofServer(ends, { options: { ...OFFER, stamps: [900, 1005] } });
    expect(judged(director.send(answer, 'srv', 1, { mark: 7 }))).toEqual([
      'forward syn-proxy-ack',
      'forward syn-proxy-ack',
    ]);
  });
});

it.each(BINARIES)('%s: what is for no service has no cookie, whose ever its ended connection was', (binary) => {
  const dests = [{ address: SERVERS[0], method: 'nat' }] as const;
  const director = lab(dests, { binary }, { synproxy: true }, [{ fwmark: 7 }]);
  const send = (words: object, mark: number) => {
    const frame = ofClient(V4, { dport: 8080, ...words });
    return director.send(frame, 'cli', 0, { mark });
  };
  const [cookie] = left(send({ options: OFFER }, 7));
  expect(cookie).toMatchObject({ flags: SYN | ACK, sport: 8080 });
  expect(judged(send(acknowledge(cookie!.seq), 7))).toEqual(['forward syn-proxied']);
  const answer = ofServer(V4, { sport: 8080, options: { ...OFFER, stamps: [900, 1005] } });
  expect(judged(director.send(answer, 'srv', 0))[0]).toBe('forward syn-proxy-ack');
  send({ seq: ISN + 1, flags: RST }, 0);
  expect(director.connections(0)).toMatchObject([{ state: 'CLOSE', virtualAddress: VIP }]);
  expect(judged(send({ seq: ISN + 9, options: OFFER }, 0))).toEqual(['local local-delivery']);
  const again = send({ seq: ISN + 9, options: OFFER }, 7);
  expect(judged(again)).toEqual(['forward syn-cookie']);
});

it.each(BINARIES)('%s: data whose remote checksum cannot be filled in are not kept, and judged once', (binary) => {
  const client = '192.0.2.1';
  const network = {
    interfaces: [
      { name: 'cli', kind: 'raw', addresses: ['192.0.2.254/24', `${VIP}/32`] },
      { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24'] },
      { name: 'tunl0', kind: 'ipip' },
    ],
    fou: [{ port: 6080 }],
  } as const;
  const plan = { ...SMALL_PLAN, extensions: 8 };
  const director = createDirector(binary, { plan, network, sysctl: { synproxy_defer: 1 } });
  const web = { protocol: 'tcp', address: VIP, port: 80 } as const;
  director.addService({ ...web, scheduler: 'rr', synproxy: true });
  director.addDest(web, { address: '10.1.0.11', port: 8080, method: 'nat' });
  const segment = (words: object): Uint8Array => {
    const said = {
      sport: 40_000,
      dport: 80,
      seq: 100,
      ack: 0,
      flags: SYN,
      window: 1000,
      options: {},
      payload: counting(0),
    };
    return build({ source: client, destination: VIP, ...said, ...words });
  };
  // The field lies in the header of IP.
  const remote = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 12);
  const ends = { source: client, destination: '192.0.2.254', sport: 40_000, dport: 6080 };
  const [answer] = director.send(segment({}), 'cli', 0);
  const data = gue(
    ends,
    segment({ seq: 101, ack: parse(answer!.frame).seq + 1, flags: ACK, payload: counting(10) }),
    remote,
  );
  const judgedBefore = (): bigint => Object.values(director.counters()).reduce((sum, count) => sum + count, 0n);
  const before = judgedBefore();
  expect(judged(director.send(data, 'cli', 1))).toEqual(['forward syn-proxied']);
  expect(judged(director.send(data, 'cli', 1))).toEqual(['drop syn-proxy-wait']);
  expect(judgedBefore() - before).toBe(2n);
});
