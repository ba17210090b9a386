/** ICMP errors about connections by NAT64, both ways: what they say, and what they quote (RFC 7915 §4.2, §5.2). */
import { describe, expect, it } from 'vitest';
import {
  findIpv4Fault,
  type IpPacket,
  isIpv6,
  parseIcmp,
  parseIp,
  type ReferenceDirector,
  serialiseIp,
} from '../../src/reference/index.js';
import { judged } from './builders.js';
import { ENDS, fragment6, icmpError, udp } from './builders6.js';
import { ACK, addresses, endsOf, SYN, segment } from './fullnat.js';
import { answer, ask, CLIENT, FIRST, INNER, key, left, mtus, nat64, SERVER, VIP, wholeLeft } from './nat64.js';

const ROUTER = { 4: '10.1.0.254', 6: ENDS[6].far } as const;

function opened(words = {}, options = {}): { director: ReferenceDirector; number: number } {
  const director = nat64(words, options);
  const [outcome] = ask(director, segment([CLIENT, 7], [VIP, 80], { flags: SYN, seq: 100 }));
  return { director, number: new DataView(left(outcome).payload.slice().buffer).getUint32(4) };
}

/** What the server sees of the client's packets, and the client of the server's. */
const fromLocal = (seq: number) => segment([INNER, FIRST], [SERVER, 8080], { seq, ack: 1, data: new Uint8Array(600) });
const fromVirtual = (data = 600) =>
  segment([VIP, 80], [CLIENT, 7], { seq: 7000, ack: 101, data: new Uint8Array(data) }, { tos: 0xb9, ttl: 33 });

type Said = [type: number, code: number, rest: number];
const said = ({ payload }: IpPacket): Said => {
  const { type, code, rest } = parseIcmp(payload);
  return [type, code, rest];
};
const quoteIn = ({ payload }: IpPacket): Uint8Array => parseIcmp(payload).payload;

describe('from the server’s side', () => {
  const told = (words: Said, { director, number } = opened(), bytes = serialiseIp(fromLocal(number + 50))) =>
    answer(director, icmpError([ROUTER[4], INNER], words, bytes, { ttl: 9, tos: 0xc0 }));

  it('goes from the virtual end to the client, about the client’s own packet', () => {
    const [outcome] = told([3, 3, 0]);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'cli' });
    const sent = wholeLeft(outcome);
    expect(endsOf(sent)).toEqual(addresses(VIP, CLIENT));
    expect(sent).toMatchObject({ trafficClass: 0xc0, flowLabel: 0, hopLimit: 8, nextHeader: 58 });
    expect(said(sent)).toEqual([1, 4, 0]);
    const quote = parseIp(quoteIn(sent));
    expect(endsOf(quote)).toEqual(addresses(CLIENT, VIP));
    expect(quote).toMatchObject({ trafficClass: 0, hopLimit: 64, nextHeader: 6 });
    const view = new DataView(quote.payload.buffer);
    expect([view.getUint16(0), view.getUint16(2), view.getUint32(4)]).toEqual([7, 80, 150]);
    expect(quote.payload).toHaveLength(620);
    // As the server got it.
    expect(quote.payload.slice(16, 18)).toEqual(fromLocal(opened().number + 50).payload.slice(16, 18));
  });

  it.each([
    ...[0, 1, 5, 6, 7, 8, 11, 12].map((code) => [3, code, 1, 0] as const),
    ...[9, 10, 13, 15].map((code) => [3, code, 1, 1] as const),
    ...[0, 1].map((code) => [11, code, 3, code] as const),
  ])('says %i/%i as %i/%i', (type, code, ...as) => {
    expect(said(left(told([type, code, 0])[0]))).toEqual([...as, 0]);
  });

  it('says that a protocol is unreachable of the next header', () => {
    expect(said(left(told([3, 2, 0])[0]))).toEqual([4, 1, 6]);
  });

  it('points to the field of IPv6', () => {
    const pointers: [number, number][] = [
      ...([0, 1] as const).map((at) => [at, at] as [number, number]),
      ...([2, 3] as const).map((at) => [at, 4] as [number, number]),
      [8, 7],
      [9, 6],
      ...[12, 15].map((at) => [at, 8] as [number, number]),
      ...[16, 19].map((at) => [at, 24] as [number, number]),
    ];
    const found = pointers.map(([at]) => [0, 2].map((code) => said(left(told([12, code, at * 2 ** 24])[0]))));
    expect(found).toEqual(
      pointers.map(([, at]) => [
        [4, 0, at],
        [4, 0, at],
      ]),
    );
  });

  it.each([
    ...[14, 16, 255].map((code): Said => [3, code, 0]),
    [11, 2, 0],
    [12, 1, 0],
    [4, 0, 0],
    ...[4, 5, 6, 7, 10, 11, 20, 255].map((at): Said => [12, 0, at * 2 ** 24]),
  ])('is dropped where IPv6 has no word for it (%i/%i, %i)', (...words) => {
    const { director, number } = opened();
    const before = director.services()[0]!.stats.outPackets;
    expect(judged(told(words, { director, number }))).toEqual(['drop icmp-untranslatable']);
    expect(director.services()[0]!.stats.outPackets).toBe(before + 1n);
  });

  it('leaves the host what IPVS does not look at', () => {
    expect(judged(told([5, 1, 0]))).toEqual(['local local-delivery']);
    const other = segment([INNER, FIRST + 1], [SERVER, 8080], {});
    expect(judged(told([12, 0, 0], opened(), serialiseIp(other)))).toEqual(['local local-delivery']);
  });

  it('tells the room that IPv6 has, never less than 1280', () => {
    const mtu = (rest: number, where = opened()) => said(left(told([3, 4, rest], where)[0]));
    expect(mtu(1400)).toEqual([2, 0, 1420]);
    expect(mtu(1000)).toEqual([2, 0, 1280]);
    expect(mtu(1400, opened({}, { network: mtus(1300, 1500) }))).toEqual([2, 0, 1300]);
    expect(mtu(1400, opened({ carry: 'toa' }))).toEqual([2, 0, 1400]);
  });

  it('guesses where the router tells no room', () => {
    const { director, number } = opened();
    const long = segment([INNER, FIRST], [SERVER, 8080], { seq: number, data: new Uint8Array(1453) });
    expect(said(left(told([3, 4, 0], { director, number }, serialiseIp(long).slice(0, 100))[0]))).toEqual([2, 0, 1500]);
    const wide = opened({}, { network: mtus(9000, 9000) });
    const longer = segment([INNER, FIRST], [SERVER, 8080], { seq: number, data: new Uint8Array(4313) });
    expect(said(left(told([3, 4, 0], wide, serialiseIp(longer).slice(0, 100))[0]))).toEqual([2, 0, 4372]);
  });

  it('quotes no more than IPv6 carries in any case, and what lengths the packet told', () => {
    const { director, number } = opened();
    const long = segment([INNER, FIRST], [SERVER, 8080], { seq: number, data: new Uint8Array(1400) });
    const sent = left(told([3, 1, 0], { director, number }, serialiseIp(long))[0]);
    expect(serialiseIp(sent)).toHaveLength(1280);
    expect([...quoteIn(sent).slice(4, 6)]).toEqual([1420 >> 8, 1420 & 0xff]);
    expect(judged(told([3, 1, 0], { director, number }, serialiseIp(long).slice(0, 28)))).toEqual(['forward icmp-out']);
  });

  it('leaves extensions behind the quotation out', () => {
    const bytes = new Uint8Array(160).fill(0xee);
    const at = opened();
    bytes.set(serialiseIp(fromLocal(at.number)).slice(0, 128));
    const sent = left(told([3, 1, 32 << 16], at, bytes)[0]);
    expect(said(sent)).toEqual([1, 0, 0]);
    expect(quoteIn(sent)).toHaveLength(148);
    // Never without what tells the connection.
    expect(quoteIn(left(told([3, 1, 1 << 16], at, bytes)[0]))).toHaveLength(48);
  });

  it('quotes a length of 0 of a packet that says it is shorter than its header', () => {
    const at = opened();
    const shorter = serialiseIp(fromLocal(at.number));
    shorter.set([0, 7], 2);
    expect([...quoteIn(left(told([3, 1, 0], at, shorter)[0])).slice(4, 6)]).toEqual([0, 0]);
  });

  it('is dropped for a wrong checksum, and when its hops are spent', () => {
    const { director, number } = opened();
    const wrong = icmpError([ROUTER[4], INNER], [3, 1, 0], serialiseIp(fromLocal(number)));
    wrong.payload[2] = wrong.payload[2]! ^ 1;
    expect(judged(answer(director, wrong))).toEqual(['drop icmp-checksum']);
    const spent = icmpError([ROUTER[4], INNER], [3, 1, 0], serialiseIp(fromLocal(number)), { ttl: 1 });
    expect(judged(answer(director, spent))).toEqual(['drop ttl-exceeded']);
  });
});

describe('from the client’s side', () => {
  const told = (words: Said, director = opened().director, bytes = serialiseIp(fromVirtual()), to: string = VIP) =>
    ask(director, icmpError([ROUTER[6], to], words, bytes, { ttl: 9, tos: 0x44 }));

  it('goes from the local end to the server, about the server’s own packet', () => {
    const [outcome] = told([1, 4, 0]);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'srv' });
    const sent = wholeLeft(outcome);
    expect(endsOf(sent)).toEqual(addresses(INNER, SERVER));
    expect(sent).toMatchObject({ tos: 0x44, ttl: 8, protocol: 1, flags: 0, identification: 2 });
    expect(said(sent)).toEqual([3, 3, 0]);
    expect(findIpv4Fault(quoteIn(sent))).toBe(undefined);
    const quote = parseIp(quoteIn(sent));
    expect(endsOf(quote)).toEqual(addresses(SERVER, INNER));
    expect(quote).toMatchObject({ tos: 0xb9, ttl: 33, protocol: 6, flags: 0, identification: 0 });
    const view = new DataView(quote.payload.buffer);
    expect([view.getUint16(0), view.getUint16(2), view.getUint32(4)]).toEqual([8080, FIRST, 7000]);
    expect(quote.payload.slice(16, 18)).toEqual(fromVirtual().payload.slice(16, 18));
  });

  it.each([
    [1, 0, 3, 1],
    [1, 1, 3, 10],
    [1, 2, 3, 1],
    [1, 3, 3, 1],
    [1, 4, 3, 3],
    [3, 0, 11, 0],
    [3, 1, 11, 1],
    [4, 1, 3, 2],
  ])('says %i/%i as %i/%i', (type, code, ...as) => {
    expect(said(wholeLeft(told([type, code, 0])[0]))).toEqual([...as, 0]);
  });

  it('points to the field of IPv4', () => {
    const pointers = [
      [0, 0],
      [1, 1],
      ...[4, 5].map((at) => [at, 2]),
      [6, 9],
      [7, 8],
      ...[8, 23].map((at) => [at, 12]),
      ...[24, 39].map((at) => [at, 16]),
    ] as [number, number][];
    const found = pointers.map(([at]) => said(left(told([4, 0, at])[0])));
    expect(found).toEqual(pointers.map(([, at]) => [12, 0, at * 2 ** 24]));
  });

  it.each([
    ...[5, 6, 255].map((code): Said => [1, code, 0]),
    [3, 2, 0],
    [4, 2, 0],
    [4, 3, 0],
    ...[2, 3, 40, 0x01000000].map((at): Said => [4, 0, at]),
    [5, 0, 0],
    [100, 0, 0],
  ])('is dropped where IPv4 has no word for it (%i/%i, %i)', (...words) => {
    expect(judged(told(words))).toEqual(['drop icmp-untranslatable']);
  });

  it('tells the room that IPv4 has', () => {
    const mtu = (rest: number, director = opened().director) => said(left(told([2, 0, rest], director)[0]));
    expect(mtu(1400)).toEqual([3, 4, 1380]);
    expect(mtu(50)).toEqual([3, 4, 68]);
    expect(mtu(0xffffffff)).toEqual([3, 4, 1500]);
    expect(mtu(1400, opened({}, { network: mtus(1500, 1300) }).director)).toEqual([3, 4, 1300]);
    // What its code says nobody looks at.
    expect(said(left(told([2, 7, 1400])[0]))).toEqual([3, 4, 1380]);
  });

  it('leaves extension headers of the quotation out, and fragments’ too', () => {
    const whole = fromVirtual();
    const piece = fragment6(whole, 0, 400, true);
    expect(isIpv6(piece)).toBe(true);
    const quote = quoteIn(left(told([1, 4, 0], opened().director, serialiseIp(piece))[0]));
    expect([...quote.slice(0, 12)]).toMatchObject({ 2: 420 >> 8, 3: 420 & 0xff, 4: 0, 5: 0, 6: 0, 7: 0, 9: 6 });
    expect(quote).toHaveLength(420);
  });

  it('is no longer than the way to the server, and never in pieces', () => {
    const long = serialiseIp(fromVirtual(1300)).slice(0, 1232);
    const sent = told([1, 4, 0], opened({}, { network: mtus(1500, 600) }).director, long);
    expect(judged(sent)).toEqual(['forward icmp-in']);
    expect(serialiseIp(wholeLeft(sent[0]))).toHaveLength(600);
  });

  it('does not go on to a server that is the director if it was only passing, whatever it says', () => {
    const { director } = opened();
    director.addDest(key('udp'), { address: INNER, port: 8080, method: 'fullnat' });
    director.deleteDest(key('udp'), { address: SERVER, port: 8080 });
    ask(director, udp([CLIENT, 9], [VIP, 80]));
    const about = serialiseIp(udp([VIP, 80], [CLIENT, 9]));
    for (const words of [
      [1, 4, 0],
      [4, 2, 0],
    ] satisfies Said[]) {
      expect(judged(told(words, director, about, 'fd00:1::77'))).toEqual(['drop local-boundary']);
    }
  });

  it('opens a connection with schedule_icmp', () => {
    const director = nat64({}, { sysctl: { schedule_icmp: 1 } });
    const about = udp([VIP, 80], [CLIENT, 9]);
    expect(judged(told([1, 4, 0], director, serialiseIp(about)))).toEqual(['forward icmp-in']);
  });

  it('keeps its hops by the other profiles', () => {
    const sent = wholeLeft(told([1, 4, 0], opened({ profile: 'alibaba' }).director)[0]);
    expect(sent).toMatchObject({ tos: 0, ttl: 9, flags: 2, identification: 0 });
  });
});

describe('of the director itself', () => {
  it('speaks to either side in its own family', () => {
    const { director } = opened();
    const [, told] = ask(director, segment([CLIENT, 7], [VIP, 80], { flags: ACK, seq: 101 }, { ttl: 1 }));
    expect(endsOf(parseIp(quoteIn(wholeLeft(told))))).toEqual(addresses(CLIENT, VIP));
    const [, other] = answer(director, segment([SERVER, 8080], [INNER, FIRST], { flags: ACK }, { ttl: 1 }));
    expect(endsOf(parseIp(quoteIn(wholeLeft(other))))).toEqual(addresses(SERVER, INNER));
  });
});
