/** Sequence numbers of FullNAT: the initial one, what follows from it, and what is left alone. */
import { describe, expect, it } from 'vitest';
import { initialNumber } from '../../src/reference/fullnat/numbers.js';
import { parseTcp, pseudoHeader, siphash13 } from '../../src/reference/index.js';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { residue } from '../../src/reference/packet/checksum.js';
import { checksumIsRight, ENDS, frame } from './builders6.js';
import { ACK, fullnat, LOCAL, NOW, packetIn, SYN, SYN_ACK, segment, Talk } from './fullnat.js';
import { hex } from './support.js';

const SEED = 0x0f0e0d0c0b0a09080706050403020100n;
const KEY = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const;

/** What the checksum of a segment without options covers besides. */
const pseudo = (from: string, to: string): Uint8Array =>
  pseudoHeader(parseAnyAddress(from), parseAnyAddress(to), 6, 20);

/** The low 32 bits. */
const low = (number: bigint): number => Number(BigInt.asUintN(32, number));

describe('SipHash-1-3', () => {
  it('has the published results for no byte and for one', () => {
    expect(siphash13(new Uint8Array(0), KEY)).toBe(0xabac0158050fc4dcn);
    expect(siphash13(Uint8Array.of(0), KEY)).toBe(0xc9f49bf37d57ca93n);
  });
});

describe('the initial number', () => {
  it('is a clock of 4 us and a hash of the ends that the server sees', () => {
    const message = hex('0a010001 0a01000b 0400 1f90 00');
    const local = { address: parseAnyAddress(LOCAL[4]), port: 1024 };
    const server = { address: parseAnyAddress(ENDS[4].server), port: 8080 };
    const hash = siphash13(message, KEY);
    expect(initialNumber(local, server, KEY, NOW)).toBe(low(BigInt(NOW) * 250n + hash));
    expect(initialNumber(local, server, KEY, NOW + 1)).toBe(low(BigInt(NOW) * 250n + 250n + hash));
  });

  it('is that of the long addresses for IPv6', () => {
    const message = hex('fd000001000000000000000000000001 fd000001000000000000000000000011 0400 1f90 00');
    const local = { address: parseAnyAddress(LOCAL[6]), port: 1024 };
    const server = { address: parseAnyAddress(ENDS[6].server), port: 8080 };
    expect(initialNumber(local, server, KEY, 0)).toBe(low(siphash13(message, KEY)));
  });
});

describe.each([4, 6] as const)('IPv%i', (family) => {
  const talkOf = (words = {}, sysctl = {}) => new Talk(fullnat(words, { seed: SEED, sysctl }), family);
  const initial = (port: number, now = NOW): number => {
    const local = { address: parseAnyAddress(LOCAL[family]), port };
    return initialNumber(local, { address: parseAnyAddress(ENDS[family].server), port: 8080 }, KEY, now);
  };
  const plus = (number: number, by: number): number => (number + by) >>> 0;

  it('counts what the client sends from the new number, and what the server acknowledges from the old one', () => {
    const talk = talkOf();
    const isn = initial(1024);
    expect(talk.client({ flags: SYN, seq: 0xfffffff0 }).segment.sequence).toBe(isn);
    const answer = talk.server({ flags: SYN_ACK, seq: 5000, ack: plus(isn, 1) });
    expect(answer.segment).toMatchObject({ sequence: 5000, acknowledgment: 0xfffffff1 });
    const data = talk.client({ seq: 0xfffffff1, ack: 5001, data: new Uint8Array(33) });
    expect(data.segment).toMatchObject({ sequence: plus(isn, 1), acknowledgment: 5001 });
    const taken = talk.server({ seq: 5001, ack: plus(isn, 34) });
    expect(taken.segment.acknowledgment).toBe(0x12);
    expect(talk.client({ flags: 4, seq: 0x12 }).segment.sequence).toBe(plus(isn, 34));
    for (const { packet } of [answer, data, taken]) expect(checksumIsRight(packet)).toBe(true);
  });

  it('moves the edges of selective acknowledgments, wherever they stand', () => {
    const talk = talkOf();
    const isn = initial(1024);
    talk.client({ flags: SYN, seq: 100 });
    const edge = (from: number): string => plus(isn, from).toString(16).padStart(8, '0');
    const sack = `0512 ${edge(10)} ${edge(20)} ${edge(30)} ${edge(40)}`;
    for (const [before, behind] of [
      ['0101', ''],
      ['01', '01'],
      ['', '0101'],
      ['', '0000'],
    ] as const) {
      const options = hex(before + sack + behind);
      const { segment: got, packet } = talk.server({ seq: 1, ack: plus(isn, 5), options });
      const moved = hex(`${before} 0512 0000006e 00000078 00000082 0000008c ${behind}`);
      expect(got.rest).toEqual(moved);
      expect(checksumIsRight(packet)).toBe(true);
    }
  });

  it('moves what stands before options that cannot be read, and drops nothing for them', () => {
    const talk = talkOf();
    const isn = initial(1024);
    talk.client({ flags: SYN, seq: 100 });
    const edge = plus(isn, 10).toString(16).padStart(8, '0');
    const options = hex(`050a ${edge} ${edge} 0501 050a ${'00'.repeat(8)}`);
    const { segment: got } = talk.server({ ack: plus(isn, 5), options });
    expect(got.acknowledgment).toBe(105);
    expect(got.rest).toEqual(hex(`050a 0000006e 0000006e 0501 050a ${'00'.repeat(8)}`));
  });

  it('leaves selective acknowledgments of the client, and what acknowledges nothing', () => {
    const talk = talkOf();
    talk.client({ flags: SYN, seq: 100 });
    const options = hex('0101050a0000000100000002');
    expect(talk.client({ seq: 101, ack: 7, options }).segment).toMatchObject({ acknowledgment: 7, rest: options });
    expect(talk.server({ flags: 4, seq: 9, ack: 0 }).segment).toMatchObject({ sequence: 9, acknowledgment: 0 });
  });

  it('gives the same number to the same SYN again, another one to another', () => {
    const talk = talkOf();
    talk.client({ flags: SYN, seq: 100 });
    talk.now += 1000;
    expect(talk.client({ flags: SYN, seq: 100 }).segment.sequence).toBe(initial(1024));
    expect(talk.client({ flags: SYN, seq: 77 }).segment.sequence).toBe(initial(1024, NOW + 1000));
    talk.server({ flags: SYN_ACK }, 1024);
    talk.client({ seq: 78 });
    talk.now += 1000;
    // It has begun: whoever sends another SYN by now is told so by the server.
    expect(talk.client({ flags: SYN, seq: 50 }).segment.sequence).toBe(plus(initial(1024, NOW + 1000), -27));
    // Nor while it ends.
    talk.client({ flags: ACK | 1, seq: 78 });
    expect(talk.client({ flags: SYN, seq: 60 }).segment.sequence).toBe(plus(initial(1024, NOW + 1000), -17));
  });

  it('leaves the numbers of what did not begin with a SYN', () => {
    const talk = talkOf({}, { sloppy_tcp: 1 });
    expect(talk.client({ seq: 123 }).segment.sequence).toBe(123);
    expect(talk.server({ seq: 9, ack: 130 }, 1024).segment.acknowledgment).toBe(130);
    expect(talk.client({ flags: SYN_ACK, seq: 123 }, 2).segment.sequence).toBe(123);
  });

  it('leaves the numbers of what is no segment to connection tracking', () => {
    const talk = talkOf();
    talk.client({ flags: SYN, seq: 100 });
    for (const flags of [0, SYN | 1, 0x3f, 1]) expect(talk.client({ flags, seq: 123 }).segment.sequence).toBe(123);
    expect(talk.server({ flags: 0x17, ack: 9 }, 1024).segment.acknowledgment).toBe(9);
  });

  it('begins anew with a connection that takes the place of one that has ended', () => {
    const talk = talkOf({}, { conn_reuse_mode: 1 });
    talk.client({ flags: SYN, seq: 100 });
    talk.server({ flags: 0x14 }, 1024);
    expect(talk.client({ flags: SYN, seq: 100 }).segment.sequence).toBe(initial(1025));
  });

  it('keeps a wrong checksum wrong, and touches none that is only begun', () => {
    const talk = talkOf();
    talk.client({ flags: SYN, seq: 100 });
    const wrong = talk.client({ seq: 101 }, 40_001, {}, 0x1234);
    expect(checksumIsRight(wrong.packet)).toBe(false);
    const { client, vip, server } = ENDS[family];
    const begun = (from: string, to: string) => residue(pseudo(from, to)) || 0xffff;
    const sent = segment([client, 40_001], [vip, 80], { seq: 101 });
    new DataView(sent.payload.buffer).setUint16(16, begun(client, vip));
    const [outcome] = talk.director.send(frame(sent), 'cli', NOW, { partialChecksum: true });
    expect(outcome?.partialChecksum).toBe(true);
    expect(parseTcp(packetIn(outcome!).payload).checksum).toBe(begun(LOCAL[family], server));
  });
});
