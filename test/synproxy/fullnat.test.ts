/** SYN proxy in front of dests by FullNAT: the same handshake, from a local address, with numbers that are the server's alone. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { judged } from '../support/lab.js';
import { ACK, FIN, RST, SYN } from '../support/packets.js';
import { acknowledge, FULL4, FULL6, ISN, left, OFFER, ofClient, ofServer, proxy, SERVER_ISN } from './lab.js';
import { isSame } from './segments.js';

const at = (base: number, offset: number): number => (base + offset) >>> 0;
const CASES = BINARIES.flatMap((binary) => ([FULL4, FULL6] as const).map((ends) => [binary, ends.vip, ends] as const));

describe.each(CASES)('%s, %s', (binary, _, ends) => {
  const asked = () => {
    const director = proxy(ends, { binary });
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    const cookie = answer!.seq;
    const outcomes = director.send(ofClient(ends, acknowledge(cookie)), 'cli', 0);
    expect(judged(outcomes)).toEqual(['forward syn-proxied']);
    const syn = left(outcomes)[0]!;
    const server = (words: object) =>
      director.send(ofServer(ends, { dport: syn.sport, ack: at(syn.seq, 1), ...words }), 'srv', 5);
    return { director, cookie, syn, server };
  };

  it('the server is asked from the local address, with a number of its own', () => {
    const { syn, director } = asked();
    expect(isSame(syn.source, ends.local!) && isSame(syn.destination, ends.server)).toBe(true);
    expect(syn).toMatchObject({ flags: SYN, window: 65_535, options: { stamps: [1005, 0], scale: 9 } });
    expect(syn.seq).not.toBe(ISN);
    expect(director.connections(1)).toMatchObject([{ state: 'SYN_SENT', method: 'fullnat' }]);
  });

  it('handshake and stream', () => {
    const { director, cookie, syn, server } = asked();
    const [third, update] = left(server({ options: { ...OFFER, stamps: [900, 1005] } }));
    expect(third).toMatchObject({
      out: 'srv',
      sport: syn.sport,
      seq: at(syn.seq, 1),
      ack: at(SERVER_ISN, 1),
      options: { stamps: [1005, 900] },
    });
    expect(update).toMatchObject({ out: 'cli', seq: at(cookie, 1), ack: at(ISN, 1) });
    const options = { sack: [at(cookie, 50), at(cookie, 60)] };
    const up = { seq: at(ISN, 1), ack: at(cookie, 20), flags: ACK, options };
    expect(left(director.send(ofClient(ends, up, 1), 'cli', 10))[0]).toMatchObject({
      seq: at(syn.seq, 1),
      ack: at(SERVER_ISN, 20),
      options: { sack: [at(SERVER_ISN, 50), at(SERVER_ISN, 60)] },
    });
    const down = {
      seq: at(SERVER_ISN, 20),
      ack: at(syn.seq, 30),
      flags: ACK,
      options: { sack: [at(syn.seq, 40), at(syn.seq, 44)] },
    };
    expect(left(server(down))[0]).toMatchObject({
      seq: at(cookie, 20),
      ack: at(ISN, 30),
      options: { sack: [at(ISN, 40), at(ISN, 44)] },
    });
    expect(left(server({ seq: at(SERVER_ISN, 20), flags: RST, ack: 0 }))[0]).toMatchObject({
      seq: at(cookie, 20),
      flags: RST,
    });
    expect(director.connections(10)).toMatchObject([{ state: 'CLOSE' }]);
  });

  it('refusal, and silence', () => {
    const { cookie, server, director } = asked();
    expect(left(server({ seq: 0, flags: RST | ACK }))[0]).toMatchObject({
      out: 'cli',
      seq: at(cookie, 1),
      ack: at(ISN, 1),
      flags: RST | ACK,
    });
    expect(director.connectionCount).toBe(0);
    const other = asked();
    other.director.burst.reset();
    expect(other.director.process(3300)).toBe(1);
    expect(left([other.director.outcome(0, 3300)])[0]).toMatchObject({
      seq: other.syn.seq,
      sport: other.syn.sport,
      flags: SYN,
    });
  });

  it('a later SYN of the client keeps the difference that the connection began with', () => {
    const { director, cookie, server, syn } = asked();
    server({ options: { ...OFFER, stamps: [900, 1005] } });
    const [again] = left(director.send(ofClient(ends, { seq: at(ISN, 777) }), 'cli', 6));
    expect(again).toMatchObject({ seq: at(syn.seq, 777), flags: SYN });
    const [heard] = left(server({ seq: at(SERVER_ISN, 1), flags: ACK }));
    expect(heard).toMatchObject({ seq: at(cookie, 1), ack: at(ISN, 1) });
  });

  it('the last segments go through', () => {
    const { director, cookie, server, syn } = asked();
    server({ options: { ...OFFER, stamps: [900, 1005] } });
    expect(left(server({ seq: at(SERVER_ISN, 1), flags: FIN | ACK }))[0]).toMatchObject({
      seq: at(cookie, 1),
      flags: FIN | ACK,
    });
    const fin = { seq: at(ISN, 1), ack: at(cookie, 2), flags: FIN | ACK };
    expect(left(director.send(ofClient(ends, fin), 'cli', 6))[0]).toMatchObject({
      seq: at(syn.seq, 1),
      ack: at(SERVER_ISN, 2),
    });
  });
});
