/** What a client sends before its server has answered is kept, within bounds, and sent on in order. */
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { Director } from '../../src/director.js';
import type { PlanOptions } from '../../src/plan.js';
import type { SysctlConfig } from '../../src/types.js';
import { BINARIES, type Binary, memoryFor, moduleOf, SMALL_PLAN } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { fromClient, judged, lab, SERVERS } from '../support/lab.js';
import { ACK, FIN, ip6, RST, SYN } from '../support/packets.js';
import {
  acknowledge,
  ENDS,
  type Ends,
  FULL4,
  FULL6,
  ISN,
  left,
  OFFER,
  ofClient,
  ofServer,
  proxy,
  SERVER_ISN,
  V4,
  V6,
  type Words,
} from './lab.js';
import type { Segment } from './segments.js';

const CASES = [...ENDS, ['IPv4, FullNAT', FULL4], ['IPv6, FullNAT', FULL6]].flatMap(([name, ends]) =>
  BINARIES.map((binary) => [`${name}, ${binary}`, ends as Ends, binary] as const),
);

const bytes = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => first + i);
/** The server's answer to its SYN. */
const synAck = (ends: Ends, { seq, sport }: Segment) =>
  ofServer(ends, { dport: sport, ack: (seq + 1) >>> 0, options: { ...OFFER, stamps: [900, 1005] } });

/** A client that has sent these segments; the cookie, what became of them, and the SYN that the server got. */
function begin(director: Director, ends: Ends, segments: Words[]) {
  const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
  const cookie = answer!.seq;
  const outcomes = segments.map((words) => director.send(ofClient(ends, acknowledge(cookie, OFFER, words)), 'cli', 0));
  return { cookie, fates: outcomes.flatMap(judged), syn: left(outcomes.flat())[0]! };
}

/** A director behind the proxy that asks a server when there are data, in a memory that can be looked at. */
function ready(ends: Ends, binary: Binary = 'release', sysctl: SysctlConfig = {}, plan: Partial<PlanOptions> = {}) {
  const memory = memoryFor(binary, 48);
  const director = proxy(ends, {
    binary,
    memory,
    sysctl: { synproxy_defer: 1, ...sysctl },
    plan: { ...SMALL_PLAN, extensions: 8, localAddresses: 1, ...plan },
  });
  return { director, held: () => heldBlocks(memory) };
}

/** Blocks of memory that hold something. */
function heldBlocks(memory: WebAssembly.Memory): number {
  const view = new DataView(memory.buffer);
  const field = (at: number): number => view.getUint32(abi.SUPERBLOCK + at, true);
  let held = field(abi.SB_BLOCK_HIGH);
  for (let at = field(abi.SB_BLOCK_FREE); at !== 0; at = view.getUint32(at + abi.BLK_NEXT, true)) held--;
  return held;
}

describe.each(CASES)('%s', (_, ends, binary) => {
  it('first data of a connection whose dest is gone go to the next one', () => {
    const { director } = ready(ends, binary);
    const { syn } = begin(director, ends, [
      { payload: bytes(100) },
      { seq: ISN + 101, payload: bytes(100) },
      { seq: ISN + 201, payload: bytes(100) },
    ]);
    const web = { protocol: 'tcp', address: ends.vip, port: 80 } as const;
    director.deleteDest(web, { address: ends.server, port: 8080 });
    const next = ends.server.replace(/11$/, '12');
    director.addDest(web, { address: next, port: 8080, method: ends.local === undefined ? 'nat' : 'fullnat' });
    director.setSysctl({ expire_nodest_conn: 1 });
    // The first of them asks another server, and the others are kept for that one.
    const fates = judged(director.send(synAck(ends, syn), 'srv', 10));
    expect(fates.slice(-3)).toEqual(['forward syn-proxied', 'held syn-proxy-held', 'held syn-proxy-held']);
    expect(director.connections(10).map(({ destAddress }) => destAddress)).toEqual([next]);
  });

  it('first data reach the server behind its SYN-ACK, and need not come again', () => {
    const { director, held } = ready(ends, binary);
    const request = bytes(900);
    const { cookie, fates, syn } = begin(director, ends, [{ payload: request, flags: ACK | 8 }]);
    expect(fates).toEqual(['forward syn-proxied']);
    const outcomes = director.send(synAck(ends, syn), 'srv', 10);
    const reason = ends.local === undefined ? 'nat-in' : 'fullnat-in';
    expect(judged(outcomes)).toEqual(['forward syn-proxy-ack', 'forward syn-proxy-ack', `forward ${reason}`]);
    const [third, , data] = left(outcomes);
    expect(data).toMatchObject({ out: 'srv', seq: (syn.seq + 1) >>> 0, ack: (SERVER_ISN + 1) >>> 0, flags: ACK | 8 });
    expect(third).toMatchObject({ seq: data!.seq, ack: data!.ack });
    expect(data!.payload).toEqual(request);
    expect(data!.options.stamps![0]).toBe(1005);
    expect(held()).toBe(0);
    expect(director.connections(10)).toMatchObject([{ state: 'ESTABLISHED', inPackets: 2 }]);
    const [answered] = left(
      director.send(
        ofServer(ends, { flags: ACK, seq: SERVER_ISN + 1, dport: syn.sport, ack: syn.seq + 901 }),
        'srv',
        20,
      ),
    );
    expect(answered).toMatchObject({ seq: (cookie + 1) >>> 0, ack: ISN + 901 });
  });

  it('three that go on from each other, and no more; what comes again is dropped', () => {
    const { director, held } = ready(ends, binary);
    const part = (at: number, words: Words = {}): Words => ({
      seq: ISN + 1 + at,
      payload: bytes(100, at & 15),
      ...words,
    });
    const { fates, syn } = begin(director, ends, [part(0), part(0), part(200), part(100), part(200), part(300)]);
    const [kept, wait] = ['held syn-proxy-held', 'drop syn-proxy-wait'];
    expect(fates).toEqual(['forward syn-proxied', wait, wait, kept, kept, wait]);
    const sent = left(director.send(synAck(ends, syn), 'srv', 10)).slice(2);
    expect(sent.map(({ seq }) => (seq - syn.seq - 1) >>> 0)).toEqual([0, 100, 200]);
    expect(held()).toBe(0);
  });
});

describe('of what is kept', () => {
  it.each([...ENDS])('%s: nothing came in fragments, which come again', (_, ends) => {
    const { director } = ready(ends);
    const { cookie } = begin(director, ends, [{ payload: bytes(5) }]);
    const next = ofClient(ends, acknowledge(cookie, OFFER, { seq: ISN + 6, payload: bytes(100) })).subarray(14);
    const fates = fragmentsOf(next, [64]).flatMap((piece) => judged(director.send(fromClient(piece), 'cli', 1)));
    expect(fates).toContain('drop syn-proxy-wait');
    expect(fates).not.toContain('held syn-proxy-held');
  });

  describe('each is judged by what it came with', () => {
    /** By a firewall mark, whatever the address. */
    const marked = (ends: Ends, destination: string) => {
      const key = { fwmark: 7, family: ends === V4 ? 4 : 6 } as const;
      const dest = { address: ends.server, method: 'nat' } as const;
      const director = lab([dest], {}, { synproxy: true }, [key]);
      const send = (words: Words, change: (packet: Uint8Array) => void = () => undefined) => {
        const frame = ofClient({ ...ends, vip: destination }, { dport: 8080, ...words });
        change(frame.subarray(14));
        return director.send(frame, 'cli', 0, { mark: 7 });
      };
      const [answer] = left(send({ options: OFFER }));
      const [syn] = left(send(acknowledge(answer!.seq, OFFER, { payload: bytes(10) })));
      return { director, key, dest, send, cookie: answer!.seq, syn: syn! };
    };

    it('its firewall mark: the service is that of the mark', () => {
      const { director, key, dest, syn } = marked(V4, V4.vip);
      director.deleteDest(key, dest);
      director.addDest(key, { ...dest, address: SERVERS[1] });
      director.setSysctl({ expire_nodest_conn: 1 });
      expect(judged(director.send(synAck(V4, syn), 'srv', 10)).at(-1)).toBe('forward syn-proxied');
    });

    it('its interface: an error about it comes from an address there', () => {
      const { director, cookie, send, syn } = marked(V6, 'fd00:5::5');
      const last = acknowledge(cookie, OFFER, { seq: ISN + 11, payload: bytes(1) });
      const setHops = (packet: Uint8Array): void => void packet.set([1], 7);
      expect(judged(send(last, setHops))).toEqual(['held syn-proxy-held']);
      const outcomes = director.send(synAck(V6, syn), 'srv', 10);
      expect(judged(outcomes).slice(-2)).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
      expect(outcomes.at(-1)!.frame.slice(22, 38)).toEqual(ip6(V6.vip));
    });
  });

  it('FIN takes a number, and closes the connection when it goes on', () => {
    const { director } = ready(V4);
    const segments = [{ payload: bytes(5) }, { seq: ISN + 6, flags: ACK | FIN }, { seq: ISN + 7, payload: bytes(1) }];
    const { fates, syn } = begin(director, V4, segments);
    expect(fates).toEqual(['forward syn-proxied', 'held syn-proxy-held', 'held syn-proxy-held']);
    director.send(synAck(V4, syn), 'srv', 10);
    expect(director.connections(10)).toMatchObject([{ state: 'CLOSE_WAIT' }]);
  });

  it('nothing is without data, with SYN or RST, or another number', () => {
    const { director } = ready(V4);
    const { fates } = begin(director, V4, [
      { payload: bytes(5) },
      { seq: ISN + 6 },
      { seq: ISN + 6, flags: ACK | RST, payload: bytes(1) },
      { seq: ISN + 6, flags: ACK | SYN, payload: bytes(1) },
      { seq: ISN + 5, payload: bytes(1) },
      { seq: ISN + 7, payload: bytes(1) },
    ]);
    expect(fates.slice(1)).toEqual(Array(5).fill('drop syn-proxy-wait'));
  });

  it('nothing is, with synproxy_max_ack_saved=0', () => {
    const { director, held } = ready(V4, 'release', { synproxy_max_ack_saved: 0 });
    const { syn } = begin(director, V4, [{ payload: bytes(5) }]);
    expect(held()).toBe(0);
    expect(judged(director.send(synAck(V4, syn), 'srv', 10))).toHaveLength(2);
  });

  it('memory is bounded: what finds none has to come again', () => {
    const { director, held } = ready(V4, 'release', {}, { fragmentBytes: 1024 });
    const { fates } = begin(director, V4, [{ payload: bytes(700) }, { seq: ISN + 701, payload: bytes(1) }]);
    expect(fates).toEqual(['forward syn-proxied', 'drop syn-proxy-wait']);
    expect(held()).toBeGreaterThan(0);
  });

  it.each([
    [
      'is refused',
      (director: Director, syn: Segment) =>
        director.send(ofServer(V4, { flags: RST | ACK, ack: syn.seq + 1 }), 'srv', 1),
    ],
    [
      'has no timestamps',
      (director: Director, syn: Segment) => director.send(ofServer(V4, { ack: syn.seq + 1 }), 'srv', 1),
    ],
    [
      'is silent',
      (director: Director) => {
        for (let now = 0; now <= 16_000; now += 1000) {
          director.burst.reset();
          director.process(now);
        }
      },
    ],
  ])('all memory comes back when its connection %s', (_, finish) => {
    const { director, held } = ready(V4);
    const { syn } = begin(director, V4, [{ payload: bytes(1400) }]);
    expect(held()).toBeGreaterThan(0);
    finish(director, syn);
    expect(director.connectionCount).toBe(0);
    expect(held()).toBe(0);
  });

  it('a snapshot has nothing: the client sends it again', () => {
    const { director } = ready(V4);
    const { cookie, syn } = begin(director, V4, [{ payload: bytes(10) }]);
    const memory = memoryFor('release', 48);
    const next = Director.restoreSync(director.snapshot(), { wasm: moduleOf('release'), memory });
    expect(heldBlocks(memory)).toBe(0);
    expect(judged(next.send(synAck(V4, syn), 'srv', 10))).toHaveLength(2);
    const again = ofClient(V4, acknowledge(cookie, OFFER, { payload: bytes(10) }));
    expect(judged(next.send(again, 'cli', 20))).toEqual(['forward nat-in']);
  });
});
