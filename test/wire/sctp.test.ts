import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CRC_TABLES_SIZE, SB_CRC_TABLES, SUPERBLOCK } from '../../src/abi/memory.js';
import { counting, hex, toHex } from '../support/packets.js';
import { properties } from '../support/property.js';
import { crc32c, sctp } from '../support/sctp.js';
import { construct, core } from './header.js';

const property = properties(import.meta.url);

const TABLES = 0x8_0000;
const BASE = 0x4_0000;
core.view.setUint32(SUPERBLOCK + SB_CRC_TABLES, TABLES, true);
core.bytes.fill(0xa5, TABLES - 16, TABLES);
core.bytes.fill(0xa5, TABLES + CRC_TABLES_SIZE, TABLES + CRC_TABLES_SIZE + 16);

/** The CRC of bytes that lie `shift` bytes off an aligned address, with others behind them. */
function crcOf(bytes: Uint8Array, shift = 0): number {
  core.bytes.fill(0xff, BASE, BASE + bytes.length + 64);
  core.bytes.set(bytes, BASE + shift);
  return core.call.crcOf(BASE + shift, bytes.length) >>> 0;
}

describe('CRC32c', () => {
  it.each([
    ['nothing', hex(''), 0],
    ['the check value of the catalogues', new TextEncoder().encode('123456789'), 0xe3069283],
    // RFC 3720 §B.4 gives them in the order in which they are sent.
    ['RFC 3720: 32 bytes of 00', new Uint8Array(32), 0x8a9136aa],
    ['RFC 3720: 32 bytes of ff', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['RFC 3720: 32 bytes up', counting(32), 0x46dd794e],
    ['RFC 3720: 32 bytes down', counting(32).reverse(), 0x113fdb5c],
    [
      'RFC 3720: an iSCSI SCSI Read (10) command',
      hex(
        '01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000',
      ),
      0xd9963a56,
    ],
  ])('of %s', (_, bytes, expected) => {
    expect(crcOf(bytes)).toBe(expected);
    expect(crc32c(bytes), 'the definition').toBe(expected);
  });

  it.each([0, 1, 2, 3])('of every length up to 200, and of long ones, at a shift of %i', (shift) => {
    const bytes = counting(9000, 7).map((byte, i) => byte ^ (i >> 6));
    for (let length = 0; length <= 9000; length += length < 200 ? 1 : 631) {
      const part = bytes.subarray(0, length);
      expect(crcOf(part, shift), `length ${length}`).toBe(crc32c(part));
    }
  });

  it('keeps its tables to themselves', () => {
    crcOf(counting(32));
    const fence = 'a5'.repeat(16);
    expect(toHex(core.bytes.slice(TABLES - 16, TABLES))).toBe(fence);
    expect(toHex(core.bytes.slice(TABLES + CRC_TABLES_SIZE, TABLES + CRC_TABLES_SIZE + 16))).toBe(fence);
  });
});

property(
  'the CRC is that of the definition, bit by bit',
  fc.property(fc.uint8Array({ maxLength: 1500, size: 'max' }), fc.nat(15), (bytes, shift) => {
    expect(crcOf(bytes, shift)).toBe(crc32c(bytes));
  }),
);

describe('SCTP', () => {
  it('writes ports and checksum, and leaves the verification tag', () => {
    const made = construct([0x409c, 0x5000, 0x78563412], core.call.writeSctp, 12);
    expect(made).toBe('9c400050a5a5a5a512345678');
  });

  it('fills in the checksum of a packet, its low byte first', () => {
    const packet = sctp({ source: '10.0.0.2', destination: '10.0.0.100', sport: 40_000, dport: 3868 }).slice(20);
    const right = new DataView(packet.buffer).getUint32(8, true);
    packet.set(hex('deadbeef'), 8);
    core.bytes.set(packet, BASE);
    expect(core.call.fillSctp(BASE, packet.length) >>> 0).toBe(right);
    expect(core.view.getUint32(BASE + 8, true)).toBe(right);
  });
});
