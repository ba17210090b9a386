import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjusted, filled, isPartial } from '../../src/scenario/checksum.js';
import { properties } from '../support/property.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  checksum,
  ether,
  gue,
  icmp,
  ip,
  ip6,
  ipv4,
  tcp6Frame,
  tcpFrame,
  u16,
  u32,
  udp,
} from './packets.js';

const property = properties(import.meta.url);

/** A frame with the sum over the pseudo header, not complemented, where its checksum would be. */
function unfinished(frame: Uint8Array, at: number, ...pseudo: number[][]): Uint8Array {
  const copy = frame.slice();
  copy.set(u16(~checksum(...pseudo) & 0xffff), at);
  return copy;
}

const tcp4 = tcpFrame({ sport: 40000, dport: 80, data: [1, 2, 3] });
const tcp4Pseudo = [ip('10.0.0.2'), ip('10.0.0.100'), [0, 6], u16(23)];
const tcp6 = tcp6Frame({ sport: 40000, dport: 80, data: [1, 2, 3] });
const tcp6Pseudo = [ip6('fd00::2'), ip6('fd00::100'), u32(23), [0, 0, 0, 6]];
const datagram = ether(
  C0_MAC,
  CLI_MAC,
  ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 17, payload: udp('10.0.0.2', '10.0.0.100', 5000, 53, [9]) }),
);
const datagramPseudo = [ip('10.0.0.2'), ip('10.0.0.100'), [0, 17], u16(9)];

describe('a checksum that is left to the network card', () => {
  it.each([
    ['TCP', tcp4, 50, tcp4Pseudo],
    ['TCP over IPv6', tcp6, 70, tcp6Pseudo],
    ['UDP', datagram, 40, datagramPseudo],
  ])('is told and filled: %s', (_, frame, at, pseudo) => {
    const begun = unfinished(frame, at, ...pseudo);
    expect(begun).not.toEqual(frame);
    expect(isPartial(begun)).toBe(true);
    expect(isPartial(frame)).toBe(false);
    expect(filled(begun)).toEqual(frame);
  });

  it('is that of the innermost packet when there is a tunnel', () => {
    const begun = unfinished(tcp4, 50, ...tcp4Pseudo).slice(14);
    const wrap = (packet: Uint8Array) => {
      const payload = udp('10.1.0.1', '10.1.0.21', 40000, 6080, [...gue(4, packet)]);
      // The outer one counts the finished inner packet.
      payload.set([0x12, 0x34], 6);
      return ether(C0_MAC, CLI_MAC, ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 17, payload }));
    };
    expect(filled(wrap(begun))).toEqual(wrap(tcp4.slice(14)));
  });

  it('is not looked for in what an error quotes, in fragments, and in other protocols', () => {
    const begun = unfinished(tcp4, 50, ...tcp4Pseudo);
    const quoting = ether(
      C0_MAC,
      CLI_MAC,
      ipv4({ src: '10.0.0.2', dst: '10.0.0.1', protocol: 1, payload: icmp(3, 4, [0, 0, 5, 0], begun.slice(14)) }),
    );
    expect(isPartial(quoting)).toBe(false);
    expect(filled(quoting)).toEqual(quoting);
    const fragment = begun.slice();
    fragment[20] = 0x20;
    expect(isPartial(fragment)).toBe(false);
    expect(isPartial(new Uint8Array(20))).toBe(false);
    expect(isPartial(begun.slice(0, 48))).toBe(false);
  });

  it('of UDP that comes to 0 is ffff', () => {
    const zero = (data: number[]) =>
      unfinished(
        ether(
          C0_MAC,
          CLI_MAC,
          ipv4({
            src: '10.0.0.2',
            dst: '10.0.0.100',
            protocol: 17,
            payload: udp('10.0.0.2', '10.0.0.100', 5000, 53, data),
          }),
        ),
        40,
        ip('10.0.0.2'),
        ip('10.0.0.100'),
        [0, 17],
        u16(8 + data.length),
      );
    const plain = filled(zero([0, 0]));
    // The data that makes the rest of the sum whole.
    const frame = filled(zero([...plain.slice(40, 42)]));
    expect([...frame.slice(40, 42)]).toEqual([0xff, 0xff]);
  });
});

property(
  'adjusted: as if it had been computed anew',
  fc.property(
    fc.uint8Array({ minLength: 4, maxLength: 60 }),
    fc.nat(),
    fc.uint8Array({ minLength: 2, maxLength: 2 }),
    (data, where, value) => {
      // A header is never all 0, before or after.
      const before = bytes(0x45, 0, data.slice(0, data.length & ~1));
      const at = 2 + (where % ((before.length - 2) / 2)) * 2;
      const after = before.slice();
      after.set(value, at);
      expect(adjusted(checksum(before), before.slice(at, at + 2), value)).toBe(checksum(after));
    },
  ),
);
