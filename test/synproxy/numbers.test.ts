/**
 * SYN proxy: numbers, timestamps and windows of a connection behind it, which its ends never agreed on with each other.
 */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { fromClient, judged } from '../support/lab.js';
import { ACK, FIN, icmp, RST, SYN } from '../support/packets.js';
import { ENDS, ISN, left, OFFER, ofClient, ofServer, open, proxy, SERVER_ISN, type Words } from './lab.js';
import type { Options } from './segments.js';

const CASES = BINARIES.flatMap((binary) => ENDS.map(([family, ends]) => [binary, family, ends] as const));
const DATA = Uint8Array.of(1, 2, 3);
const at = (base: number, offset: number): number => (base + offset) >>> 0;

describe.each(CASES)('%s, %s', (binary, family, ends) => {
  const ready = (offer = OFFER, theirs: Options = { ...OFFER, scale: 3, stamps: [900, 1005] }, sysctl = {}) => {
    const director = proxy(ends, { binary, sysctl });
    const cookie = open(director, ends, 0, offer, theirs);
    const client = (words: Words, pad = 0, now = 10) =>
      left(
        director.send(ofClient(ends, { seq: at(ISN, 1), ack: at(cookie, 1), flags: ACK, ...words }, pad), 'cli', now),
      )[0]!;
    const server = (words: Words, pad = 0, now = 10) =>
      left(
        director.send(
          ofServer(ends, { seq: at(SERVER_ISN, 1), ack: at(ISN, 1), flags: ACK, ...words }, pad),
          'srv',
          now,
        ),
      )[0]!;
    return { director, cookie, client, server };
  };

  it.each([0, 1, 2, 3])("a server's numbers and timestamps are moved, %i NOPs in front of them", (pad) => {
    const { director, cookie, server, client } = ready();
    // What the client was told last: the director's clock for it.
    const told = left(
      director.send(ofServer(ends, { options: { ...OFFER, scale: 3, stamps: [900, 1005] } }), 'srv', 5),
    )[0]!;
    expect(told).toMatchObject({ out: 'cli', seq: cookie, flags: 18 });
    const ahead = at(told.options.stamps![0], -900);
    for (const offset of [1, 1000, 0x7000_0000]) {
      const out = server(
        { seq: at(SERVER_ISN, offset), options: { stamps: [at(900, offset), 1010] }, payload: DATA },
        pad,
      );
      expect(out).toMatchObject({
        seq: at(cookie, offset),
        ack: at(ISN, 1),
        options: { stamps: [at(ahead + 900, offset), 1010] },
        payload: DATA,
      });
      const sack = [at(cookie, offset + 10), at(cookie, offset + 20), at(cookie, offset - 9), at(cookie, offset - 3)];
      const into = client({ ack: at(cookie, offset), options: { stamps: [1020, at(ahead + 900, offset)], sack } }, pad);
      expect(into).toMatchObject({ seq: at(ISN, 1), ack: at(SERVER_ISN, offset) });
      expect(into.options.stamps).toEqual([1020, at(900, offset)]);
      expect(into.options.sack).toEqual(sack.map((edge) => at(edge - cookie + SERVER_ISN, 0)));
    }
  });

  it('a large window is not cut where the server has another scale than the director', () => {
    const { server } = ready(OFFER, { ...OFFER, scale: 3, stamps: [900, 1005] }, { synproxy_wscale: 7 });
    expect(server({ window: 65_535 }).window).toBe((65_535 << 3) >> 7);
    expect(server({ window: 15 }).window).toBe(1);
    expect(server({ window: 0 }).window).toBe(0);
    const larger = ready(OFFER, { ...OFFER, scale: 14, stamps: [900, 1005] }, { synproxy_wscale: 2 });
    // What does not fit in 16 bits is as much as does: a megabyte in hand is 262,140 at two bits.
    expect(larger.server({ window: 64 }).window).toBe(65_535);
    expect(larger.server({ window: 8 }).window).toBe((8 << 14) >> 2);
    const equal = ready(OFFER, { ...OFFER, scale: 7, stamps: [900, 1005] });
    for (const window of [0, 1, 1000, 65_535]) expect(equal.server({ window }).window).toBe(window);
  });

  it('a server that does not scale windows gets and sends them as they are', () => {
    const { server, client } = ready(OFFER, { mss: 1460, stamps: [900, 1005] });
    // The client scales by nine bits, and takes seven.
    expect(client({ window: 100 }).window).toBe(100 << 9);
    expect(client({ window: 1000 }).window).toBe(65_535);
    expect(server({ window: 65_535 }).window).toBe(65_535 >> 7);
  });

  it('with a client that does not scale windows nobody does', () => {
    const plain: Options = { mss: 1400 };
    const { server, client, director } = ready(plain, { mss: 1460 });
    expect(client({ window: 1000 }).window).toBe(1000);
    expect(server({ window: 65_535 }).window).toBe(65_535);
    expect(director.connections(20)).toHaveLength(1);
    // Not even a server that says so, unasked.
    expect(ready(plain, { mss: 1460, scale: 3 }).server({ window: 1000 }).window).toBe(1000);
  });

  it('no window of a SYN is scaled, nor that of a SYN-ACK that comes again', () => {
    const { server } = ready();
    const again = { seq: SERVER_ISN, flags: SYN | ACK, options: { ...OFFER, scale: 3, stamps: [900, 1005] as const } };
    expect(server({ ...again, window: 1000 }).window).toBe(1000);
    const { client } = ready(OFFER, { mss: 1460, stamps: [900, 1005] });
    expect(client({ seq: ISN, ack: 0, flags: SYN, window: 1000, options: OFFER }).window).toBe(1000);
  });

  it("a client's window is the server's as it is", () => {
    const { client } = ready();
    for (const window of [0, 1, 502, 65_535]) expect(client({ window }).window).toBe(window);
  });

  it('FIN and RST go through, and the connection ends as any', () => {
    const { director, cookie, client, server } = ready();
    expect(server({ flags: FIN | ACK })).toMatchObject({ seq: at(cookie, 1), flags: FIN | ACK });
    expect(client({ ack: at(cookie, 2), flags: FIN | ACK })).toMatchObject({ ack: at(SERVER_ISN, 2) });
    expect(director.connections(20)).toMatchObject([{ state: 'TIME_WAIT' }]);
    const other = ready();
    expect(other.server({ flags: RST })).toMatchObject({ seq: at(other.cookie, 1), flags: RST });
    expect(other.director.connections(20)).toMatchObject([{ state: 'CLOSE' }]);
  });

  it('what is no segment that could be keeps its numbers', () => {
    const { director } = ready();
    const packet = ofServer(ends, { seq: 77, flags: 0 });
    const [outcome] = director.send(packet, 'srv', 10);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat-out' });
    expect(left([outcome!])[0]).toMatchObject({ seq: 77 });
  });

  it("a client's error quotes the server's own number", () => {
    const { director, server, cookie } = ready();
    server({ payload: DATA });
    const segment = ofServer(ends, { seq: at(SERVER_ISN, 1), flags: ACK }).subarray(14);
    const [reply] = director.send(ofServer(ends, { seq: at(SERVER_ISN, 1), flags: ACK }), 'srv', 10);
    const v6 = family === 'IPv6';
    const header = v6 ? 40 : 20;
    const quoted = reply!.frame.subarray(14, 14 + header + 8);
    const error = icmp({ source: ends.client, destination: ends.vip }, v6 ? 1 : 3, v6 ? 4 : 3, quoted);
    const [outcome] = director.send(fromClient(error), 'cli', 11);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in' });
    const inner = outcome!.frame.subarray(14 + header + 8);
    expect(new DataView(inner.buffer, inner.byteOffset).getUint32(header + 4)).toBe(at(SERVER_ISN, 1));
    expect(inner.subarray(header, header + 8)).toEqual(segment.subarray(header, header + 8));
    expect(cookie).not.toBe(SERVER_ISN);
  });

  it('the tenth identical acknowledgment in a row is dropped, and those behind it', () => {
    const { director, cookie } = ready();
    const send = (words: Words, now: number) =>
      judged(
        director.send(ofClient(ends, { seq: at(ISN, 1), ack: at(cookie, 1), flags: ACK, ...words }), 'cli', now),
      )[0];
    for (let i = 1; i <= 12; i++)
      expect(send({ options: { stamps: [i, 0] } }, i)).toBe(i < 10 ? 'forward nat-in' : 'drop ack-storm');
    expect(send({ window: 5 }, 20)).toBe('forward nat-in');
    expect(send({}, 21)).toBe('forward nat-in');
    // Data, blocks that came out of order and what comes later are no storm.
    for (let i = 0; i < 20; i++) expect(send({ payload: DATA }, 30 + i)).toBe('forward nat-in');
    for (let i = 0; i < 20; i++) expect(send({ options: { sack: [1, 2] } }, 60 + i)).toBe('forward nat-in');
    for (let i = 0; i < 20; i++) expect(send({}, 100 + i * 1001)).toBe('forward nat-in');
    director.setSysctl({ synproxy_dup_ack: 0 });
    for (let i = 0; i < 300; i++) expect(send({}, 30_000 + i)).toBe('forward nat-in');
  });
});
