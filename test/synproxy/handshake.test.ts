/**
 * SYN proxy: cookie for the client, handshake with the server, as docs/synproxy.md has it.
 */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { judged } from '../support/lab.js';
import { ACK, FIN, RST, SYN } from '../support/packets.js';
import { acknowledge, ask, ENDS, ISN, left, OFFER, ofClient, ofServer, open, proxy, SERVER_ISN } from './lab.js';
import { isSame } from './segments.js';

const CASES = BINARIES.flatMap((binary) => ENDS.map(([family, ends]) => [binary, family, ends] as const));

describe.each(CASES)('%s, %s', (binary, family, ends) => {
  const isV6 = family === 'IPv6';
  const ready = (sysctl = {}) => proxy(ends, { binary, sysctl });

  it('a SYN is answered with a cookie, and leaves nothing behind', () => {
    const director = ready();
    const outcomes = director.send(ofClient(ends, { options: OFFER, payload: Uint8Array.of(1, 2, 3) }), 'cli', 5000);
    expect(judged(outcomes)).toEqual(['forward syn-cookie']);
    const [answer] = left(outcomes);
    expect(answer).toMatchObject({ out: 'cli', sport: 80, dport: 40_000, ack: ISN + 1, flags: SYN | ACK, window: 0 });
    expect(isSame(answer!.source, ends.vip) && isSame(answer!.destination, ends.client)).toBe(true);
    expect(answer!.options).toMatchObject({ mss: isV6 ? 1440 : 1460, sackPermitted: true, scale: 7 });
    expect(answer!.options.stamps![1]).toBe(1000);
    expect(answer!.payload).toHaveLength(0);
    expect(director.connectionCount).toBe(0);
    expect(director.services()[0]!.dests[0]!.stats.inPackets).toBe(0n);
  });

  it('what the client does not offer is not offered to it', () => {
    const director = ready();
    const [answer] = left(director.send(ofClient(ends, {}), 'cli', 0));
    expect(answer!.options).toEqual({ mss: isV6 ? 1440 : 1460 });
  });

  it('nor what sysctls do not have', () => {
    const director = ready({ synproxy_sack: 0, synproxy_timestamp: 0, synproxy_mss: 1300, synproxy_wscale: 0 });
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    expect(answer!.options).toEqual({ mss: isV6 ? 1280 : 1300, scale: 0 });
  });

  it('the answer has one number for one client, and others for others', () => {
    const director = ready();
    const seq = (words: object, now: number) => left(director.send(ofClient(ends, words), 'cli', now))[0]!.seq;
    expect(seq({}, 0)).toBe(seq({}, 1));
    const all = [
      seq({}, 0),
      seq({ sport: 40_001 }, 0),
      seq({ seq: ISN + 1 }, 0),
      seq({ options: OFFER }, 0),
      seq({}, 65_536),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('a client that answers it is made a SYN to a server of', () => {
    const director = ready();
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    const outcomes = director.send(ofClient(ends, acknowledge(answer!.seq)), 'cli', 10);
    expect(judged(outcomes)).toEqual(['forward syn-proxied']);
    const [syn] = left(outcomes);
    expect(syn).toMatchObject({ out: 'srv', sport: 40_000, dport: 8080, seq: ISN, ack: 0, flags: SYN, window: 65_535 });
    expect(isSame(syn!.source, ends.client) && isSame(syn!.destination, ends.server)).toBe(true);
    expect(syn!.options).toEqual({ mss: isV6 ? 1440 : 1460, sackPermitted: true, stamps: [1005, 0], scale: 9 });
    expect(director.connections(10)).toMatchObject([{ state: 'SYN_SENT', expires: 3, inPackets: 1 }]);
    expect(director.services()[0]!.dests[0]).toMatchObject({ activeConnections: 1 });
    expect(director.services()[0]!.dests[0]!.stats).toMatchObject({ connections: 1n, inPackets: 1n, outPackets: 0n });
  });

  it('the server that answers gets the third part, and the client its window', () => {
    const director = ready();
    const cookie = ask(director, ends, 0);
    const outcomes = director.send(
      ofServer(ends, { options: { ...OFFER, scale: 3, stamps: [900, 1005] } }),
      'srv',
      100,
    );
    expect(judged(outcomes)).toEqual(['forward syn-proxy-ack', 'forward syn-proxy-ack']);
    const [third, update] = left(outcomes);
    const options = { stamps: [1005, 900] };
    expect(third).toMatchObject({
      out: 'srv',
      seq: ISN + 1,
      ack: (SERVER_ISN + 1) >>> 0,
      flags: ACK,
      window: 502,
      options,
    });
    // No window of a SYN-ACK is scaled; the client takes seven bits.
    expect(update).toMatchObject({
      out: 'cli',
      seq: (cookie + 1) >>> 0,
      ack: ISN + 1,
      flags: ACK,
      window: 29_200 >> 7,
    });
    expect(update!.options.stamps![1]).toBe(1005);
    expect(director.connections(100)).toMatchObject([{ state: 'ESTABLISHED', expires: 900, inPackets: 1 }]);
  });

  it('an acknowledgment of no cookie is for the host', () => {
    const director = ready();
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    const sent = (words: object) =>
      judged(director.send(ofClient(ends, { ...acknowledge(answer!.seq), ...words }), 'cli', 0));
    expect(sent({ ack: (answer!.seq + 2) >>> 0 })).toEqual(['local bad-cookie']);
    expect(sent({ seq: ISN + 2 })).toEqual(['local bad-cookie']);
    expect(sent({ sport: 40_001 })).toEqual(['local bad-cookie']);
    expect(sent({ flags: SYN | ACK })).toEqual(['local not-opening']);
    expect(sent({ flags: RST | ACK })).toEqual(['local not-opening']);
    expect(sent({ flags: SYN | FIN })).toEqual(['local not-opening']);
    expect(director.connectionCount).toBe(0);
  });

  it('a cookie is good for 65.5 to 131 s', () => {
    const cookieAt = (now: number) => left(ready().send(ofClient(ends, { options: OFFER }), 'cli', now))[0]!.seq;
    const answered = (cookie: number, now: number) =>
      judged(ready().send(ofClient(ends, acknowledge(cookie)), 'cli', now));
    for (const period of [0, 3, 2 ** 20]) {
      const cookie = cookieAt(period * 65_536 + 65_535);
      expect(answered(cookie, (period + 2) * 65_536 - 1)).toEqual(['forward syn-proxied']);
      expect(answered(cookie, (period + 2) * 65_536)).toEqual(['local bad-cookie']);
      for (const later of [3, 4, 5, 8])
        expect(answered(cookie, (period + later) * 65_536)).toEqual(['local bad-cookie']);
    }
  });

  it('a client that asks for a window is heard even if its answer was lost', () => {
    const director = ready();
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    const probe = acknowledge(answer!.seq, OFFER, { seq: ISN });
    const [syn] = left(director.send(ofClient(ends, probe), 'cli', 10));
    expect(syn).toMatchObject({ seq: ISN, flags: SYN });
    // With data it would be another number.
    const again = { ...probe, payload: Uint8Array.of(1) };
    expect(judged(ready().send(ofClient(ends, again), 'cli', 10))).toEqual(['local bad-cookie']);
  });

  it('wrong checksums are not answered', () => {
    const director = ready();
    const damaged = (frame: Uint8Array) => {
      frame[frame.length - 1]! ^= 1;
      return frame;
    };
    expect(judged(director.send(damaged(ofClient(ends, { options: OFFER })), 'cli', 0))).toEqual(['drop tcp-checksum']);
    const [answer] = left(director.send(ofClient(ends, {}), 'cli', 0));
    const bad = ofClient(ends, { seq: ISN + 1, ack: answer!.seq + 1, flags: ACK, payload: Uint8Array.of(1) });
    expect(judged(director.send(damaged(bad), 'cli', 0))).toEqual(['drop tcp-checksum']);
  });

  it('until the server has answered, the client waits', () => {
    const director = ready();
    const cookie = ask(director, ends, 0);
    expect(judged(director.send(ofClient(ends, acknowledge(cookie)), 'cli', 1))).toEqual(['drop syn-proxy-wait']);
    expect(judged(director.send(ofClient(ends, { options: OFFER }), 'cli', 1))).toEqual(['drop syn-proxy-wait']);
    expect(judged(director.send(ofServer(ends, { flags: ACK }), 'srv', 2))).toEqual(['drop syn-proxy-wait']);
    expect(director.connections(2)).toMatchObject([{ state: 'SYN_SENT' }]);
  });

  it('the SYN is sent again, three times, and then the client is refused', () => {
    const director = ready();
    const cookie = ask(director, ends, 0);
    const sentAt = (now: number) => {
      director.burst.reset();
      const count = director.process(now);
      return Array.from({ length: count }, (_, i) => director.outcome(i, now));
    };
    expect(sentAt(2999)).toEqual([]);
    for (const at of [3300, 6600, 9900]) {
      // Time alone sends nothing, and ends nothing.
      director.advance(at);
      const outcomes = sentAt(at);
      expect(judged(outcomes)).toEqual(['forward syn-proxied']);
      expect(outcomes[0]!.made).toBe(true);
      expect(left(outcomes)[0]).toMatchObject({
        out: 'srv',
        seq: ISN,
        flags: SYN,
        window: 65_535,
        options: { mss: isV6 ? 1440 : 1460, stamps: [1005, 0] },
      });
      expect(sentAt(at + 200)).toEqual([]);
    }
    director.advance(60_000);
    expect(director.connectionCount).toBe(1);
    const outcomes = director.send(ofClient(ends, { sport: 5 }), 'cli', 60_000);
    expect(judged(outcomes)).toEqual(['forward syn-cookie', 'forward syn-proxy-reset']);
    expect(left(outcomes)[1]).toMatchObject({ out: 'cli', seq: (cookie + 1) >>> 0, ack: ISN + 1, flags: RST | ACK });
    expect(director.connectionCount).toBe(0);
  });

  it("a server's refusal is the client's", () => {
    const director = ready();
    const cookie = ask(director, ends, 0);
    const outcomes = director.send(ofServer(ends, { seq: 0, flags: RST | ACK }), 'srv', 1);
    expect(judged(outcomes)).toEqual(['forward syn-proxy-reset']);
    expect(left(outcomes)[0]).toMatchObject({ out: 'cli', seq: (cookie + 1) >>> 0, ack: ISN + 1, flags: RST | ACK });
    expect(director.connectionCount).toBe(0);
  });

  it('a server that speaks of an older connection is told that there is none', () => {
    const director = ready();
    ask(director, ends, 0);
    const outcomes = director.send(ofServer(ends, { ack: 77, flags: ACK }), 'srv', 1);
    expect(judged(outcomes)).toEqual(['forward syn-proxy-reset']);
    expect(left(outcomes)[0]).toMatchObject({ out: 'srv', seq: 77, flags: RST });
    expect(judged(director.send(ofServer(ends, { ack: 77, flags: RST | ACK }), 'srv', 1))).toEqual([
      'drop syn-proxy-wait',
    ]);
    expect(judged(director.send(ofServer(ends, { options: OFFER }), 'srv', 2))[0]).toBe('forward syn-proxy-ack');
  });

  it('a server without timestamps, which its client was told of, and the client are refused', () => {
    const director = ready();
    const cookie = ask(director, ends, 0);
    const outcomes = director.send(ofServer(ends, { options: { mss: 1460 } }), 'srv', 1);
    expect(judged(outcomes)).toEqual(['drop syn-proxy-mismatch', 'forward syn-proxy-reset', 'forward syn-proxy-reset']);
    expect(left(outcomes)).toMatchObject([
      { out: 'cli', seq: (cookie + 1) >>> 0, flags: RST | ACK },
      { out: 'srv', seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: RST | ACK },
    ]);
    expect(director.connectionCount).toBe(0);
  });

  it('without a server the client is refused', () => {
    const director = ready();
    const [service] = director.services();
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    director.deleteDest(service!, service!.dests[0]!);
    const outcomes = director.send(ofClient(ends, acknowledge(answer!.seq)), 'cli', 10);
    expect(judged(outcomes)).toEqual(['drop no-dest', 'forward syn-proxy-reset']);
    expect(left(outcomes)[0]).toMatchObject({ out: 'cli', seq: (answer!.seq + 1) >>> 0, flags: RST });
  });

  it('a SYN does not end a connection that may begin again, but the answer to its cookie does', () => {
    const director = ready();
    open(director, ends, 0);
    const seq = ISN + 1;
    director.send(ofClient(ends, { seq, flags: RST }), 'cli', 1);
    expect(director.connections(1)).toMatchObject([{ state: 'CLOSE' }]);
    const outcomes = director.send(ofClient(ends, { seq: ISN + 5000, options: OFFER }), 'cli', 2);
    expect(judged(outcomes)).toEqual(['forward syn-cookie']);
    expect(director.connections(2)).toMatchObject([{ state: 'CLOSE' }]);
    const answer = acknowledge(left(outcomes)[0]!.seq, OFFER, { seq: ISN + 5001 });
    expect(judged(director.send(ofClient(ends, answer), 'cli', 3))).toEqual(['forward syn-proxied']);
    expect(director.connections(3)).toMatchObject([{ state: 'SYN_SENT' }]);
  });

  it('nor does an answer that opens none', () => {
    const director = ready();
    open(director, ends, 0);
    director.setSysctl({ synproxy_defer: 1 });
    director.send(ofClient(ends, { seq: ISN + 1, flags: RST }), 'cli', 1);
    const [cookie] = left(director.send(ofClient(ends, { seq: ISN + 5000, options: OFFER }), 'cli', 2));
    const answer = acknowledge(cookie!.seq, OFFER, { seq: ISN + 5001 });
    expect(judged(director.send(ofClient(ends, answer), 'cli', 3))).toEqual(['drop syn-proxy-wait']);
    expect(director.connections(3)).toMatchObject([{ state: 'CLOSE' }]);
  });

  it('the first segment of an ended connection, again, is no answer to another cookie', () => {
    const director = ready();
    const cookie = open(director, ends, 0);
    const first = acknowledge(cookie, OFFER, { payload: Uint8Array.of(1) });
    director.send(ofServer(ends, { seq: SERVER_ISN + 1, flags: FIN | ACK }), 'srv', 1);
    director.send(ofClient(ends, { seq: ISN + 2, ack: cookie + 2, flags: FIN | ACK }), 'cli', 2);
    expect(director.connections(3)).toMatchObject([{ state: 'TIME_WAIT' }]);
    expect(judged(director.send(ofClient(ends, first), 'cli', 3))).toEqual(['forward nat-in']);
  });

  it("a server's SYN-ACK that comes again is the client's to answer, and changes no state", () => {
    const director = ready();
    const cookie = open(director, ends, 0);
    const outcomes = director.send(ofServer(ends, { options: { ...OFFER, stamps: [950, 1005] } }), 'srv', 50);
    expect(judged(outcomes)).toEqual(['forward nat-out']);
    expect(left(outcomes)[0]).toMatchObject({ seq: cookie, ack: ISN + 1, flags: SYN | ACK });
    expect(director.connections(50)).toMatchObject([{ state: 'ESTABLISHED', expires: 900 }]);
    director.send(ofClient(ends, { seq: ISN + 1, ack: (cookie + 1) >>> 0, flags: FIN | ACK }), 'cli', 60);
    director.send(ofServer(ends, { options: { ...OFFER, stamps: [950, 1005] } }), 'srv', 70);
    expect(director.connections(70)).toMatchObject([{ state: 'CLOSE_WAIT' }]);
  });

  it('defer: a server is asked when the client has sent something', () => {
    const director = ready({ synproxy_defer: 1 });
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    expect(answer!.window).toBe(65_535);
    const third = acknowledge(answer!.seq);
    expect(judged(director.send(ofClient(ends, third), 'cli', 1))).toEqual(['drop syn-proxy-wait']);
    expect(director.connectionCount).toBe(0);
    const data = { ...third, payload: Uint8Array.of(1) };
    expect(judged(director.send(ofClient(ends, data), 'cli', 2))).toEqual(['forward syn-proxied']);
    const [other] = left(director.send(ofClient(ends, { sport: 5 }), 'cli', 3));
    const goodbye = acknowledge(other!.seq, {}, { sport: 5, flags: FIN | ACK });
    expect(judged(director.send(ofClient(ends, goodbye), 'cli', 4))).toEqual(['forward syn-proxied']);
  });
});
