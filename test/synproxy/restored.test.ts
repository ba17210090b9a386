/** A director that is restored in the middle of a handshake, or when it owes somebody a frame, goes on. */
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { moduleOf } from '../support/core.js';
import { judged } from '../support/lab.js';
import { acknowledge, ask, ENDS, ISN, left, OFFER, ofClient, ofServer, open, proxy, SERVER_ISN } from './lab.js';

const again = (director: Director, connections?: number): Director =>
  Director.restoreSync(director.snapshot(), {
    wasm: moduleOf('release'),
    ...(connections !== undefined && { plan: { connections, connections6: connections, extensions: connections } }),
  });

const sentAt = (director: Director, now: number) => {
  director.burst.reset();
  return Array.from({ length: director.process(now) }, (_, i) => director.outcome(i, now));
};

describe.each(ENDS)('%s', (_, ends) => {
  it('between cookie and answer', () => {
    const director = proxy(ends);
    const [answer] = left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    expect(judged(again(director).send(ofClient(ends, acknowledge(answer!.seq)), 'cli', 1))).toEqual([
      'forward syn-proxied',
    ]);
  });

  it('between SYN and SYN-ACK of the server', () => {
    const director = proxy(ends);
    const cookie = ask(director, ends, 0);
    const [third, update] = left(
      again(director, 5000).send(ofServer(ends, { options: { ...OFFER, stamps: [9, 1005] } }), 'srv', 1),
    );
    expect(third).toMatchObject({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, options: { stamps: [1005, 9] } });
    expect(update).toMatchObject({ seq: (cookie + 1) >>> 0, ack: ISN + 1 });
  });

  it.each([undefined, 5000])('while frames are owed, with room for %s', (connections) => {
    const director = proxy(ends);
    ask(director, ends, 0);
    director.advance(4000);
    const next = again(director, connections);
    expect(judged(sentAt(next, 4000))).toEqual(['forward syn-proxied']);
    expect(sentAt(next, 4000)).toEqual([]);
    expect(next.snapshot()).toEqual(again(next).snapshot());
  });

  it('in the middle of a stream', () => {
    const director = proxy(ends);
    const cookie = open(director, ends, 0);
    const words = { seq: (SERVER_ISN + 100) >>> 0, flags: 16, options: { stamps: [2000, 1005] as const } };
    const [before] = left(director.send(ofServer(ends, words), 'srv', 10));
    const [after] = left(again(director, 5000).send(ofServer(ends, words), 'srv', 10));
    expect(after).toEqual(before);
    expect(after!.seq).toBe((cookie + 100) >>> 0);
  });

  it('in the middle of a storm, with windows that are scaled', () => {
    const director = proxy(ends);
    const cookie = open(director, ends, 0, OFFER, { ...OFFER, scale: 3, stamps: [900, 1005] });
    const same = ofClient(ends, { seq: ISN + 1, ack: (cookie + 1) >>> 0, flags: 16 });
    for (let i = 1; i < 10; i++) expect(judged(director.send(same, 'cli', 10))).toEqual(['forward nat-in']);
    const next = again(director);
    expect(judged(next.send(same, 'cli', 10))).toEqual(['drop ack-storm']);
    const reply = ofServer(ends, { seq: (SERVER_ISN + 1) >>> 0, flags: 16, window: 160 });
    expect(left(next.send(reply, 'srv', 10))[0]!.window).toBe((160 << 3) >> 7);
  });
});

it('a thousand owed frames come in four calls, and nobody is forgotten', () => {
  const director = proxy(ENDS[0][1], { plan: { connections: 2000, arenaBytes: 1 << 20 } });
  const clients = Array.from({ length: 1000 }, (_, i) => i + 1024);
  for (const sport of clients) {
    const [answer] = left(director.send(ofClient(ENDS[0][1], { sport }), 'cli', 0));
    director.send(ofClient(ENDS[0][1], acknowledge(answer!.seq, {}, { sport })), 'cli', 0);
  }
  expect(director.connectionCount).toBe(1000);
  const ports = new Set<number>();
  const counts = [0, 1, 2, 3, 4].map((i) => {
    const outcomes = sentAt(director, 4000 + i);
    for (const { sport } of left(outcomes)) ports.add(sport);
    return outcomes.length;
  });
  expect(counts).toEqual([256, 256, 256, 232, 0]);
  expect(ports.size).toBe(1000);
});
