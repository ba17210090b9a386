/** IPIP (RFC 2003): the outer header, and what becomes of ECN (RFC 3168 §9.1.1, RFC 6040 §4.2). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonName } from '../../src/reasons.js';
import {
  decapsulatedEcn,
  encapsulate as encapsulateByReference,
  parseIpv4,
  serialiseIp,
  type Tunnel,
} from '../../src/reference/index.js';
import { swap32 } from '../support/core.js';
import { fixIpv4, type Ipv4Words, ip, ipv4, toHex } from '../support/packets.js';
import { properties } from '../support/property.js';
import { core } from './header.js';

const property = properties(import.meta.url);

const AT = 0x3003;
const OUTER = 20;
const SOURCE = ip('10.1.0.1');
const DESTINATION = ip('10.1.0.11');
/** ECN codepoints (RFC 3168 §5). */
const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;

/** The packet with its outer header; the memory around both must stay as it was. */
function encapsulate(inner: Uint8Array, copyDf: boolean): Uint8Array {
  core.bytes.fill(0xa5, AT - 60, AT + inner.length + 20);
  core.bytes.set(inner, AT);
  expect(core.call.encapsulateIpip(AT, swap32(SOURCE), swap32(DESTINATION), copyDf ? 1 : 0)).toBe(AT - OUTER);
  expect(toHex(core.bytes.slice(AT - 60, AT - OUTER)), 'before').toBe('a5'.repeat(40));
  expect(toHex(core.bytes.slice(AT, AT + inner.length)), 'the inner packet').toBe(toHex(inner));
  expect(toHex(core.bytes.slice(AT + inner.length, AT + inner.length + 20)), 'behind').toBe('a5'.repeat(20));
  return core.bytes.slice(AT - OUTER, AT + inner.length);
}

const words = (more: Partial<Ipv4Words>): Ipv4Words => ({ source: '10.0.0.2', destination: '10.0.0.100', ...more });

describe('outer header', () => {
  it('constructs', () => {
    const outer = encapsulate(ipv4(words({ tos: 0xb9, df: true, ttl: 63 }), new Uint8Array(10)), true);
    expect(toHex(outer.subarray(0, 20))).toBe(
      toHex(
        ipv4(
          { tos: 0xb9, id: 0, df: true, ttl: 63, protocol: 4, source: SOURCE, destination: DESTINATION },
          new Uint8Array(30),
        ).subarray(0, 20),
      ),
    );
  });

  it.each([
    [NOT_ECT, NOT_ECT],
    [ECT1, ECT1],
    [ECT0, ECT0],
    [CE, ECT0],
  ])('ECN %i inside shows as %i outside', (inner, outer) => {
    expect(encapsulate(ipv4(words({ tos: 0xb8 | inner })), true)[1] as number).toBe(0xb8 | outer);
  });

  it('counts identifications up when DF is clear, and needs none when it is set', () => {
    const id = (df: boolean, copy: boolean): number => {
      const outer = encapsulate(ipv4(words({ df })), copy);
      return new DataView(outer.buffer).getUint16(4);
    };
    const first = id(false, true);
    expect([id(false, true), id(true, false), id(true, true), id(false, false)]).toEqual([
      first + 1,
      first + 2,
      0,
      first + 3,
    ]);
  });
});

describe('RFC 6040 §4.2, figure 4', () => {
  /** Rows: inner; columns: outer Not-ECT, ECT(1), ECT(0), CE. */
  const TABLE: Record<number, (number | undefined)[]> = {
    [NOT_ECT]: [NOT_ECT, NOT_ECT, NOT_ECT, undefined],
    [ECT1]: [ECT1, ECT1, ECT1, CE],
    [ECT0]: [ECT0, ECT1, ECT0, CE],
    [CE]: [CE, CE, CE, CE],
  };

  it.each([NOT_ECT, ECT1, ECT0, CE])('inner %i', (inner) => {
    for (const outer of [NOT_ECT, ECT1, ECT0, CE]) {
      const expected = TABLE[inner]?.[outer];
      expect(decapsulatedEcn(inner, outer)).toBe(expected);
      const packet = ipv4(words({ tos: 0xb8 | inner }));
      core.bytes.set(packet, AT);
      const reason = reasonName(core.call.decapsulateIpip(AT, packet.length, 0x40 | outer));
      expect(reason).toBe(expected === undefined ? 'tunnel-ecn' : undefined);
      const marked = Object.assign(packet.slice(), { 1: 0xb8 | (expected ?? inner) });
      expect(toHex(core.bytes.slice(AT, AT + 20))).toBe(toHex(fixIpv4(marked)));
    }
  });
});

it.each([
  ['too short', 19, 'tunnel-malformed', []],
  ['of version 6', 30, 'tunnel-malformed', [[0, 0x65]]],
  ['with IHL 4', 30, 'tunnel-malformed', [[0, 0x44]]],
  ['longer than it is', 30, 'tunnel-malformed', [[3, 31]]],
  ['of a wrong checksum', 30, 'ipv4-checksum', [[10, 0]]],
  ['whole', 30, undefined, []],
] as const)('a packet inside that is %s: %#', (_, room, expected, changes) => {
  const packet = ipv4(words({}), new Uint8Array(10));
  for (const [at, value] of changes) packet[at] = value;
  if (expected !== 'ipv4-checksum') fixIpv4(packet);
  core.bytes.set(packet, AT);
  expect(reasonName(core.call.decapsulateIpip(AT, room, 0))).toBe(expected);
});

property(
  'the outer header is the reference’s',
  fc.property(
    fc.record({
      tos: fc.nat(255),
      df: fc.boolean(),
      ttl: fc.integer({ min: 1, max: 255 }),
      id: fc.nat(0xffff),
      size: fc.nat(100),
    }),
    fc.boolean(),
    ({ size, ...rest }, copyDf) => {
      const inner = ipv4(words(rest), new Uint8Array(size));
      const outer = encapsulate(inner, copyDf);
      const identification = new DataView(outer.buffer).getUint16(4);
      const tunnel: Tunnel = {
        type: 'ipip',
        checksum: 'nocsum',
        source: SOURCE,
        destination: DESTINATION,
        identification,
        copyDf,
        ecn: 'kernel',
        sourcePort: 0,
        destinationPort: 0,
      };
      const expected = encapsulateByReference({ packet: parseIpv4(inner), partialChecksum: false }, tunnel);
      expect(toHex(outer)).toBe(toHex(serialiseIp(expected.packet)));
    },
  ),
);
