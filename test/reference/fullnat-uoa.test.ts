/** UOA: the client's address beside a datagram. */
import { describe, expect, it } from 'vitest';
import {
  type IpPacket,
  isIpv6,
  parseAnyAddress,
  parseUdp,
  pseudoHeader,
  type ReferenceCarry,
  type ReferenceProfile,
  serialiseIp,
} from '../../src/reference/index.js';
import { residue } from '../../src/reference/packet/checksum.js';
import { decodeClient } from '../../src/toa/index.js';
import { judged } from './builders.js';
import { checksumIsRight, ENDS, frame, udp } from './builders6.js';
import { fullnat, LOCAL, NOW, packetIn } from './fullnat.js';
import { hex, toHex } from './support.js';

const PORT = 40_001;

const OPTION = {
  4: '1f089c410a000002',
  6: '1f149c41fd000000000000000000000000000002',
} as const;

/** Version, protocol UDP, length. */
const HEAD = { 4: '1011000c', 6: '20110018' } as const;

function asking(family: 4 | 6, words: { carry?: ReferenceCarry; profile?: ReferenceProfile }) {
  const { client, vip, server } = ENDS[family];
  const director = fullnat(words);
  return {
    director,
    send: (data = 5, change: (packet: IpPacket) => IpPacket = (packet) => packet) =>
      director.send(frame(change(udp([client, PORT], [vip, 80], data, { ttl: 9, tos: 8, flags: 2 }))), 'cli', NOW),
    answer: () => director.send(frame(udp([server, 8080], [LOCAL[family], 1024]), 'srv'), 'srv', NOW),
  };
}

const pseudoSum = (from: string, to: string, length: number): number =>
  residue(pseudoHeader(parseAnyAddress(from), parseAnyAddress(to), 17, length));

const protocolOf = (packet: IpPacket): number => (isIpv6(packet) ? packet.nextHeader : packet.protocol);

describe('an option of IPv4', () => {
  const withOptions = (text: string) => (packet: IpPacket) =>
    isIpv6(packet) ? packet : { ...packet, options: hex(text) };
  const optionsIn = (packet: IpPacket): string => (isIpv6(packet) ? 'none' : toHex(packet.options));

  it('stands in front of the others', () => {
    for (const given of ['', '01010101', '94040000', '9404000000000000']) {
      const [outcome] = asking(4, { carry: 'uoa-option' }).send(5, withOptions(given));
      const sent = packetIn(outcome!);
      expect(optionsIn(sent)).toBe(OPTION[4] + given);
      expect(protocolOf(sent)).toBe(17);
      expect(checksumIsRight(sent)).toBe(true);
      const found = { carrier: 'uoa-option', address: '10.0.0.2', port: PORT };
      expect(decodeClient(serialiseIp(sent), 'raw')).toMatchObject(found);
    }
  });

  it.each([
    ['the header', 5, '01'.repeat(36)],
    ['the packet', 1472, ''],
  ] as const)('goes in a datagram of its own where %s has no room', (_, data, options) => {
    const outcomes = asking(4, { carry: 'uoa-option' }).send(data, withOptions(options));
    expect(judged(outcomes)).toEqual(['forward client-address', 'forward fullnat-in']);
    const own = packetIn(outcomes[0]!);
    expect(own).toMatchObject({ identification: 0, flags: 2, ttl: 8, tos: 8 });
    expect(optionsIn(own)).toBe(OPTION[4]);
    const { sourcePort, destinationPort, length, payload } = parseUdp(own.payload);
    expect([sourcePort, destinationPort, length, payload.length]).toEqual([1024, 8080, 8, 0]);
    const clients = packetIn(outcomes[1]!);
    expect(optionsIn(clients)).toBe(options);
    for (const each of [own, clients]) expect(checksumIsRight(each)).toBe(true);
  });

  it('is none of IPv6, nor of TCP', () => {
    const { director } = asking(4, {});
    const add = (address: string, protocol: 'tcp' | 'udp') =>
      director.addService({ protocol, address, port: 99, carry: 'uoa-option' });
    expect(() => add(ENDS[6].vip, 'udp')).toThrow(/IPv4/);
    expect(() => add(ENDS[4].vip, 'tcp')).toThrow(/tcp/);
    expect(() => director.addService({ fwmark: 1, family: 6, carry: 'uoa-option' })).toThrow(/IPv4/);
  });
});

describe.each([4, 6] as const)('a header over IPv%i', (family) => {
  const front = HEAD[family] + OPTION[family];

  it('stands between IP and UDP, whose checksum stays right', () => {
    const [outcome] = asking(family, { carry: 'uoa-protocol' }).send();
    const sent = packetIn(outcome!);
    expect(protocolOf(sent)).toBe(248);
    expect(toHex(sent.payload.slice(0, front.length / 2))).toBe(front);
    const inner = { ...sent, payload: sent.payload.slice(front.length / 2) };
    expect(checksumIsRight(isIpv6(inner) ? { ...inner, nextHeader: 17 } : { ...inner, protocol: 17 })).toBe(true);
    const found = { carrier: 'uoa-protocol', address: ENDS[family].client, port: PORT };
    expect(decodeClient(serialiseIp(sent), 'raw')).toMatchObject(found);
  });

  it('stands behind extension headers', () => {
    if (family === 4) return;
    const extended = (packet: IpPacket): IpPacket =>
      isIpv6(packet)
        ? { ...packet, nextHeader: 60, payload: Uint8Array.from([17, 0, 1, 4, 0, 0, 0, 0, ...packet.payload]) }
        : packet;
    const [outcome] = asking(6, { carry: 'uoa-protocol' }).send(5, extended);
    const sent = packetIn(outcome!);
    expect([protocolOf(sent), sent.payload[0]]).toEqual([60, 248]);
    expect(toHex(sent.payload.slice(8, 8 + front.length / 2))).toBe(front);
  });

  it.each(['alibaba', 'dpvs'] as const)('comes with a checksum of zero over IPv4 by %s', (profile) => {
    const [outcome] = asking(family, { carry: 'uoa-protocol', profile }).send();
    const { checksum } = parseUdp(packetIn(outcome!).payload.slice(front.length / 2));
    expect(checksum === 0).toBe(family === 4);
  });

  it('goes in a datagram of its own where the packet has no room', () => {
    const outcomes = asking(family, { carry: 'uoa-protocol' }).send(family === 4 ? 1472 : 1452);
    expect(judged(outcomes)).toEqual(['forward client-address', 'forward fullnat-in']);
    const own = packetIn(outcomes[0]!);
    expect(protocolOf(own)).toBe(248);
    expect(own.payload).toHaveLength(front.length / 2 + 8);
    expect(protocolOf(packetIn(outcomes[1]!))).toBe(17);
  });

  it('goes with three datagrams, and with none once the server has answered', () => {
    const { send, answer } = asking(family, { carry: 'uoa-protocol' });
    const protocols = () => protocolOf(packetIn(send()[0]!));
    expect([protocols(), protocols(), protocols(), protocols()]).toEqual([248, 248, 248, 17]);
    const other = asking(family, { carry: 'uoa-protocol' });
    other.send();
    other.answer();
    expect(protocolOf(packetIn(other.send()[0]!))).toBe(17);
    expect(answer()[0]?.reason).toBe('fullnat-out');
  });

  it('is nothing that the MTU which is told knows of', () => {
    const over = asking(family, { carry: 'uoa-protocol' }).send(1500);
    expect(judged(over)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const told = new DataView(packetIn(over[1]!).payload.buffer).getUint32(4);
    expect(told).toBe(1500);
  });

  it('is finished before a card could', () => {
    const { client, vip } = ENDS[family];
    const datagram = udp([client, PORT], [vip, 80]);
    const begun = { ...datagram, payload: datagram.payload.slice() };
    const right = parseUdp(datagram.payload).checksum;
    expect(right).not.toBe(0);
    const { director } = asking(family, { carry: 'uoa-protocol' });
    const [whole] = director.send(frame(datagram), 'cli', NOW);
    const sum = pseudoSum(client, vip, begun.payload.length);
    new DataView(begun.payload.buffer).setUint16(6, sum);
    const [outcome] = director.send(frame(begun), 'cli', NOW, { partialChecksum: true });
    expect(outcome?.partialChecksum).toBe(false);
    expect(toHex(outcome!.frame)).toBe(toHex(whole!.frame));
  });
});
