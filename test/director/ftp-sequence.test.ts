/** Numbers of segments whose connection had replies made longer or shorter by FTP's helper: adjusted both ways, as Linux's connection tracking does. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import {
  begun,
  CLIENT_ISN,
  left,
  PASSIVE,
  SERVER_ISN,
  type SegmentWords,
  Session,
  type SessionOptions,
  segment,
} from '../support/ftp.js';
import { restored } from '../support/fullnat.js';
import { fromServer, judged, SERVERS } from '../support/lab.js';
import { ACK, FIN, RST, SYN } from '../support/packets.js';

/** PASSIVE has 47 bytes, of which the service's address makes 48. */
const GROWTH = 1;
const NEXT = SERVER_ISN + PASSIVE.length;
const SHORT = '227 (1,1,1,1,9,9)\r\n';
const SHORT_GROWTH = 3;

const sack = (...edges: number[]): Uint8Array => {
  const bytes = new Uint8Array(2 + 4 * edges.length);
  bytes.set([5, bytes.length]);
  for (const [i, edge] of edges.entries()) new DataView(bytes.buffer).setUint32(2 + 4 * i, edge);
  return bytes;
};
const options = (...parts: (Uint8Array | number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

describe.each(BINARIES)('%s', (binary) => {
  /** A control connection whose server sent one reply that became longer. */
  const grown = (more: SessionOptions = {}) => {
    const session = new Session({ binary, ...more }).open();
    session.toServer({ text: 'PASV\r\n' });
    session.toClient({ text: PASSIVE });
    return session;
  };
  const toClient = (session: Session, words: SegmentWords) => left(session.toClient(words));
  const toServer = (session: Session, words: SegmentWords) => left(session.toServer(words));

  it('nothing is adjusted before', () => {
    const session = new Session({ binary }).open();
    expect(toClient(session, { seq: 77, ack: 88 })).toMatchObject({ seq: 77, ack: 88 });
    session.reply('PASV\r\n', '227 (10,0,0,100,156,64)\r\n');
    expect(toClient(session, { seq: 0xffff_0000, ack: 88 })).toMatchObject({ seq: 0xffff_0000, ack: 88 });
  });

  it('of the server those behind the reply, of the client what it acknowledges of these', () => {
    const session = grown();
    expect(toClient(session, { seq: NEXT, text: 'x' })).toMatchObject({
      seq: NEXT + GROWTH,
      ack: CLIENT_ISN,
      right: true,
    });
    expect(toServer(session, { ack: NEXT + GROWTH })).toMatchObject({ seq: CLIENT_ISN, ack: NEXT, right: true });
    expect(toServer(session, { ack: NEXT + GROWTH + 1 })).toMatchObject({ ack: NEXT + 1, right: true });
  });

  it('what lies before keeps its number, and so does the reply itself', () => {
    const session = grown();
    expect(toClient(session, { seq: SERVER_ISN - 1 })).toMatchObject({ seq: SERVER_ISN - 1, right: true });
    expect(toClient(session, { seq: SERVER_ISN })).toMatchObject({ seq: SERVER_ISN, right: true });
    expect(toClient(session, { seq: SERVER_ISN + 1 })).toMatchObject({ seq: SERVER_ISN + 1 + GROWTH, right: true });
    expect(toServer(session, { ack: SERVER_ISN })).toMatchObject({ ack: SERVER_ISN, right: true });
  });

  it('a SYN has no acknowledgement, nor has a reset without one', () => {
    const session = grown();
    expect(toServer(session, { flags: RST, ack: NEXT + GROWTH })).toMatchObject({ ack: NEXT + GROWTH, right: true });
    expect(toClient(session, { flags: RST, seq: NEXT, ack: 5 })).toMatchObject({ seq: NEXT + GROWTH, ack: 5 });
  });

  it('a FIN, too', () => {
    const session = grown();
    expect(toClient(session, { flags: FIN | ACK, seq: NEXT })).toMatchObject({ seq: NEXT + GROWTH, right: true });
    expect(toServer(session, { flags: FIN | ACK, ack: NEXT + 1 + GROWTH })).toMatchObject({
      ack: NEXT + 1,
      right: true,
    });
  });

  it('flags and headers that no segment has leave it as it is', () => {
    for (const flags of [0, SYN | FIN, SYN | RST, FIN, FIN | RST | ACK, 63]) {
      expect(toServer(grown(), { flags, ack: NEXT + GROWTH })).toMatchObject({ ack: NEXT + GROWTH });
    }
  });

  it('a reply that is sent again is rewritten again only after a command, and counts once', () => {
    const session = grown();
    session.toServer({ text: 'PASV\r\n' });
    expect(toClient(session, { text: PASSIVE })).toMatchObject({ seq: SERVER_ISN, right: true });
    expect(toClient(session, { seq: NEXT })).toMatchObject({ seq: NEXT + GROWTH });
  });

  it('changes add up; Linux knows of the last one where it is', () => {
    const session = grown();
    session.toServer({ text: 'PASV\r\n' });
    expect(toClient(session, { seq: NEXT, text: SHORT })).toMatchObject({
      seq: NEXT + GROWTH,
      text: '227 (10,0,0,100,9,9)\r\n',
      right: true,
    });
    const after = NEXT + SHORT.length;
    expect(toClient(session, { seq: after })).toMatchObject({ seq: after + GROWTH + SHORT_GROWTH });
    // What lay before the first has its sum, too.
    expect(toClient(session, { seq: SERVER_ISN })).toMatchObject({ seq: SERVER_ISN + GROWTH });
    expect(toServer(session, { ack: after + GROWTH + SHORT_GROWTH })).toMatchObject({ ack: after });
    expect(toServer(session, { ack: NEXT + GROWTH })).toMatchObject({ ack: NEXT });
  });

  it('a reply that becomes shorter', () => {
    const session = new Session({ binary }).open();
    const reply = '227 (0010,0001,0000,0011,0156,0064)\r\n';
    expect(session.reply('PASV\r\n', reply)).toMatchObject({ text: '227 (10,0,0,100,156,64)\r\n', right: true });
    const next = SERVER_ISN + reply.length;
    expect(toClient(session, { seq: next })).toMatchObject({ seq: next - 12, right: true });
    expect(toServer(session, { ack: next - 12 })).toMatchObject({ ack: next, right: true });
  });

  it('numbers wrap', () => {
    const session = new Session({ binary }).open();
    session.toServer({ text: 'PASV\r\n' });
    const seq = 0xffff_fff0;
    expect(toClient(session, { seq, text: PASSIVE })).toMatchObject({ seq, right: true });
    const next = (seq + PASSIVE.length) >>> 0;
    expect(toClient(session, { seq: next })).toMatchObject({ seq: next + GROWTH, right: true });
    expect(toServer(session, { ack: next + GROWTH })).toMatchObject({ ack: next, right: true });
    expect(toServer(session, { ack: seq })).toMatchObject({ ack: seq, right: true });
  });

  describe('what is acknowledged out of order', () => {
    const edges = [NEXT + GROWTH + 10, NEXT + GROWTH + 20];
    const expected = [NEXT + 10, NEXT + 20];

    it('follows', () => {
      const got = toServer(grown(), { tcpOptions: options([1, 1], sack(...edges), [1, 0, 0, 0]) });
      expect(got).toMatchObject({ options: options([1, 1], sack(...expected), [1, 0, 0, 0]), right: true });
    });

    it('several blocks, each edge by itself', () => {
      const got = toServer(grown(), { tcpOptions: options([1, 1], sack(...edges, SERVER_ISN - 9, SERVER_ISN)) });
      expect(got).toMatchObject({
        options: options([1, 1], sack(...expected, SERVER_ISN - 9, SERVER_ISN)),
        right: true,
      });
    });

    it('at an odd place', () => {
      const got = toServer(grown(), { tcpOptions: options([1], sack(...edges), [0]) });
      expect(got).toMatchObject({ options: options([1], sack(...expected), [0]), right: true });
    });

    it('of the server follows the client, who never changes', () => {
      const got = toClient(grown(), { tcpOptions: options([1, 1], sack(...edges)) });
      expect(got).toMatchObject({ options: options([1, 1], sack(...edges)), right: true });
    });

    it.each([
      ['behind the end', options([0, 1], sack(...edges))],
      ['no whole block', options([5, 9, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0])],
      ['without a block', options([5, 2], [1, 1])],
    ])('not %s', (_, tcpOptions) => {
      expect(toServer(grown(), { tcpOptions })).toMatchObject({ options: tcpOptions, right: true });
    });

    it.each([
      ['without a length', [1, 1, 1, 8]],
      ['too short', [8, 1, 1, 1]],
      ['too long', [1, 1, 8, 3]],
    ])('an option %s: the segment is dropped, but counted', (_, bytes) => {
      const session = grown();
      const before = session.director.services()[0]?.stats.outPackets ?? 0n;
      const tcpOptions = Uint8Array.from(bytes);
      expect(judged(session.toServer({ tcpOptions }))).toEqual(['drop tcp-option']);
      expect(judged(session.toClient({ tcpOptions }))).toEqual(['drop tcp-option']);
      expect(session.director.services()[0]?.stats.outPackets).toBe(before + 1n);
      // Nobody looks at options of what has nothing to be adjusted.
      expect(judged(new Session({ binary }).open().toServer({ tcpOptions }))).toEqual(['forward nat-in']);
    });
  });

  describe('a reply that grows', () => {
    it('is counted as long as it left', () => {
      const session = new Session({ binary }).open();
      const bytes = () => session.director.services()[0]?.stats.outBytes ?? 0n;
      const before = bytes();
      session.reply('PASV\r\n', PASSIVE);
      expect(bytes() - before).toBe(BigInt(40 + PASSIVE.length + GROWTH));
    });

    it.each([
      [1460 - GROWTH, true, 'forward nat-out'],
      [1460, true, 'drop too-big'],
      [1460, false, 'forward nat-out, forward fragment'],
    ])('to %i bytes of data and one, DF %s: %s', (length, df, expected) => {
      const session = new Session({ binary }).open();
      session.toServer({ text: 'PASV\r\n' });
      const text = PASSIVE.padEnd(length, 'x');
      expect(judged(session.toClient({ text, df })).join(', ')).toBe(expected);
    });

    it('in pieces leaves cut by the longest', () => {
      const session = new Session({ binary }).open();
      session.toServer({ text: 'PASV\r\n' });
      const ends = { source: SERVERS[0], destination: session.client, sport: 21, dport: 37_000 };
      const text = PASSIVE.padEnd(200, 'x');
      const pieces = fragmentsOf(segment({ ...ends, seq: SERVER_ISN, ack: CLIENT_ISN, text }), [80, 120]);
      const outcomes = pieces.flatMap((piece) => session.director.send(fromServer(piece), 'srv', 0));
      const lengths = outcomes.filter(({ verdict }) => verdict === 'forward').map(({ frame }) => frame.length - 34);
      expect(lengths).toEqual([96, 96, 29]);
    });

    it('in pieces leaves so also if nobody waits for one', () => {
      const session = new Session({ binary }).open();
      const ends = { source: SERVERS[0], destination: session.client, sport: 21, dport: 37_000 };
      const text = '226 done'.padEnd(200, 'x');
      const pieces = fragmentsOf(segment({ ...ends, seq: SERVER_ISN, ack: CLIENT_ISN, text }), [24]);
      const outcomes = pieces.flatMap((piece) => session.director.send(fromServer(piece), 'srv', 0));
      const lengths = outcomes.filter(({ verdict }) => verdict === 'forward').map(({ frame }) => frame.length - 14);
      expect(lengths).toEqual([212, 48]);
    });

    it('without room in front is dropped', () => {
      const session = new Session({ binary }).open();
      session.toServer({ text: 'PASV\r\n' });
      const ends = { source: SERVERS[0], destination: session.client, sport: 21, dport: 37_000 };
      const frame = fromServer(segment({ ...ends, seq: SERVER_ISN, ack: CLIENT_ISN, text: SHORT }));
      const { burst, director } = { burst: session.director.burst, director: session.director };
      for (const [headroom, verdict] of [
        [SHORT_GROWTH - 1, 'no-headroom'],
        [SHORT_GROWTH, 'nat-out'],
      ] as const) {
        session.toServer({ text: 'PASV\r\n' });
        burst.reset();
        const at = burst.hold(4096) + 256;
        burst.bytes.set(frame, at);
        burst.place(at, frame.length, headroom, 2);
        director.process(0);
        expect(director.counters()[verdict]).toBeGreaterThan(0n);
      }
    });
  });

  it('a checksum that is only begun is finished', () => {
    const session = new Session({ binary }).open();
    session.toServer({ text: 'PASV\r\n' });
    const ends = { source: SERVERS[0], destination: session.client, sport: 21, dport: 37_000 };
    for (const [words, seq] of [
      [{ seq: SERVER_ISN, text: PASSIVE }, SERVER_ISN],
      [{ seq: NEXT, text: 'abc' }, NEXT + GROWTH],
    ] as const) {
      const whole = segment({ ...ends, ack: CLIENT_ISN, ...words });
      const frame = fromServer(begun(whole));
      expect(left(session.director.send(frame, 'srv', 0, { partialChecksum: true }))).toMatchObject({
        seq,
        right: true,
      });
    }
  });
});

it('a restored director goes on with them, and lets the control connection live as long as what it controls', () => {
  const session = new Session().open();
  session.reply('PASV\r\n', PASSIVE);
  const data = { sport: 50_001, dport: 40_000 };
  session.toServer({ ...data, flags: SYN });
  session.toClient({ sport: 40_000, dport: 50_001, flags: SYN | ACK });
  session.toServer(data);
  session.now = 800_000;
  session.toServer(data);
  Object.assign(session, { director: restored(session.director) });
  expect(left(session.toClient({ sport: 40_000, dport: 50_001, seq: 5 }))).toMatchObject({ seq: 5 });
  session.director.advance(1_000_000);
  expect(session.director.connectionCount).toBe(2);
  session.now = 1_000_000;
  expect(left(session.toClient({ seq: NEXT, text: 'x' }))).toMatchObject({ seq: NEXT + GROWTH, right: true });
});
