import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reason } from '../../src/abi/verdict.js';
import { reasonName } from '../../src/reasons.js';
import { findIpv4Fault } from '../../src/reference/index.js';
import { swap16, swap32 } from '../support/core.js';
import { checksum, fixIpv4, hex, ip, ipv4, toHex } from '../support/packets.js';
import { properties } from '../support/property.js';
import { AT, construct, core, deconstruct } from './header.js';

const property = properties(import.meta.url);

/** Every field different, one word of options. */
const HEADER = hex('46b8 0123 4567 4000 3f06 0000 0a000002 0a000064 01010101');
fixIpv4(HEADER);

describe('IPv4', () => {
  it('deconstructs', () => {
    const sum = swap16(((HEADER[10] as number) << 8) | (HEADER[11] as number));
    expect(deconstruct(HEADER, core.call.readIpv4, 13)).toEqual([
      4,
      24,
      0xb8,
      0x123,
      0x0040,
      0,
      0,
      0x3f,
      6,
      sum,
      swap32(ip('10.0.0.2')),
      swap32(ip('10.0.0.100')),
      1,
    ]);
  });

  it('constructs', () => {
    const words = [0xb8, 0x123, 0x4567, 0x0040, 0x3f, 6, swap32(ip('10.0.0.2')), swap32(ip('10.0.0.100'))];
    const right = fixIpv4(hex('45b8 0123 4567 4000 3f06 0000 0a000002 0a000064'));
    expect(construct(words, core.call.writeIpv4, 20)).toBe(toHex(right));
  });

  it.each([
    ['no fragment', '0000', 0, 0],
    ['DF', '4000', 0, 0],
    ['the reserved bit', '8000', 0, 0],
    ['the first fragment', '2000', 1, 0],
    ['a middle one', '2001', 1, 1],
    ['the last one', '0100', 1, 1],
    ['the farthest', '1fff', 1, 1],
  ])('knows %s', (_, word, fragment, later) => {
    const header = HEADER.slice();
    header.set(hex(word), 6);
    expect(deconstruct(header, core.call.readIpv4, 7).slice(5)).toEqual([fragment, later]);
  });

  it('fills in the checksum, options included, and writes nothing else', () => {
    for (const header of [HEADER, hex('4500 0014 0000 0000 4011 ffff 00000000 00000000')]) {
      core.bytes.set(header, AT);
      core.call.fillChecksum(AT);
      const made = core.bytes.slice(AT, AT + header.length);
      expect(toHex(made)).toBe(toHex(fixIpv4(header.slice())));
    }
  });

  it.each([
    [0, 'ipv4-truncated'],
    [19, 'ipv4-truncated'],
    [23, 'ipv4-truncated'],
    [24, 'ipv4-total-length'],
    [0x122, 'ipv4-total-length'],
    [0x123, undefined],
    [0x124, undefined],
  ])('in %i bytes: %s', (room, expected) => {
    core.bytes.set(HEADER, AT);
    expect(reasonName(core.call.checkHeader(AT, room))).toBe(expected);
  });

  it.each([
    ['ipv4-version', '55', 0],
    ['ipv4-version', '65', 0],
    ['ipv4-header-length', '44', 0],
    ['ipv4-checksum', '07', 1],
    ['ipv4-total-length', '0013', 2],
  ])('%s: %s at %i', (expected, change, at) => {
    const header = hex('4500 0014 0000 0000 4011 0000 0a000002 0a000064');
    header.set(hex(change), at);
    if (expected !== 'ipv4-checksum') fixIpv4(header);
    core.bytes.set(header, AT);
    expect(reasonName(core.call.checkHeader(AT, 20))).toBe(expected);
  });
});

const address = fc.oneof(fc.constantFrom(0, 0xffff_ffff, 0xffff_0000), fc.nat(0xffff_ffff));
const headers = fc
  .record({
    tos: fc.nat(255),
    id: fc.nat(0xffff),
    ttl: fc.integer({ min: 1, max: 255 }),
    protocol: fc.nat(255),
    source: address,
    destination: address,
    words: fc.nat(10),
  })
  .map(({ words, ...rest }) => ipv4({ ...rest, options: new Uint8Array(words * 4).fill(1) }));

property(
  'any header is judged as by the reference',
  fc.property(
    headers,
    fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 3 }),
    fc.boolean(),
    fc.nat(80),
    (header, changes, fix, room) => {
      for (const [at, value] of changes) header[at % header.length] = value;
      if (fix) fixIpv4(header);
      const bytes = new Uint8Array(room);
      bytes.set(header.subarray(0, room));
      core.bytes.fill(0xa5, AT, AT + 100);
      core.bytes.set(bytes, AT);
      const expected = findIpv4Fault(bytes);
      expect(reasonName(core.call.checkHeader(AT, room))).toBe(expected);
    },
  ),
);

property(
  'one hop further, the checksum is right: by the TTL alone and with an address',
  fc.property(headers, address, (header, to) => {
    core.bytes.set(header, AT);
    core.call.decrementTtl(AT);
    const routed = core.bytes.slice(AT, AT + header.length);
    expect(toHex(routed)).toBe(toHex(fixIpv4(Object.assign(header.slice(), { 8: (header[8] as number) - 1 }))));

    const from = new DataView(header.buffer).getUint32(16);
    const moved = header.slice();
    new DataView(moved.buffer).setUint32(16, to);
    core.bytes.set(moved, AT);
    core.call.forwardIpv4(AT, swap32(from), swap32(to));
    moved[8] = (moved[8] as number) - 1;
    const made = core.bytes.slice(AT, AT + header.length);
    expect(checksum(made)).toBe(0);
    expect(toHex(made)).toBe(toHex(fixIpv4(moved)));
  }),
);

it('None is the reason of what is whole', () => {
  core.bytes.set(ipv4({ source: '10.0.0.2', destination: '10.0.0.100' }), AT);
  expect(core.call.checkHeader(AT, 20)).toBe(Reason.None);
});
