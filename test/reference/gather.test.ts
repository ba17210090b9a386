/** Fragments through the director: held, whole, and in pieces again. */
import { describe, expect, it } from 'vitest';
import { type IpPacket, parseIcmp, type ReferenceDest, serialiseIp } from '../../src/reference/index.js';
import { judged } from './builders.js';
import { ENDS, fragment4, fragment6, frame, packet, packetOf, plainDirector, udp } from './builders6.js';
import { toHex } from './support.js';

const { client, vip, server, own } = ENDS[4];
const six = ENDS[6];

function director(dest: ReferenceDest = { address: server, port: 5353, method: 'nat' }, options = {}) {
  const made = plainDirector(options);
  const address = dest.address.includes(':') ? six.vip : vip;
  const key = { protocol: 'udp', address, port: 53 } as const;
  made.addService({ ...key, scheduler: 'rr' });
  made.addDest(key, dest);
  return made;
}

/** A datagram of `size` bytes of UDP in pieces of 552. */
const pieces = (from: [string, number], to: [string, number], size: number, flags = 0): IpPacket[] => {
  const whole = udp(from, to, size - 8);
  const starts = Array.from({ length: Math.ceil(size / 552) }, (_, i) => i * 552);
  return starts.map((start) => fragment4(whole, start, 552, start + 552 < size, flags));
};

const sentPieces = (outcomes: { frame: Uint8Array }[]): IpPacket[] => outcomes.map((each) => packetOf(each.frame));
const sizes = (whole: IpPacket[]): number[] => whole.map((each) => serialiseIp(each).length);

describe('IPv4', () => {
  const parts = pieces([client, 1], [vip, 53], 1300);

  it.each([
    ['in order', [0, 1, 2]],
    ['backwards', [2, 1, 0]],
    ['mixed up', [1, 2, 0]],
  ])('%s, leaves with the boundaries that it had', (_, order) => {
    const made = director();
    const outcomes = order.map((i) => made.send(frame(parts[i]!), 'cli', 0));
    expect(judged(outcomes[0]!)).toEqual(['held fragment-held']);
    expect(judged(outcomes[1]!)).toEqual(['held fragment-held']);
    expect(judged(outcomes[2]!)).toEqual(['forward nat-in', 'forward fragment', 'forward fragment']);
    expect(sizes(sentPieces(outcomes[2]!))).toEqual([572, 572, 216]);
    expect(outcomes[2]!.map(({ made: isMade, outInterface }) => [isMade, outInterface])).toEqual([
      [false, 'srv'],
      [true, 'srv'],
      [true, 'srv'],
    ]);
    for (const sent of sentPieces(outcomes[2]!)) expect(sent).toMatchObject({ ttl: 63, identification: 0x1234 });
    expect(made.services()[0]!.stats).toMatchObject({ inPackets: 1n, inBytes: 1320n });
  });

  it('for the host is handed over whole', () => {
    const whole = udp([client, 1], [own, 99], 1292);
    const made = director();
    const [first, second, third] = pieces([client, 1], [own, 99], 1300).map((each) => made.send(frame(each), 'cli', 0));
    expect(judged([...first!, ...second!, ...third!])).toEqual([
      'held fragment-held',
      'held fragment-held',
      'local local-delivery',
    ]);
    expect(toHex(third![0]!.frame)).toBe(toHex(serialiseIp(whole)));
    expect(toHex(first![0]!.frame)).toBe(toHex(frame(pieces([client, 1], [own, 99], 1300)[0]!)));
  });

  it('of a server goes back translated, in its own pieces', () => {
    const made = director();
    made.send(frame(udp([client, 1], [vip, 53])), 'cli', 0);
    const outcomes = pieces([server, 5353], [client, 1], 1300).map((each) => made.send(frame(each, 'srv'), 'srv', 0));
    expect(judged(outcomes[2]!)).toEqual(['forward nat-out', 'forward fragment', 'forward fragment']);
    expect(sizes(sentPieces(outcomes[2]!))).toEqual([572, 572, 216]);
  });

  it('that passes is put together only where there are services, and only of protocols with ports, or ICMP', () => {
    const [first] = pieces([client, 1], [server, 99], 1300);
    const other = packet(client, server, 50, new Uint8Array(16), { flags: 1 });
    expect(judged(plainDirector().send(frame(first!), 'cli', 0))).toEqual(['forward routed']);
    expect(judged(director().send(frame(first!), 'cli', 0))).toEqual(['held fragment-held']);
    expect(judged(director().send(frame(other), 'cli', 0))).toEqual(['forward routed']);
    expect(judged(director({ address: six.server }).send(frame(first!), 'cli', 0))).toEqual(['forward routed']);
  });

  it('other than the first has no ports', () => {
    const made = director();
    made.send(frame(udp([client, 1], [vip, 53])), 'cli', 0);
    made.clear();
    const alike = { ...udp([server, 5353], [client, 1]), fragmentOffset: 9 } as IpPacket;
    expect(judged(made.send(frame(alike, 'srv'), 'srv', 0))).toEqual(['forward routed']);
  });

  it('that passes is cut again where it is too large, at its own place', () => {
    const made = plainDirector();
    const whole = udp([client, 1], [server, 99], 3992);
    const middle = fragment4(whole, 1600, 1608, true);
    const outcomes = made.send(frame(middle), 'cli', 0);
    expect(judged(outcomes)).toEqual(['forward routed', 'forward fragment']);
    expect(sentPieces(outcomes)).toMatchObject([
      { fragmentOffset: 200, flags: 1 },
      { fragmentOffset: 385, flags: 1 },
    ]);
    const last = made.send(frame(fragment4(whole, 1600, 2400, false)), 'cli', 0);
    expect(sentPieces(last)).toMatchObject([
      { fragmentOffset: 200, flags: 1 },
      { fragmentOffset: 385, flags: 0 },
    ]);
  });

  it('with DF is one packet that must not be cut', () => {
    const made = director();
    const toVip = pieces([client, 1], [vip, 53], 1600, 2).map((each) => made.send(frame(each), 'cli', 0));
    expect(judged(toVip.at(-1)!)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    expect(parseIcmp(packetOf(toVip.at(-1)![1]!.frame).payload)).toMatchObject({ rest: 1500 });
    const fits = pieces([client, 2], [vip, 53], 1300, 2).map((each) => made.send(frame(each), 'cli', 0));
    expect(judged(fits.at(-1)!)).toEqual(['forward nat-in', 'forward fragment', 'forward fragment']);
    // Linux does not cut what it routes, not even back into the pieces that it had.
    const passing = pieces([client, 3], [server, 99], 1300, 2).map((each) => made.send(frame(each), 'cli', 0));
    expect(judged(passing.at(-1)!)).toEqual(['drop too-big', 'forward fragmentation-needed']);
  });

  it('in a tunnel leaves in pieces no larger than they came', () => {
    const made = director({ address: server, method: 'tun' });
    const outcomes = pieces([client, 1], [vip, 53], 1300).map((each) => made.send(frame(each), 'cli', 0));
    expect(judged(outcomes[2]!)).toEqual(['forward tunnel-ipip', 'forward fragment', 'forward fragment']);
    expect(sizes(sentPieces(outcomes[2]!))).toEqual([572, 572, 236]);
  });

  it('asks each fragment for its hops and its size', () => {
    const made = director();
    const [first] = pieces([client, 1], [server, 99], 1300);
    expect(judged(made.send(frame({ ...first!, ttl: 1 } as IpPacket), 'cli', 0))).toEqual([
      'drop ttl-exceeded',
      'forward time-exceeded',
    ]);
    const later = { ...pieces([client, 1], [server, 99], 1300)[1]!, ttl: 1 } as IpPacket;
    expect(judged(made.send(frame(later), 'cli', 0))).toEqual(['drop ttl-exceeded']);
  });

  it('is given up after 30 s', () => {
    const made = director();
    const reason = (i: number, now: number) => made.send(frame(parts[i]!), 'cli', now)[0]!.reason;
    expect([reason(0, 0), reason(1, 29_999), reason(2, 29_999)]).toEqual(['fragment-held', 'fragment-held', 'nat-in']);
    expect([reason(0, 0), reason(1, 29_999), reason(2, 30_000)]).toEqual([
      'fragment-held',
      'fragment-held',
      'fragment-held',
    ]);
  });

  it('is refused beyond what may be held', () => {
    const few = director(undefined, { datagrams: 1 });
    few.send(frame(parts[0]!), 'cli', 0);
    expect(judged(few.send(frame({ ...parts[0]!, identification: 7 } as IpPacket), 'cli', 0))).toEqual([
      'drop fragment-limit',
    ]);
    const little = director(undefined, { fragmentBytes: 1143 });
    const verdicts = parts.slice(0, 2).map((each) => little.send(frame(each), 'cli', 0)[0]!.reason);
    expect(verdicts).toEqual(['fragment-held', 'fragment-limit']);
  });
});

describe('IPv6', () => {
  const whole = udp([six.client, 1], [six.vip, 53], 2992);
  const parts = [0, 1232, 2464].map((at) => fragment6(whole, at, 1232, at < 2464));
  const nat = { address: six.server, port: 5353, method: 'nat' } as const;

  it('is put together before anything else, and leaves in the pieces that it came in', () => {
    const made = director(nat);
    const outcomes = [2, 0, 1].map((i) => made.send(frame(parts[i]!), 'cli', 0));
    expect(outcomes.map((each) => judged(each))).toEqual([
      ['held fragment-held'],
      ['held fragment-held'],
      ['forward nat-in', 'forward fragment', 'forward fragment'],
    ]);
    expect(sizes(sentPieces(outcomes[2]!))).toEqual([1280, 1280, 584]);
    const identifications = sentPieces(outcomes[2]!).map((each) => toHex(each.payload.subarray(4, 8)));
    expect(new Set(identifications).size).toBe(1);
  });

  it('waits only where there are services for IPv6', () => {
    expect(judged(plainDirector().send(frame(parts[0]!), 'cli', 0))).toEqual(['local local-delivery']);
    expect(judged(director().send(frame(parts[0]!), 'cli', 0))).toEqual(['local local-delivery']);
    const passing = fragment6(udp([six.client, 1], [six.server, 53], 2992), 0, 1232, true);
    expect(judged(plainDirector().send(frame(passing), 'cli', 0))).toEqual(['forward routed']);
    expect(judged(director(nat).send(frame(passing), 'cli', 0))).toEqual(['held fragment-held']);
  });

  it('of one piece loses its fragment header', () => {
    const small = udp([six.client, 1], [six.vip, 53]);
    const [outcome] = director(nat).send(frame(fragment6(small, 0, 99, false)), 'cli', 0);
    expect(judged([outcome!])).toEqual(['forward nat-in']);
    expect(packetOf(outcome!.frame)).toMatchObject({ nextHeader: 17 });
  });

  it('that is no larger than its largest piece leaves whole', () => {
    const small = udp([six.client, 1], [six.server, 53], 56);
    const made = director(nat);
    made.send(frame(fragment6(small, 0, 56, true)), 'cli', 0);
    const [outcome, ...rest] = made.send(frame(fragment6(small, 56, 99, false)), 'cli', 0);
    expect(judged([outcome!, ...rest])).toEqual(['forward routed']);
    expect(packetOf(outcome!.frame)).toMatchObject({ nextHeader: 17, hopLimit: 63 });
  });

  it('in pieces larger than the way out is answered', () => {
    const made = director({ address: six.server, method: 'tun' });
    const large = [0, 1448].map((at) => fragment6(udp([six.client, 1], [six.vip, 53], 1992), at, 1448, at === 0));
    const [, last] = large.map((each) => made.send(frame(each), 'cli', 0));
    expect(judged(last!)).toEqual(['drop too-big', 'forward fragmentation-needed']);
  });

  it('that is malformed is told, if it was for us', () => {
    const made = director(nat);
    const odd = (to: string) => fragment6(udp([six.client, 1], [to, 53], 92), 0, 99, true);
    expect(judged(made.send(frame(odd(six.vip)), 'cli', 0))).toEqual([
      'drop fragment-malformed',
      'forward parameter-problem',
    ]);
    expect(judged(made.send(frame(odd(six.server)), 'cli', 0))).toEqual(['drop fragment-malformed']);
  });

  it('overlapping is given up, a duplicate alone', () => {
    const made = director(nat);
    const reason = (piece: IpPacket) => made.send(frame(piece), 'cli', 0)[0]!.reason;
    expect(reason(parts[0]!)).toBe('fragment-held');
    expect(reason(parts[0]!)).toBe('fragment-duplicate');
    expect(reason(fragment6(whole, 1224, 16, true))).toBe('fragment-overlap');
    expect([parts[1]!, parts[2]!].map(reason)).toEqual(['fragment-held', 'fragment-held']);
  });
});
