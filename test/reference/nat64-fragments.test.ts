/** Datagrams that come in fragments and leave over the other family. */
import { describe, expect, it } from 'vitest';
import {
  type IpPacket,
  isIpv6,
  parseFragmentHeader,
  type ReferenceDirector,
  type ReferenceOutcome,
} from '../../src/reference/index.js';
import { judged } from './builders.js';
import { fragment4, fragment6, tcp, udp } from './builders6.js';
import { ACK, SYN, SYN_ACK } from './fullnat.js';
import { answer, ask, CLIENT, FIRST, INNER, left, mtus, nat64, SERVER, VIP } from './nat64.js';

/** Where pieces begin, in bytes, how many they have, and whether more follow. */
function geometry(outcomes: ReferenceOutcome[]): [number, number, boolean][] {
  return outcomes.map((outcome) => {
    const piece = left(outcome);
    if (!isIpv6(piece)) return [piece.fragmentOffset * 8, piece.payload.length, (piece.flags & 1) !== 0];
    if (piece.nextHeader !== 44) return [0, piece.payload.length, false];
    const { offset, more } = parseFragmentHeader(piece.payload);
    return [offset * 8, piece.payload.length - 8, more];
  });
}

const numbers = (outcomes: ReferenceOutcome[]): number[] =>
  outcomes.map((outcome) => {
    const piece = left(outcome);
    return isIpv6(piece) ? parseFragmentHeader(piece.payload).identification : piece.identification;
  });

/** What became of the last fragment. */
const inPieces = (send: (piece: IpPacket) => ReferenceOutcome[], ...pieces: IpPacket[]): ReferenceOutcome[] =>
  pieces.map(send).at(-1)!;

describe('from IPv6 to IPv4', () => {
  const whole = udp([CLIENT, 7], [VIP, 80], 1992);
  const asked = (director: ReferenceDirector, ...cuts: [number, number, boolean][]): ReferenceOutcome[] =>
    inPieces((piece) => ask(director, piece), ...cuts.map(([at, size, more]) => fragment6(whole, at, size, more, 99)));

  it('leave with their boundaries and number, and without DF', () => {
    const sent = asked(nat64(), [0, 1200, true], [1200, 800, false]);
    expect(judged(sent)).toEqual(['forward nat64-in', 'forward fragment']);
    expect(geometry(sent)).toEqual([
      [0, 1200, true],
      [1200, 800, false],
    ]);
    expect(numbers(sent)).toEqual([99, 99]);
    expect(left(sent[0])).toMatchObject({ flags: 1 });
  });

  it('are cut anew to the link', () => {
    const sent = asked(nat64({}, { network: mtus(1500, 1000) }), [0, 1200, true], [1200, 800, false]);
    expect(geometry(sent)).toEqual([
      [0, 976, true],
      [976, 976, true],
      [1952, 48, false],
    ]);
  });

  it('are one packet with a number where there was one fragment', () => {
    const short = udp([CLIENT, 7], [VIP, 80], 20);
    const sent = ask(nat64({ profile: 'dpvs' }), fragment6(short, 0, 28, false, 99));
    expect(judged(sent)).toEqual(['forward nat64-in']);
    expect(left(sent[0])).toMatchObject({ identification: 99, flags: 0, fragmentOffset: 0 });
    expect(left(sent[0]).payload).toHaveLength(28);
  });

  it('have what tells the server of its client in the first, cut anew', () => {
    const director = nat64({ carry: 'toa' });
    ask(director, tcp([CLIENT, 7], [VIP, 80], SYN));
    answer(director, tcp([SERVER, 8080], [INNER, FIRST], SYN_ACK));
    const data = tcp([CLIENT, 7], [VIP, 80], ACK, 40);
    data.payload[11] = 1;
    const sent = inPieces(
      (piece) => ask(director, piece),
      fragment6(data, 0, 32, true, 99),
      fragment6(data, 32, 28, false, 99),
    );
    expect(geometry(sent)).toEqual([
      [0, 32, true],
      [32, 32, true],
      [64, 16, false],
    ]);
    expect([...left(sent[0]).payload.slice(20, 22)]).toEqual([254, 20]);
  });
});

describe('from IPv4 to IPv6', () => {
  const whole = udp([SERVER, 8080], [INNER, FIRST], 1992);
  const answered = (director: ReferenceDirector, flags: number, ...cuts: [number, number, boolean][]) => {
    ask(director, udp([CLIENT, 7], [VIP, 80]));
    return inPieces(
      (piece) => answer(director, piece),
      ...cuts.map(([at, size, more]) => fragment4(whole, at, size, more, flags)),
    );
  };

  it.each([0, 2])('leave with their boundaries and number, DF or not (%i)', (flags) => {
    const sent = answered(nat64(), flags, [0, 1200, true], [1200, 800, false]);
    expect(judged(sent)).toEqual(['forward nat64-out', 'forward fragment']);
    expect(geometry(sent)).toEqual([
      [0, 1200, true],
      [1200, 800, false],
    ]);
    expect(numbers(sent)).toEqual([0x1234, 0x1234]);
  });

  it.each([0, 2])('are cut anew to the link, DF or not (%i)', (flags) => {
    const sent = answered(nat64({}, { network: mtus(1280, 1500) }), flags, [0, 1480, true], [1480, 520, false]);
    expect(geometry(sent)).toEqual([
      [0, 1232, true],
      [1232, 768, false],
    ]);
    expect(numbers(sent)).toEqual([0x1234, 0x1234]);
  });

  it('are put together although the local address is only routed to the director, and IPv4 has no service', () => {
    const elsewhere = '10.9.0.77';
    const director = nat64({ localAddresses: [elsewhere] });
    ask(director, udp([CLIENT, 7], [VIP, 80]));
    const back = udp([SERVER, 8080], [elsewhere, FIRST], 56);
    const sent = inPieces(
      (piece) => answer(director, piece),
      fragment4(back, 0, 32, true),
      fragment4(back, 32, 32, false),
    );
    expect(judged(sent)).toEqual(['forward nat64-out', 'forward fragment']);
    director.advance(1_700_000_000_000 + 1e6);
    expect(judged(answer(director, fragment4(back, 0, 32, true)))).toEqual(['forward routed']);
  });
});
