/** Where a director of ours is not Linux 6.1 (docs/deviations.md): fragments. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fragmentsOf } from '../../support/fragments.js';
import { counting, fixIpv4, ipv6, SYN, tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

test('the time in a datagram is that of its last fragment', () => {
  const options = Uint8Array.of(68, 8, 5, 0, 0, 0, 0, 0);
  const whole = tcp({
    source: CLIENT,
    destination: VIP,
    sport: 1,
    dport: 80,
    flags: SYN,
    options,
    payload: counting(64),
  });
  const [first, last] = fragmentsOf(whole, [48]) as [Uint8Array, Uint8Array];
  director.send(first, 'cli', T0);
  const [sent] = director.send(last, 'cli', T0 + 7000);
  expect(sent?.reason).toBe('nat-in');
  expect(new DataView(sent!.frame.buffer, sent!.frame.byteOffset).getUint32(24)).toBe(T0 + 7000);
});

describe('fragments', () => {
  const lengths = (fragments: readonly Uint8Array[], by: string): number[] =>
    fragments
      .flatMap((fragment) => director.send(fragment, by, T0))
      .flatMap(({ verdict, frame }) => (verdict === 'forward' ? [frame.length - 20] : []));

  test('fragments of unequal lengths leave as they came', () => {
    expect(lengths(fragmentsOf(segment(SYN, { payload: counting(100) }), [16, 72]), 'cli')).toEqual([16, 56, 48]);
    const pieces = fragmentsOf(segment(SYN, { payload: counting(100) }), [40, 80]);
    for (const piece of pieces) {
      piece[6]! |= 0x40;
      fixIpv4(piece);
    }
    const left = pieces
      .flatMap((piece) => director.send(piece, 'cli', T0))
      .filter(({ verdict }) => verdict === 'forward');
    expect(left.map(({ frame }) => frame[6])).toEqual([0x20, 0x20, 0]);
  });

  test('a fragment that cannot be one is dropped', () => {
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...WEB, address: 'fd00::100', scheduler: 'rr' });
    const piece = (destination: string, protocol: number, offset: number, length: number) => {
      const extensions = [[44, Uint8Array.of(0, offset >> 8, (offset & 0xf8) | 1, 1, 2, 3, 4)]] as const;
      const frame = ipv6({ source: 'fd00::2', destination, protocol, hopLimit: 64, extensions }, counting(length));
      return director.send(frame, 'cli', T0).map(({ reason, frame: sent }) => [reason, ...sent.subarray(40, 48)]);
    };
    const dropped = [expect.arrayContaining(['fragment-malformed'])];
    const told = (code: number, pointer: number) => {
      const words = [4, code, expect.any(Number), expect.any(Number), 0, 0, 0, pointer];
      return [...dropped, ['parameter-problem', ...words]];
    };
    for (const offset of [0, 80]) {
      expect(piece('fd00::100', 6, offset, 79)).toEqual(told(0, 4));
      expect(piece('fd00:1::11', 6, offset, 79)).toEqual(dropped);
    }
    // There is nothing of its transport header.
    expect(piece('fd00::100', 47, 0, 0)).toEqual(told(3, 0));
    // These are dropped before the host looks at them.
    expect(piece('fd00::100', 6, 0, 16)).toEqual(dropped);
    // Of the rest of an ICMPv6 message the host never hears, of its beginning it does.
    expect(piece('fd00::1', 58, 80, 79)).toEqual(dropped);
    expect(piece('fd00::1', 47, 80, 79)).toEqual(told(0, 4));
    // Beyond what a packet may hold, nobody is told.
    expect(piece('fd00::100', 6, 65_528, 79)).toEqual(dropped);
  });
});
