/** Snapshots: what they carry beyond what packets show, what does not fit, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { abiHash } from '../../src/abi-hash.js';
import { Director, type RestoreOptions } from '../../src/director.js';
import { crc32c } from '../../src/snapshot/crc32c.js';
import { decode, encode, type SectionName } from '../../src/snapshot/format.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, moduleOf, SMALL_PLAN } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { ACK, counting, dotted, ip, RST, SYN, tcp, udp } from '../support/packets.js';

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32', '10.0.0.101/32'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] },
  ],
  routes: [{ dst: 'default', dev: 'cli' }],
};
const WEB = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
const OTHER = { protocol: 'tcp', address: '10.0.0.101', port: 80 } as const;
const DEST = { address: '10.1.0.11', port: 80, method: 'nat' } as const;
const NOW = 1_700_000_000_000;
const module = moduleOf('release');

function director(plan = {}): Director {
  const made = createDirector('release', { network: NETWORK, plan: { ...SMALL_PLAN, connections: 300, ...plan } });
  made.addService({ ...WEB, scheduler: 'rr' });
  made.addDest(WEB, DEST);
  return made;
}

const restored = (from: Director, options: RestoreOptions = {}): Director =>
  Director.restoreSync(from.snapshot(), { wasm: module, ...options });

/** A segment of client `n`; sent at `now`. */
function open(
  to: Director,
  n: number,
  { flags = SYN, now = NOW, service = WEB as { address: string; port: number } } = {},
) {
  const ends = { source: dotted(ip('192.0.2.0') + n), destination: service.address, sport: 1000, dport: service.port };
  return to.send(tcp({ ...ends, flags }), 'cli', now)[0];
}

function reply(to: Director, n: number, now = NOW) {
  const ends = { source: DEST.address, destination: dotted(ip('192.0.2.0') + n), sport: 80, dport: 1000 };
  return to.send(tcp({ ...ends, flags: SYN | ACK }), 'srv', now)[0];
}

/** Entries in the index. */
function entriesOf({ burst, plan }: Director): number {
  const words = new Uint32Array(burst.bytes.buffer, plan.index.base, (plan.index.count * abi.BUCKET_SIZE) / 4);
  return words.filter((word, i) => word !== 0 && (i * 4) % abi.BUCKET_SIZE >= abi.BUCKET_REFS).length;
}

const error = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a restored director', () => {
  it('has every section as it was: a snapshot of it is the same again', () => {
    const original = director();
    for (let n = 0; n < 100; n++) open(original, n);
    for (let n = 0; n < 100; n += 3) open(original, n, { flags: RST });
    original.addService({ ...OTHER, scheduler: 'lblcr' });
    original.addDest(OTHER, DEST);
    open(original, 3, { service: OTHER });
    const [before, after] = [decode(original.snapshot()), decode(restored(original).snapshot())];
    expect(after).toEqual(before);
  });

  it('keeps network, switches, timeouts, ECN mode and counters', () => {
    const original = createDirector('release', { network: NETWORK, ecn: 'copy', sysctl: { sloppy_tcp: 1 } });
    original.setTimeouts({ tcp: 1234 });
    open(original, 1);
    const copy = restored(original);
    expect(copy.network).toEqual(original.network);
    expect(copy.interfaceIndex('srv')).toBe(1);
    expect(copy.getSysctl()).toEqual(original.getSysctl());
    expect(copy.counters()).toEqual(original.counters());
    expect(decode(copy.snapshot()).sections.superblock).toEqual(decode(original.snapshot()).sections.superblock);
  });

  it.each([{}, { connections: 5000 }])('ends connections at their time, in a plan with %j', (plan) => {
    const original = director();
    open(original, 1);
    open(original, 2, { now: NOW + 500 });
    const copy = restored(original, { plan });
    expect(copy.connections(NOW + 59_999)).toHaveLength(2);
    copy.advance(NOW + 60_300);
    expect(copy.connectionCount).toBe(1);
    copy.advance(NOW + 60_800);
    expect(copy.connectionCount).toBe(0);
  });

  it('gives replies of a shared server to the connection made last', () => {
    const original = director();
    original.addService(OTHER);
    original.addDest(OTHER, DEST);
    for (let n = 0; n < 50; n++) {
      const [first, second] = n % 2 === 0 ? [WEB, OTHER] : [OTHER, WEB];
      open(original, n, { service: first });
      open(original, n, { service: second });
    }
    const copy = restored(original, { plan: { connections: 1000 } });
    for (let n = 0; n < 50; n++) {
      expect(reply(copy, n)?.connection?.virtualAddress).toBe(n % 2 === 0 ? OTHER.address : WEB.address);
    }
  });

  it('leaves hidden connections of a client at port 0 to their timers', () => {
    const original = director();
    const ends = { source: '192.0.2.1', destination: WEB.address, sport: 0, dport: 80 };
    for (let n = 0; n < 3; n++) original.send(tcp({ ...ends, flags: SYN }), 'cli', NOW + n * 1000);
    expect(original.connectionCount).toBe(3);
    const copy = restored(original, { plan: { connections: 1000 } });
    const back = { source: DEST.address, destination: '192.0.2.1', sport: 80, dport: 0 };
    for (const each of [original, copy]) each.send(tcp({ ...back, flags: SYN | ACK }), 'srv', NOW + 3000);
    expect(copy.connections(NOW + 3000)).toEqual(original.connections(NOW + 3000));
    expect(entriesOf(copy)).toBe(entriesOf(original));
    copy.advance(NOW + 200_000);
    expect(copy.connectionCount).toBe(0);
    expect(entriesOf(copy)).toBe(0);
    expect(copy.send(tcp({ ...ends, flags: SYN }), 'cli', NOW + 200_000)[0]?.reason).toBe('nat-in');
  });

  it('goes on in a larger plan, also where the first was full', () => {
    const original = director({ connections: 10 });
    for (let n = 0; n < 12; n++) open(original, n);
    expect(open(original, 12)?.reason).toBe('table-full');
    const copy = restored(original, { plan: { connections: 20 } });
    for (let n = 10; n < 20; n++) expect(open(copy, n)?.reason).toBe('nat-in');
    expect(open(copy, 20)?.reason).toBe('table-full');
    for (let n = 0; n < 20; n++) expect(reply(copy, n)?.reason).toBe('nat-out');
  });

  it('goes on in a smaller plan, when what is left fits', () => {
    const original = director({ dests: 20, services: 5 });
    original.addService(OTHER);
    for (let n = 12; n < 30; n++) original.addDest(OTHER, { ...DEST, address: `10.1.0.${n}` });
    original.deleteService(OTHER);
    original.addDest(WEB, { ...DEST, address: '10.1.0.12' });
    for (let n = 0; n < 300; n++) open(original, n);
    for (let n = 0; n < 300; n++) {
      open(original, n, { flags: ACK });
      if (n % 30 !== 7) open(original, n, { flags: RST });
    }
    original.advance(NOW + 11_000);
    const copy = restored(original, { plan: { connections: 10, services: 1, dests: 2 } });
    expect(copy.connections(NOW + 11_000)).toEqual(original.connections(NOW + 11_000));
    expect(copy.services()).toEqual(original.services());
    for (let n = 7; n < 300; n += 30) expect(open(copy, n, { flags: ACK, now: NOW + 12_000 })?.reason).toBe('nat-in');
    expect(open(copy, 1, { now: NOW + 12_000 })?.reason).toBe('table-full');
    copy.advance(NOW + 2_000_000);
    expect(copy.connectionCount).toBe(0);
    expect(open(copy, 1, { now: NOW + 2_000_000 })?.reason).toBe('nat-in');
  });

  it('has room for more tables of schedulers in a larger plan, full or not before', () => {
    const [key, ...others] = [1, 2, 3, 4, 5].map((port) => ({ ...WEB, port: 8000 + port, scheduler: 'mh' as const }));
    for (const schedulerBytes of [17_000, 20_001, 16_416]) {
      const original = director({ schedulerBytes });
      original.addService(key!);
      expect(() => original.addService(others[0]!)).toThrow(error('TABLE_FULL', /scheduler/));
      const copy = restored(original, { plan: { schedulerBytes: 200_000 } });
      for (const other of others) copy.addService(other);
      for (const each of [key!, ...others]) copy.deleteService(each);
      copy.addService({ ...key!, port: 9000 });
    }
  });

  it('has lost fragments that waited, and counts them', () => {
    const original = director();
    const whole = udp({ source: '192.0.2.1', destination: '10.0.0.100', sport: 1, dport: 2, payload: counting(99) });
    const [first, second, third] = fragmentsOf(whole, [32, 64], 7);
    for (const piece of [first!, second!]) original.send(piece, 'cli', NOW);
    const copy = restored(original);
    expect(copy.counters()['fragment-timeout']).toBe(2n);
    expect(original.counters()['fragment-timeout']).toBe(0n);
    expect(copy.send(third!, 'cli', NOW)[0]?.reason).toBe('fragment-held');
  });

  it('is made without waiting or with, in memory of its own or of the embedder', async () => {
    const original = director();
    open(original, 1);
    const bytes = original.snapshot();
    const memory = new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true });
    for (const options of [{}, { memory }, { variant: 'debug' as const }]) {
      const copy = await Director.restore(bytes, options);
      expect(open(copy, 1, { flags: ACK })?.connection?.inPackets).toBe(2);
    }
  });

  it.each([
    ['a Uint8Array', (length: number) => new Uint8Array(length)],
    ['a Buffer', (length: number) => Buffer.alloc(length)],
    ['shared memory', (length: number) => new Uint8Array(new SharedArrayBuffer(length))],
  ])('is what was in %s when restore was called', async (_, make) => {
    const original = director();
    for (let n = 0; n < 50; n++) open(original, n);
    const whole = original.snapshot();
    const bytes = make(whole.length);
    bytes.set(whole);
    const copying = Director.restore(bytes, { wasm: module });
    bytes.fill(0xff);
    expect((await copying).snapshot()).toEqual(whole);
  });

  it('does not follow the original, nor that it', () => {
    const original = director();
    const copy = restored(original);
    open(original, 1);
    expect(copy.connectionCount).toBe(0);
    open(copy, 2);
    open(copy, 3);
    expect(original.connectionCount).toBe(1);
  });
});

describe('a plan that is too small', () => {
  const original = director();
  original.addService({ ...OTHER, scheduler: 'mh' });
  original.addDest(WEB, { ...DEST, address: '10.1.0.12' });
  for (let n = 0; n < 100; n++) open(original, n);

  it.each([
    [{ connections: 99 }, /connections: the plan has room for 99, the snapshot needs 100/],
    [{ services: 1 }, /services: the plan has room for 1, the snapshot needs 2/],
    [{ dests: 1 }, /dests: the plan has room for 1, the snapshot needs 2/],
    [{ schedulerBytes: 10_000 }, /schedulerBytes: the plan has room for 10000/],
    [{ interfaces: 1 }, /interfaces/],
  ])('%j is refused, and the memory stays as it was', (plan, message) => {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 64 });
    const bytes = new Uint8Array(memory.buffer).fill(0xa5);
    expect(() => restored(original, { plan, memory })).toThrow(error('TABLE_FULL', message));
    expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('refuses options that the snapshot answers itself', () => {
    expect(() => restored(original, { seed: 1n } as RestoreOptions)).toThrow(RangeError);
  });
});

describe('what is no snapshot', () => {
  const original = director();
  for (let n = 0; n < 60; n++) open(original, n);
  const whole = original.snapshot();
  const refuse = (bytes: Uint8Array, message: RegExp) =>
    expect(() => Director.restoreSync(bytes, { wasm: module })).toThrow(error('BAD_SNAPSHOT', message));
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

it('a closed director has no snapshot', () => {
  const closed = director();
  closed.close();
  expect(() => closed.snapshot()).toThrow(error('CLOSED', /closed/));
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
      expect(() => Director.restoreSync(bytes, options)).toThrow(error('BAD_SNAPSHOT', message));
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
        expect(thrown).toEqual(error('BAD_SNAPSHOT', /^snapshot /));
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
