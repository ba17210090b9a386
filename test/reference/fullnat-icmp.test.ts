/** ICMP errors about connections by FullNAT, both ways, and those of the director itself. */
import { describe, expect, it } from 'vitest';
import { type IpPacket, isIpv6, parseIcmp, serialiseIp } from '../../src/reference/index.js';
import { judged } from './builders.js';
import { checksumIsRight, ENDS, frame, icmpError, udp } from './builders6.js';
import { ACK, addresses, endsOf, fullnat, hopsOf, LOCAL, NOW, packetIn, SYN, segment, Talk } from './fullnat.js';

const UNREACHABLE: Record<4 | 6, [number, number, number]> = { 4: [3, 1, 0], 6: [1, 3, 0] };

const quoteIn = ({ payload }: IpPacket): Uint8Array => parseIcmp(payload).payload;

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, vip, server, far, inner } = ENDS[family];
  const header = family === 4 ? 20 : 40;
  const [source, destination] = family === 4 ? [12, 16] : [8, 24];

  /** Addresses, ports and number of a quoted segment. */
  const quoted = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const address = (at: number) => bytes.slice(at, at + destination - source).join('.');
    return [address(source), view.getUint16(header), address(destination), view.getUint16(header + 2)];
  };
  const quotedNumber = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(header + 4);
  const ends = (from: string, sport: number, to: string, dport: number) =>
    quoted(serialiseIp(udp([from, sport], [to, dport], 0)));

  function opened(words = {}) {
    const talk = new Talk(fullnat(words), family);
    const { segment: sent } = talk.client({ flags: SYN, seq: 100 });
    return { talk, number: sent.sequence };
  }
  const error = (from: string, to: string, about: IpPacket, cutAt?: number) =>
    icmpError([from, to], UNREACHABLE[family], serialiseIp(about).slice(0, cutAt), { ttl: 9 });

  it('goes to the server as from the local end, whoever sent it', () => {
    const { talk } = opened();
    const about = segment([vip, 80], [client, 40_001], { seq: 7000, ack: 101 });
    for (const from of [client, far]) {
      const [outcome] = talk.director.send(frame(error(from, vip, about)), 'cli', NOW);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'srv' });
      const sent = packetIn(outcome!);
      expect(endsOf(sent)).toEqual(addresses(LOCAL[family], server));
      expect(quoted(quoteIn(sent))).toEqual(ends(server, 8080, LOCAL[family], 1024));
      expect(quotedNumber(quoteIn(sent))).toBe(7000);
      expect(hopsOf(sent)).toBe(8);
      if (isIpv6(sent)) expect(checksumIsRight(sent)).toBe(true);
    }
  });

  it('goes to the client as from the virtual address, with the client’s own number', () => {
    const { talk, number } = opened();
    const about = segment([LOCAL[family], 1024], [server, 8080], { seq: (number + 50) >>> 0, ack: 1 });
    for (const from of [server, family === 4 ? '10.1.0.254' : 'fd00:1::fe']) {
      const [outcome] = talk.director.send(frame(error(from, LOCAL[family], about), 'srv'), 'srv', NOW);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'cli' });
      const sent = packetIn(outcome!);
      expect(endsOf(sent)).toEqual(addresses(vip, client));
      expect(quoted(quoteIn(sent))).toEqual(ends(client, 40_001, vip, 80));
      expect(quotedNumber(quoteIn(sent))).toBe(150);
      expect(hopsOf(sent)).toBe(8);
      if (isIpv6(sent)) expect(checksumIsRight(sent)).toBe(true);
    }
  });

  it('changes the number only where all of it is quoted', () => {
    const { talk } = opened();
    const about = segment([LOCAL[family], 1024], [server, 8080], { seq: 1, ack: 1 });
    for (const left of [4, 7]) {
      const [outcome] = talk.director.send(
        frame(error(server, LOCAL[family], about, header + left), 'srv'),
        'srv',
        NOW,
      );
      const quote = quoteIn(packetIn(outcome!));
      expect(quoted(quote)).toEqual(ends(client, 40_001, vip, 80));
      expect([...quote.slice(header + 4)]).toEqual([0, 0, 0].slice(0, left - 4));
    }
  });

  it('leaves the quoted checksum, and the hops where the profile does', () => {
    const { talk, number } = opened({ profile: 'alibaba' });
    const about = segment([LOCAL[family], 1024], [server, 8080], { seq: number, ack: 1 });
    const [outcome] = talk.director.send(frame(error(server, LOCAL[family], about), 'srv'), 'srv', NOW);
    const sent = packetIn(outcome!);
    expect(hopsOf(sent)).toBe(9);
    expect(quoteIn(sent).slice(header + 16, header + 18)).toEqual(about.payload.slice(16, 18));
  });

  it('is dropped for a wrong checksum from the server’s side', () => {
    const { talk, number } = opened();
    const about = segment([LOCAL[family], 1024], [server, 8080], { seq: number, ack: 1 });
    const wrong = error(server, LOCAL[family], about);
    wrong.payload[2] = wrong.payload[2]! ^ 1;
    const send = (each: IpPacket, side: 'cli' | 'srv') => judged(talk.director.send(frame(each, side), side, NOW));
    expect(send(wrong, 'srv')).toEqual(['drop icmp-checksum']);
    const other = error(client, vip, segment([vip, 80], [client, 40_001], { flags: ACK }));
    other.payload[2] = other.payload[2]! ^ 1;
    // As with NAT over IPv6.
    expect(send(other, 'cli')).toEqual([family === 4 ? 'drop icmp-checksum' : 'forward icmp-in']);
  });

  it('is the host’s, if it is about no connection', () => {
    const { talk } = opened();
    const about = segment([LOCAL[family], 1025], [server, 8080], { seq: 1 });
    expect(judged(talk.director.send(frame(error(server, LOCAL[family], about), 'srv'), 'srv', NOW))).toEqual([
      'local local-delivery',
    ]);
  });

  it('opens a connection with schedule_icmp, as for NAT', () => {
    const director = fullnat({}, { sysctl: { schedule_icmp: 1 } });
    const about = segment([vip, 80], [client, 7], { seq: 7000, ack: 101 });
    expect(judged(director.send(frame(error(client, vip, about)), 'cli', NOW))).toEqual(['forward icmp-in']);
    expect(director.connections(NOW)[0]).toMatchObject({ localAddress: inner, localPort: 1024, clientPort: 7 });
    const zero = segment([vip, 80], [client, 0], { seq: 7000, ack: 101 });
    expect(judged(director.send(frame(error(client, vip, zero)), 'cli', NOW))).toEqual(['drop client-port-zero']);
  });

  it('tells the client of its own packet when it is the director’s', () => {
    const { talk } = opened();
    const asked = segment([client, 40_001], [vip, 80], { seq: 101 }, { ttl: 1 });
    const [, told] = talk.director.send(frame(asked), 'cli', NOW);
    expect(quoted(quoteIn(packetIn(told!)))).toEqual(ends(client, 40_001, vip, 80));
    expect(quotedNumber(quoteIn(packetIn(told!)))).toBe(101);
  });
});
