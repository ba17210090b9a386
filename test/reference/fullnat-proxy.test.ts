/** The PROXY protocol in front of what a client says: bytes, numbers, and what has no room. */
import { describe, expect, it } from 'vitest';
import { parseTcp, parseUdp, type ReferenceCarry, serialiseIp } from '../../src/reference/index.js';
import { decodeClient } from '../../src/toa/index.js';
import { judged } from './builders.js';
import { checksumIsRight, ENDS, frame, icmpError, NETWORK, udp } from './builders6.js';
import { ACK, fullnat, LOCAL, NOW, packetIn, SYN, SYN_ACK, segment, Talk } from './fullnat.js';
import { hex, toHex } from './support.js';

const PORT = 40_001;
const RST = 4;

const text = (line: string): string => toHex(Uint8Array.from(Buffer.from(line)));
const plain = (words: string): string => words.replaceAll(' ', '');
const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** As the client is 40001 and the virtual port 80. */
const HEADERS = {
  4: {
    'proxy-v1': text('PROXY TCP4 10.0.0.2 10.0.0.100 40001 80\r\n'),
    'proxy-v2': plain(`${SIGNATURE} 21 11 000c 0a000002 0a000064 9c41 0050`),
  },
  6: {
    'proxy-v1': text('PROXY TCP6 fd00::2 fd00::100 40001 80\r\n'),
    'proxy-v2': plain(
      `${SIGNATURE} 21 21 0024 fd000000000000000000000000000002 fd000000000000000000000000000100 9c41 0050`,
    ),
  },
} as const;

describe.each([
  [4, 'proxy-v1'],
  [4, 'proxy-v2'],
  [6, 'proxy-v1'],
  [6, 'proxy-v2'],
] as const)('TCP over IPv%i by %s', (family, carry) => {
  const header = HEADERS[family][carry];
  const length = header.length / 2;
  const { client, vip, server } = ENDS[family];
  const plus = (number: number, by: number): number => (number + by) >>> 0;

  /** After the handshake. */
  function talkOf(seq = 1000): Talk & { isn: number } {
    const talk = new Talk(fullnat({ carry }), family) as Talk & { isn: number };
    talk.isn = talk.client({ flags: SYN, seq }).segment.sequence;
    const { segment: answer } = talk.server({ flags: SYN_ACK, seq: 5000, ack: plus(talk.isn, 1) });
    expect(answer.acknowledgment).toBe(plus(seq, 1));
    return talk;
  }

  it('is the first of the stream, on the very first acknowledgment', () => {
    const talk = talkOf();
    const { segment: sent, packet, outcome } = talk.client({ seq: 1001, ack: 5001 });
    expect(outcome.reason).toBe('fullnat-in');
    expect(sent.sequence).toBe(plus(talk.isn, 1));
    expect(toHex(sent.rest)).toBe(header);
    expect(checksumIsRight(packet)).toBe(true);
    expect(decodeClient(serialiseIp(packet), 'raw')).toMatchObject({ carrier: carry, address: client, port: PORT });
  });

  it('goes again with each segment that begins the stream, until the server has it whole', () => {
    const talk = talkOf();
    const says = { seq: 1001, ack: 5001, options: hex('0101080a0000000100000002'), data: hex('aabb') };
    const send = () => toHex(talk.client(says).segment.rest);
    expect([send(), send()]).toEqual([0, 0].map(() => `0101080a0000000100000002${header}aabb`));
    talk.server({ seq: 5001, ack: plus(talk.isn, length) });
    expect(send()).toBe(`0101080a0000000100000002${header}aabb`);
    talk.server({ seq: 5001, ack: plus(talk.isn, 1 + length) });
    const { segment: sent } = talk.client(says);
    expect(toHex(sent.rest)).toBe('0101080a0000000100000002aabb');
    expect(sent.sequence).toBe(plus(talk.isn, 1 + length));
  });

  it('moves all that comes behind it, and hides itself from the client', () => {
    const talk = talkOf(0xfffffffe);
    talk.client({ seq: 0xffffffff, ack: 5001, data: hex('aabb') });
    const ack = (behind: number) => talk.server({ seq: 5001, ack: plus(talk.isn, behind) }).segment.acknowledgment;
    expect([1, 2, length, length + 1].map(ack)).toEqual([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]);
    expect([length + 2, length + 3].map(ack)).toEqual([0, 1]);
    expect(talk.client({ seq: 1, ack: 5001 }).segment.sequence).toBe(plus(talk.isn, length + 3));
    const edge = (behind: number) => plus(talk.isn, behind).toString(16).padStart(8, '0');
    const options = hex(`0101 050a ${edge(length + 5)} ${edge(length + 9)}`);
    expect(toHex(talk.server({ ack: talk.isn, options }).segment.rest)).toBe('0101050a0000000300000007');
  });

  it('gives up at the place where the server is', () => {
    const before = talkOf();
    expect(before.client({ flags: RST, seq: 1001 }).segment.sequence).toBe(plus(before.isn, 1));
    const behind = talkOf();
    behind.client({ seq: 1001, ack: 5001 });
    expect(behind.client({ flags: RST, seq: 1001 }).segment.sequence).toBe(plus(behind.isn, 1 + length));
  });

  it('leaves its place to nobody else’s bytes, once it is known who is next on the way', () => {
    const forged = { seq: 1000, ack: 5001, data: hex('aabbcc') };
    const talk = talkOf();
    const reason = () => judged(talk.director.send(frame(segment([client, PORT], [vip, 80], forged)), 'cli', NOW));
    expect(reason()).toEqual(['drop tcp-option']);
    talk.director.setNetwork({ ...NETWORK, neighbours: [] });
    expect(reason()).toEqual(['drop no-neighbour']);
  });

  it('carries urgent data along', () => {
    const talk = talkOf();
    const sent = segment([client, PORT], [vip, 80], { seq: 1001, ack: 5001, flags: ACK | 0x20, data: hex('aabb') });
    sent.payload.set([0, 2], 18);
    const [outcome] = talk.director.send(frame(sent), 'cli', NOW);
    expect(parseTcp(packetIn(outcome!).payload).urgentPointer).toBe(length + 2);
  });

  it('goes in a segment of its own before one that it does not fit in', () => {
    const talk = talkOf();
    const data = new Uint8Array(family === 4 ? 1448 : 1428).fill(7);
    const options = hex('0101080a0000000100000002');
    const { outcomes, segment: own, packet } = talk.client({ seq: 1001, ack: 5001, options, data }, PORT, { flags: 2 });
    expect(judged(outcomes)).toEqual(['forward client-address', 'forward fullnat-in']);
    expect(own).toMatchObject({ sequence: plus(talk.isn, 1), acknowledgment: 5001, flags: ACK | 8 });
    expect(toHex(own.rest)).toBe(`0101080a0000000100000002${header}`);
    const clients = packetIn(outcomes[1]!);
    expect(parseTcp(clients.payload).sequence).toBe(plus(talk.isn, 1 + length));
    for (const each of [packet, clients]) expect(checksumIsRight(each)).toBe(true);
  });

  it('is left out of numbers that errors quote', () => {
    const talk = talkOf();
    talk.client({ seq: 1001, ack: 5001, data: hex('aabb') });
    const quoted = (behind: number) => {
      const about = segment([LOCAL[family], 1024], [server, 8080], { seq: plus(talk.isn, behind) });
      const error = icmpError([server, LOCAL[family]], family === 4 ? [3, 1, 0] : [1, 3, 0], serialiseIp(about));
      const [outcome] = talk.director.send(frame(error, 'srv'), 'srv', NOW);
      return new DataView(packetIn(outcome!).payload.buffer).getUint32(8 + (family === 4 ? 20 : 40) + 4);
    };
    expect([0, 1, 2, length, length + 1, length + 2].map(quoted)).toEqual([1000, 1001, 1001, 1001, 1001, 1002]);
    // The header is not in what went before it.
    expect([-1, -2, -600].map(quoted)).toEqual([999, 998, 400]);
  });

  it('is not told to a server whose client began without a SYN', () => {
    const talk = new Talk(fullnat({ carry }, { sysctl: { sloppy_tcp: 1 } }), family);
    const { segment: sent } = talk.client({ seq: 1001, data: hex('aa') });
    expect([sent.sequence, toHex(sent.rest)]).toEqual([1001, 'aa']);
    expect(talk.server({ ack: 1002 }).segment.acknowledgment).toBe(1002);
  });
});

describe.each([4, 6] as const)('UDP over IPv%i', (family) => {
  const { client, vip } = ENDS[family];
  const header = HEADERS[family]['proxy-v2'].replace(/21(11|21)00/, family === 4 ? '211200' : '212200');
  const director = (carry: ReferenceCarry = 'proxy-v2') => fullnat({ carry });

  it('stands in front of each datagram', () => {
    const made = director();
    for (const data of [0, 5, 6]) {
      const [outcome] = made.send(frame(udp([client, PORT], [vip, 80], data)), 'cli', NOW);
      const sent = packetIn(outcome!);
      const { payload, length } = parseUdp(sent.payload);
      expect(toHex(payload)).toBe(header + '07'.repeat(data));
      expect(length).toBe(sent.payload.length);
      expect(checksumIsRight(sent)).toBe(true);
      expect(decodeClient(serialiseIp(sent), 'raw')).toMatchObject({
        carrier: 'proxy-v2',
        address: client,
        port: PORT,
      });
    }
  });

  it('makes a datagram too long that would have gone', () => {
    const room = (family === 4 ? 1500 - 28 : 1500 - 48) - header.length / 2;
    const send = (data: number) =>
      director().send(frame(udp([client, PORT], [vip, 80], data, { flags: 2 })), 'cli', NOW);
    expect(judged(send(room))).toEqual(['forward fullnat-in']);
    const over = send(room + 1);
    expect(judged(over)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const told = new DataView(packetIn(over[1]!).payload.buffer).getUint32(4);
    expect(told).toBe(1500 - header.length / 2);
  });

  it('is no text', () => {
    expect(() => director().addService({ protocol: 'udp', address: vip, port: 99, carry: 'proxy-v1' })).toThrow(/udp/);
    expect(() => director().addService({ protocol: 'sctp', address: vip, port: 99, carry: 'proxy-v2' })).toThrow(
      /sctp/,
    );
  });
});
