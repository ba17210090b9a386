/** IPv4 options (RFC 791 §3.1), as a host's IP layer treats them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonName } from '../../src/reasons.js';
import { processOptions, recordAgain } from '../../src/reference/index.js';
import { createDirector, innerCore, memoryFor, SMALL_PLAN, swap32 } from '../support/core.js';
import { hex, ip, ipv4, join, toHex } from '../support/packets.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);

/** The time and the own addresses are those of a director in the same memory. */
const memory = memoryFor('release');
const OWN = '10.0.0.1';
const VIP = ip('10.0.0.100');
const NOW = 1_700_000_054_321;
const TIME = NOW % 86_400_000;
createDirector('release', {
  memory,
  plan: SMALL_PLAN,
  network: { interfaces: [{ name: 'lo' }, { name: 'cli', kind: 'raw', addresses: [`${OWN}/24`] }] },
}).advance(NOW);
const core = innerCore(memory);
const AT = memory.buffer.byteLength - 4096 + 1;

interface Walked {
  reason: string | undefined;
  /** The byte that is wrong, from the first option. */
  pointer?: number;
  options: string;
}

/** Walks the options; says the reason, and what they have become. */
function walk(options: Uint8Array, fill: boolean): Walked {
  const padded = join(options, new Uint8Array((4 - (options.length % 4)) % 4));
  const packet = ipv4({ source: '10.0.0.2', destination: VIP, options: padded });
  core.bytes.fill(0xa5, AT - 16, AT + 100);
  core.bytes.set(packet, AT);
  const found = core.call.options(AT, fill ? 1 : 0, swap32(VIP));
  const reason = reasonName(found & 0xff);
  const end = AT + packet.length;
  expect(toHex(core.bytes.slice(end, end + 16)), 'behind the header').toBe('a5'.repeat(16));
  expect(toHex(core.bytes.slice(AT, AT + 20)), 'before the options').toBe(toHex(packet.subarray(0, 20)));
  return {
    reason,
    ...(found >> 8 !== 0 && { pointer: (found >> 8) - 20 }),
    options: toHex(core.bytes.slice(AT + 20, end)),
  };
}

const vip = toHex(hex('0a000064'));
const time = TIME.toString(16).padStart(8, '0');

describe('filled in', () => {
  it.each([
    ['record route', '070704 00000000 00', `070708${vip}00`],
    ['the second slot of it', '070b08 0a000002 00000000 00', `070b0c0a000002${vip}00`],
    ['a time', '440805 00 00000000', `44080900${time}`],
    ['a time with address', '440c05 01 0000000000000000', `440c0d01${vip}${time}`],
    ['a time that we are asked for', `440c05 03 0a000001 00000000`, `440c0d030a000001${time}`],
    ['an overflow', '440405 10', '44040520'],
    ['an overflow of times with addresses', '440c0d e1 0a00000200000000', '440c0df10a00000200000000'],
    ['NOPs before', '010101 07 07 04 00000000 00 00', `0101010707 08${vip}0000`.replace(' ', '')],
    ['both', '07070400000000 44080500 00000000 00', `070708${vip}44080900${time}00`],
    ['nothing behind the end', '01 00 ffff', '01000000'],
  ])('%s', (_, given, expected) => {
    expect(walk(hex(given), true)).toEqual({ reason: undefined, options: expected });
    // Looking is not filling in.
    const untouched = walk(hex(given), false);
    expect(untouched.reason).toBeUndefined();
    expect(untouched.options.startsWith(toHex(hex(given)))).toBe(true);
  });
});

describe('left as they are', () => {
  it.each([
    ['NOP', '01010101'],
    ['router alert', '94040000'],
    ['security', '820b000000000000000000 00'],
    ['unknown', '9e04ffff'],
    ['a full record route', '07070800000000 00'],
    ['a full list of asked times', '440c0df30a00000200000000'],
    ['a time that another is asked for', '440c05030a00000200000000'],
    ['a time of an unknown kind', '440c05020000000000000000'],
  ])('%s', (_, given) => {
    expect(walk(hex(given), true)).toEqual({ reason: undefined, options: toHex(hex(given)) });
  });
});

describe('refused', () => {
  it.each([
    ['a length of 0', '07000000', 'ipv4-option'],
    ['a length of 1', '9e010000', 'ipv4-option'],
    ['a length beyond the header', '9e050000', 'ipv4-option'],
    ['no length', '0101019e', 'ipv4-option'],
    ['a pointer into the head', '07070300000000 00', 'ipv4-option'],
    ['no room for an address', '07070500000000 00', 'ipv4-option'],
    ['record route of 2', '07020100', 'ipv4-option'],
    ['record route twice', '070704000000000707 0400000000 0000', 'ipv4-option'],
    ['timestamp twice', '44080500000000004408050000000000', 'ipv4-option'],
    ['timestamp of 3', '44030500', 'ipv4-option'],
    ['timestamp with a pointer of 4', '44080400 00000000', 'ipv4-option'],
    ['half a slot', '440c0b010000000000000000', 'ipv4-option'],
    ['not even a time', '44080600 00000000', 'ipv4-option'],
    ['the sixteenth overflow', '440405f0', 'ipv4-option'],
    ['a router alert of 2', '94020000', 'ipv4-option'],
    ['loose source route', '8307040a00000200', 'source-route'],
    ['strict source route', '8907040a00000200', 'source-route'],
    ['a source route that has been gone', '8307080a00000200', 'source-route'],
    ['source route of 2', '83020000', 'ipv4-option'],
    ['source route with a pointer of 3', '8307030a00000200', 'ipv4-option'],
    ['two source routes', '8307040a00000289 07040a00000200 00', 'ipv4-option'],
    ['something malformed behind a source route', '8307040a0000029e', 'ipv4-option'],
  ])('%s', (_, given, reason) => {
    expect(walk(hex(given), false).reason).toBe(reason);
  });
});

const kinds = fc.constantFrom(0, 1, 7, 68, 130, 131, 137, 148, 158);
const option = fc
  .tuple(kinds, fc.nat(14), fc.nat(16), fc.nat(255), fc.uint8Array({ maxLength: 12 }))
  .map(([kind, length, pointer, flag, rest]) => Uint8Array.of(kind, length, pointer, flag, ...rest));
const lists = fc.oneof(
  fc.array(option, { maxLength: 5 }).map((parts) => join(...parts).slice(0, 40)),
  fc.uint8Array({ maxLength: 40 }),
);

property(
  'any options are treated as by the reference',
  fc.property(lists, (list) => {
    const padded = join(list, new Uint8Array((4 - (list.length % 4)) % 4));
    const isLocal = (address: number): boolean => address === ip(OWN) || address >>> 24 === 127;
    const expected = processOptions(padded, { address: VIP, now: NOW, isLocal });
    const checked = walk(padded, false);
    if ('reason' in expected) {
      const { reason, pointer, options } = expected;
      expect([checked.reason, checked.pointer]).toEqual([reason, pointer]);
      // What came before the fault is filled in.
      const filled = toHex(recordAgain(options, [], VIP));
      if (pointer !== undefined) expect(walk(padded, true).options).toBe(filled);
      return;
    }
    expect(checked).toEqual({ reason: undefined, options: toHex(padded) });
    const again = recordAgain(expected.options, expected.addressSlots, VIP);
    expect(walk(padded, true)).toEqual({ reason: undefined, options: toHex(again) });
  }),
);
