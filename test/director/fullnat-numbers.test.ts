/** FullNAT's numbers of TCP: first ones, all that follow from them, and what segments say beside. */
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/director.js';
import { siphash13 } from '../../src/reference/index.js';
import { answer, fullNat, NOW, read, request, send } from '../support/fullnat.js';
import { ACK, FIN, hex, PSH, RST, SYN, toHex } from '../support/packets.js';

const seqOf = ({ frame }: Outcome) => read(frame).seq as number;

describe.each([4, 6] as const)('numbers over IPv%i', (family) => {
  const client = (director: ReturnType<typeof fullNat>, says = {}, now = NOW) =>
    send(director, request(family, says), 'cli', now);
  const server = (director: ReturnType<typeof fullNat>, says = {}, now = NOW) =>
    send(director, answer(family, 1024, says), 'srv', now);

  it('are those of a clock of 4 us beside a keyed hash of what the server sees', () => {
    const at = (now: number, seed = 1n) => seqOf(client(fullNat({}, { seed }), {}, now));
    expect((at(NOW + 10) - at(NOW)) >>> 0).toBe(2500);
    expect((at(NOW + 10) - at(NOW)) >>> 0).not.toBe((at(NOW, 2n) - at(NOW)) >>> 0);
    // Whatever the client's own number: the server sees none of it.
    expect(seqOf(client(fullNat(), { seq: 77 }))).toBe(at(NOW));
  });

  it('are that clock and SipHash-1-3 of the ends that the server sees, as docs/fullnat.md has it', () => {
    const ends = { 4: '0a010001 0a01000b', 6: `fd000001${'00'.repeat(11)}01 fd000001${'00'.repeat(11)}11` }[family];
    const hash = siphash13(hex(`${ends} 0400 1f90 00`), [0x0706050403020100n, 0x0f0e0d0c0b0a0908n]);
    const director = fullNat({}, { seed: 0x0f0e0d0c0b0a09080706050403020100n });
    expect(BigInt(seqOf(client(director)))).toBe(BigInt.asUintN(32, BigInt(NOW) * 250n + hash));
  });

  it('are of full strength: in many calls each byte has many values', () => {
    const values = [new Set<number>(), new Set<number>(), new Set<number>(), new Set<number>()];
    const director = fullNat({}, { plan: { connections: 256, connections6: 256, extensions: 256 } });
    for (let n = 0; n < 200; n++) {
      const seq = seqOf(client(director, { sport: 2000 + n }));
      for (const [i, set] of values.entries()) set.add((seq >>> (8 * i)) & 255);
    }
    for (const set of values) expect(set.size).toBeGreaterThan(80);
  });

  it.each([1000, 0, 0xffff_ffff, 0x8000_0000])('follow the first one, from %i on', (first) => {
    const director = fullNat();
    const isn = seqOf(client(director, { seq: first }));
    const delta = isn - first;
    const numbers = [1, 2, 0x7fff_ffff, 0xffff_fff0, isn, -1].map((more) => (first + more) >>> 0);
    for (const seq of numbers) {
      const there = read(client(director, { seq, ack: 5, flags: ACK }).frame);
      expect(there).toMatchObject({ seq: (seq + delta) >>> 0, ack: 5, isRight: true });
      const back = read(server(director, { seq: 5, ack: (seq + delta) >>> 0, flags: ACK }).frame);
      expect(back).toMatchObject({ seq: 5, ack: seq, isRight: true });
    }
    // A reset without ACK acknowledges nothing.
    expect(read(server(director, { ack: 7, flags: RST }).frame)).toMatchObject({ ack: 7, isRight: true });
  });

  it('stay for a SYN that comes again, and are new for another, until the connection is established', () => {
    const director = fullNat();
    const first = seqOf(client(director));
    expect(seqOf(client(director, {}, NOW + 1000))).toBe(first);
    const other = seqOf(client(director, { seq: 2000 }, NOW + 1000));
    expect((other - first) >>> 0).toBe(250_000);
    client(director, { seq: 2001, flags: ACK }, NOW + 1000);
    expect(seqOf(client(director, { seq: 3000 }, NOW + 2000))).toBe((other + 1000) >>> 0);
  });

  it('are new for a connection that begins in the place of one that has ended', () => {
    const director = fullNat();
    const first = client(director);
    for (const flags of [ACK, RST | ACK]) client(director, { flags, seq: 1001 });
    const next = client(director, {}, NOW + 4);
    expect(next.connection).toMatchObject({ localPort: 1025 });
    expect(seqOf(next)).not.toBe(seqOf(first));
  });

  it('stay what they are in what began without a SYN, and what is no segment to connection tracking', () => {
    const sloppy = fullNat({}, { sysctl: { sloppy_tcp: 1 } });
    expect(seqOf(client(sloppy, { flags: ACK, seq: 9 }))).toBe(9);
    const director = fullNat();
    client(director);
    for (const flags of [0, FIN, SYN | FIN, SYN | RST]) {
      expect(read(client(director, { flags, seq: 9 }).frame)).toMatchObject({ seq: 9, isRight: true });
    }
  });

  it('are those of selective acknowledgments, too, at even and odd places', () => {
    for (const [before, after] of [
      ['0101', ''],
      ['01', '01'],
    ]) {
      const director = fullNat();
      const delta = seqOf(client(director, { seq: 0xffff_ff00 })) - 0xffff_ff00;
      const edges = (from: number) =>
        [2, 600, 700, 0x200].map((more) => ((from + more) >>> 0).toString(16).padStart(8, '0')).join('');
      const option = (from: number) => hex(`${before}0512${edges(from)}${after}`);
      const says = { flags: ACK, ack: (0xffff_ff01 + delta) >>> 0 };
      const back = read(server(director, { ...says, tcpOptions: option((0xffff_ff00 + delta) >>> 0) }).frame);
      expect(toHex(back.options)).toBe(toHex(option(0xffff_ff00)));
      expect(back).toMatchObject({ ack: 0xffff_ff01, isRight: true });
      // The client's own are about the server's numbers.
      const there = read(client(director, { flags: ACK, tcpOptions: option(9) }).frame);
      expect(toHex(there.options)).toBe(toHex(option(9)));
    }
  });

  it('are changed as far as options can be read, and nothing is dropped for them', () => {
    const director = fullNat();
    const delta = seqOf(client(director)) - 1000;
    const back = server(director, { flags: ACK, ack: (2000 + delta) >>> 0, tcpOptions: hex('0101050a 05ff0102') });
    expect(back.reason).toBe('fullnat-out');
    expect(read(back.frame)).toMatchObject({ ack: 2000, isRight: true });
  });

  it.each(['0101080a0102030405060708', '01080a010203040506070801', '020405b4080a010203040506070801030303'])(
    'lose the timestamps of a SYN by the other profiles: %s',
    (text) => {
      const options = hex(text.padEnd(Math.ceil(text.length / 8) * 8, '00'));
      const nops = toHex(options).replace('080a0102030405060708', '01'.repeat(10));
      for (const [profile, flags, expected] of [
        ['linux', SYN, toHex(options)],
        ['alibaba', SYN, nops],
        ['dpvs', SYN, nops],
        ['dpvs', ACK | PSH, toHex(options)],
      ] as const) {
        const director = fullNat({ profile }, { sysctl: { sloppy_tcp: 1 } });
        const there = read(client(director, { flags, tcpOptions: options }).frame);
        expect([toHex(there.options), there.isRight]).toEqual([expected, true]);
      }
    },
  );

  it('leave a wrong checksum as wrong as it was', () => {
    const director = fullNat();
    client(director);
    const right = client(director, { flags: ACK }).frame;
    const wrong = client(director, { flags: ACK, checksum: 0x1234 }).frame;
    expect(read(right).isRight).toBe(true);
    expect(read(wrong).isRight).toBe(false);
  });
});
