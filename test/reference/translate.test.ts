import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Ipv4Packet,
  isIpv6,
  parseAddress,
  parseTcp,
  parseUdp,
  serialiseIpv4,
  type Translation,
  translate as translateIp,
} from '../../src/reference/index.js';
import { ip, tcp, transportChecksum, udp } from './builders.js';
import { toHex } from './support.js';

const INTO = { destination: parseAddress('10.1.0.11'), destinationPort: 8080 };
const BACK = { destination: parseAddress('10.0.0.100'), destinationPort: 80 };
const RUNS = { numRuns: 1000 };

function translate(packet: Ipv4Packet, to: Translation, isPartial = false): Ipv4Packet {
  const after = translateIp(packet, to, isPartial);
  if (isIpv6(after)) throw new Error('another family');
  return after;
}

/** The packet with its TCP or UDP checksum replaced. */
function withChecksum(packet: Ipv4Packet, checksum: number): Ipv4Packet {
  const payload = packet.payload.slice();
  new DataView(payload.buffer).setUint16(packet.protocol === 6 ? 16 : 6, checksum);
  return { ...packet, payload };
}

/** The checksum the packet should have. */
function rightChecksum(packet: Ipv4Packet): number {
  return transportChecksum(packet, withChecksum(packet, 0).payload);
}

const checksumOf = (packet: Ipv4Packet): number =>
  packet.protocol === 6 ? parseTcp(packet.payload).checksum : parseUdp(packet.payload).checksum;

const anyPort = fc.nat(0xffff);
const anyTcp = fc.tuple(anyPort, fc.nat(1460)).map(([port, size]) => tcp(0x10, [port, 80], {}, size));
const anyUdp = fc.tuple(anyPort, fc.nat(1472)).map(([port, size]) => udp([port, 80], {}, size));
const anyTarget = fc.record({ destination: fc.nat(0xffffffff), destinationPort: anyPort });

describe('translate', () => {
  it('keeps a right TCP checksum right', () => {
    fc.assert(
      fc.property(anyTcp, anyTarget, (packet, to) => {
        const after = translate(packet, to);
        expect(checksumOf(after)).toBe(rightChecksum(after) % 0xffff);
      }),
      RUNS,
    );
  });

  it('keeps a right UDP checksum right and never makes 0', () => {
    fc.assert(
      fc.property(anyUdp, anyTarget, (packet, to) => {
        const after = translate(packet, to);
        expect(checksumOf(after)).toBe(rightChecksum(after) % 0xffff || 0xffff);
      }),
      RUNS,
    );
  });

  it('keeps a wrong checksum wrong by the same amount', () => {
    fc.assert(
      fc.property(fc.oneof(anyTcp, anyUdp), anyTarget, fc.integer({ min: 1, max: 0xffff }), (packet, to, wrong) => {
        const before = withChecksum(packet, wrong);
        const after = translate(before, to);
        const error = (each: Ipv4Packet) => (checksumOf(each) - rightChecksum(each) + 2 * 0xffff) % 0xffff;
        expect(error(after)).toBe(error(before));
      }),
      RUNS,
    );
  });

  it('undoes itself', () => {
    fc.assert(
      fc.property(fc.oneof(anyTcp, anyUdp), (packet) => {
        const back = translate(translate(packet, INTO), BACK);
        expect(toHex(serialiseIpv4(back))).toBe(toHex(serialiseIpv4(packet)));
      }),
      RUNS,
    );
  });

  it('touches ends and checksum alone', () => {
    fc.assert(
      fc.property(fc.oneof(anyTcp, anyUdp), anyTarget, (packet, to) => {
        const after = translate(packet, to);
        const blank = (each: Ipv4Packet) => {
          const { payload } = withChecksum(each, 0);
          payload.set([0, 0], 2);
          return { ...each, destination: 0, payload: toHex(payload) };
        };
        expect(blank(after)).toEqual(blank(packet));
      }),
      RUNS,
    );
  });

  it('translates the source likewise', () => {
    const reply = tcp(0x12, [8080, 40000], { source: '10.1.0.11', destination: '10.0.0.2' });
    const after = translate(reply, { source: BACK.destination, sourcePort: 80 });
    expect(after).toEqual(tcp(0x12, [80, 40000], { source: '10.0.0.100', destination: '10.0.0.2' }));
  });

  it('makes no difference between TCP checksums 0000 and ffff', () => {
    const packet = tcp(0x10, [40000, 80]);
    const [zero, ones] = [0, 0xffff].map((checksum) => checksumOf(translate(withChecksum(packet, checksum), INTO)));
    expect(zero).toBe(ones);
  });

  it('gives a UDP datagram without a checksum a right one', () => {
    for (const size of [0, 1, 2, 512]) {
      const after = translate(withChecksum(udp([40000, 80], {}, size), 0), INTO);
      expect(checksumOf(after)).toBe(rightChecksum(after));
    }
  });

  it('spells a UDP checksum that comes out as 0 as ffff, carried or made', () => {
    const packet = udp([40000, 80]);
    // The source port takes up what the checksum is to lose.
    const port = (40000 + checksumOf(translate(packet, INTO))) % 0xffff;
    const chosen = udp([port, 80]);
    expect(rightChecksum(translate(chosen, INTO)) % 0xffff).toBe(0);
    expect(checksumOf(translate(chosen, INTO))).toBe(0xffff);
    expect(checksumOf(translate(withChecksum(chosen, 0), INTO))).toBe(0xffff);
  });

  it('believes the IP length, not that of UDP', () => {
    const packet = withChecksum(udp([40000, 80]), 0);
    packet.payload.set([0, 100], 4);
    const after = translate(packet, INTO);
    expect(checksumOf(after)).toBe(rightChecksum(after));
    expect(parseUdp(after.payload).length).toBe(100);
  });

  it('changes only the addresses of what has no ports', () => {
    const secured = ip({ protocol: 50, payload: new Uint8Array(20).fill(7) });
    expect(translate(secured, INTO)).toEqual({ ...secured, destination: INTO.destination });
  });
});
