/** Snapshots that are refused: cut, damaged, of another version, or not holding together. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { abiHash } from '../../src/abi-hash.js';
import { Director } from '../../src/director.js';
import { crc32c } from '../../src/snapshot/crc32c.js';
import { decode, encode, type SectionName } from '../../src/snapshot/format.js';
import { moduleOf } from '../support/core.js';
import { coded } from '../support/errors.js';
import { NOW } from '../support/fullnat.js';
import { counting, RST } from '../support/packets.js';
import { DEST, director, OTHER, open, WEB } from '../support/snapshot.js';

const module = moduleOf('release');

describe('what is no snapshot', () => {
  const original = director();
  for (let n = 0; n < 60; n++) open(original, n);
  const whole = original.snapshot();
  const refuse = (bytes: Uint8Array, message: RegExp) =>
    expect(() => Director.restoreSync(bytes, { wasm: module })).toThrow(coded('BAD_SNAPSHOT', message));
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = whole.slice();
    bytes[at] = value;
    return bytes;
  };

  it.each([
    ['nothing', new Uint8Array(0), /too short: expected a header of 64 bytes, got 0/],
    ['half a header', whole.slice(0, 40), /too short/],
    ['all but the last byte', whole.slice(0, -1), /too short: expected \d+ bytes, got \d+/],
    ['one byte more', Uint8Array.from([...whole, 0]), /too long/],
    ['something else', counting(5000), /snapshot unknown: it does not begin with "IPVSSNAP"/],
    ['another version', changed(8, 2), /of another version: expected 1, got 2/],
  ])('%s is refused', (_, bytes, message) => refuse(bytes, message));

  it('another ABI is refused by name', () => {
    const bytes = whole.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(12, 0x01020304, true);
    view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
    refuse(bytes, new RegExp(`of another version: expected ABI ${abiHash()}, got 01020304`));
  });

  it('says which part is damaged', () => {
    refuse(
      changed(whole.length - 100, 0xff),
      /damaged: the checksum of bytes \d+ to \d+ \(conns\) is \w+, expected \w+/,
    );
    refuse(changed(70, 0xff), /damaged: the checksum of bytes 64 to \d+ \(description\)/);
    refuse(changed(20, 0xff), /damaged: the checksum of bytes 0 to 59 \(header\)/);
  });

  it('refuses each byte of the header in each other value', () => {
    for (let at = 0; at < 64; at++) {
      for (let by = 1; by < 256; by++) refuse(changed(at, whole[at]! ^ by), /^snapshot /);
    }
  });

  it('refuses 10,000 random damages', () => {
    const bytes = whole.slice();
    const where = fc.integer({ min: 64, max: whole.length - 1 });
    const flips = fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 64 });
    const property = fc.property(where, flips, (at, bits) => {
      for (const [i, bit] of bits.entries()) bytes[at + i] = whole[at + i]! ^ bit;
      refuse(bytes, /^snapshot damaged/);
      bytes.set(whole.subarray(at, at + bits.length), at);
    });
    fc.assert(property, { numRuns: 10_000 });
  });

  it('is refused where no bytes are given', () => {
    expect(() => Director.restoreSync('snapshot' as unknown as Uint8Array)).toThrow(TypeError);
  });

  it('may lie anywhere in memory', () => {
    const room = new Uint8Array(whole.length + 3);
    room.set(whole, 3);
    expect(Director.restoreSync(room.subarray(3), { wasm: module }).connectionCount).toBe(60);
  });
});

it('crc32c is that of RFC 9260', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
});

describe('a snapshot with right checksums that does not hold together', () => {
  const original = director();
  for (const [i, scheduler] of (['mh', 'lblcr', 'wrr'] as const).entries()) {
    const service = { ...OTHER, port: 80 + i, scheduler };
    original.addService(service);
    original.addDest(service, { ...DEST, weight: 4 });
    original.addDest(service, { ...DEST, address: '10.1.0.12', weight: 6 });
  }
  original.addDest(WEB, { ...DEST, address: '10.1.0.12' });
  for (let n = 0; n < 20; n++) open(original, n);
  for (let n = 0; n < 5; n++) open(original, n, { service: OTHER });
  for (let n = 0; n < 5; n++) open(original, n, { flags: RST });
  original.advance(NOW + 11_000);
  const whole = original.snapshot();
  /** The snapshot with one u32 another. */
  const withWord = (section: SectionName, at: number, value: number): Uint8Array => {
    const snapshot = decode(whole);
    const { bytes } = snapshot.sections[section];
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
    return encode(snapshot);
  };
  const withBytes = (section: SectionName, change: (bytes: Uint8Array) => Uint8Array): Uint8Array => {
    const snapshot = decode(whole);
    const { base, bytes } = snapshot.sections[section];
    return encode({ ...snapshot, sections: { ...snapshot.sections, [section]: { base, bytes: change(bytes) } } });
  };
  const without = (section: SectionName): Uint8Array => {
    const snapshot = decode(whole);
    const { [section]: _, ...sections } = snapshot.sections;
    return encode({ ...snapshot, sections } as typeof snapshot);
  };
  const wild = 0xffff_fff0;
  const dests = original.plan.dests.base;
  const wrr = 3 * abi.SERVICE_SIZE;

  it.each<[string, Uint8Array, RegExp]>([
    ['a section less', without('dests'), /expected the sections/],
    ['a longer superblock', withBytes('superblock', (b) => Uint8Array.from([...b, ...b])), /length of superblock/],
    ['longer counters', withBytes('counters', (b) => Uint8Array.from([...b, ...b])), /length of counters/],
    [
      'more connections',
      withBytes('conns', (b) =>
        Uint8Array.from(
          Array(40)
            .fill([...b])
            .flat(),
        ),
      ),
      /length of conns/,
    ],
    ['no services', withBytes('services', () => new Uint8Array(0)), /inconsistent/],
    ['100 bytes of dests', withBytes('dests', (b) => b.slice(0, 100)), /length of dests is 100/],
    ['a bad plan', encode({ ...decode(whole), plan: { ...original.plan.options, dests: -1 } }), /plan\.dests/],
    ['a bad network', encode({ ...decode(whole), network: { interfaces: 7 as never } }), /network\.interfaces/],
    ['SB_CONN_HIGH', withWord('superblock', abi.SB_CONN_HIGH, 0xffff_ffff), /SB_CONN_HIGH/],
    ['SB_BLOCK_FREE', withWord('superblock', abi.SB_BLOCK_FREE, wild), /superblock field/],
    ['SB_SCHED_FREE', withWord('superblock', abi.SB_SCHED_FREE, wild), /schedulers' memory/],
    ['a list of the wheel', withWord('wheel', 0, wild), /list of the wheel/],
    ['a link of the wheel', withWord('wheel', 8, wild), /link of the wheel/],
    ['SB_EVICT', withWord('superblock', abi.SB_EVICT, 5), /SB_EVICT/],
    ['SB_WHEEL_FIRST', withWord('superblock', abi.SB_WHEEL_FIRST, wild), /SB_WHEEL_FIRST/],
    ['SVC_DESTS', withWord('services', abi.SVC_DESTS, wild), /link of dests/],
    ['SVC_WRR_DI', withWord('services', wrr + abi.SVC_WRR_DI, 0), /SVC_WRR_DI is 0, expected 2/],
    ['SVC_WRR_MW', withWord('services', wrr + abi.SVC_WRR_MW, 1 << 30), /SVC_WRR_MW is \d+, expected 5/],
    ['SVC_WRR_CW', withWord('services', wrr + abi.SVC_WRR_CW, wild), /SVC_WRR_CW/],
    ['DEST_NEXT to itself', withWord('dests', abi.DEST_NEXT, dests), /in more than one list/],
    ['CONN_DEST within a dest', withWord('conns', abi.CONN_DEST + 10 * abi.CONN_SIZE, dests + 4), /CONN_DEST/],
  ])('%s is refused, and the memory stays as it was', (_, bytes, message) => {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 64 });
    const before = new Uint8Array(memory.buffer).fill(0xa5);
    for (const plan of [{}, { connections: 400 }]) {
      const options = { wasm: module, memory, plan };
      expect(() => Director.restoreSync(bytes, options)).toThrow(coded('BAD_SNAPSHOT', message));
    }
    expect(before.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('is refused, or lists, chooses and advances, whatever word is another', () => {
    const names = Object.keys(decode(whole).sections) as SectionName[];
    const places = names.flatMap((name) => {
      const { length } = decode(whole).sections[name].bytes;
      return length < 4 ? [] : [fc.record({ name: fc.constant(name), at: fc.integer({ min: 0, max: length - 4 }) })];
    });
    const pointers = [0, 1, dests, original.plan.conns.base, original.plan.services.base, wild];
    const values = fc.oneof(fc.constantFrom(...pointers), fc.integer({ min: 0, max: 0xffff_ffff }));
    const property = fc.property(fc.oneof(...places), values, fc.boolean(), ({ name, at }, value, isAligned) => {
      let copy: Director;
      try {
        copy = Director.restoreSync(withWord(name, isAligned ? at & ~3 : at, value), { wasm: module });
      } catch (thrown) {
        expect(thrown).toEqual(coded('BAD_SNAPSHOT', /^snapshot /));
        return;
      }
      copy.services();
      copy.connections(NOW);
      for (const port of [80, 81, 82]) for (let n = 30; n < 34; n++) open(copy, n, { service: { ...OTHER, port } });
      copy.advance(NOW + 20_000);
      copy.advance(NOW + 2_000_000);
      copy.connections(NOW);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
