/** Snapshots: what they carry beyond what packets show, and what does not fit. */
import { describe, expect, it } from 'vitest';
import { Director, type RestoreOptions } from '../../src/director.js';
import { decode } from '../../src/snapshot/format.js';
import { createDirector, moduleOf } from '../support/core.js';
import { coded } from '../support/errors.js';
import { fragmentsOf } from '../support/fragments.js';
import { NOW, restored } from '../support/fullnat.js';
import { ACK, counting, dotted, ip, RST, SYN, tcp, udp } from '../support/packets.js';
import { DEST, director, entriesOf, NETWORK, OTHER, open, WEB } from '../support/snapshot.js';

function reply(to: Director, n: number, now = NOW) {
  const ends = { source: DEST.address, destination: dotted(ip('192.0.2.0') + n), sport: 80, dport: 1000 };
  return to.send(tcp({ ...ends, flags: SYN | ACK }), 'srv', now)[0];
}

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

  it('has extensions for more connections in a larger plan, unless these are planned', () => {
    const wasm = moduleOf('release');
    const original = Director.createSync({ plan: { connections: 100, connections6: 1 }, wasm }).snapshot();
    const extensions = (plan = {}, bytes = original) =>
      Director.restoreSync(bytes, { plan, wasm }).plan.options.extensions;
    expect(extensions()).toBe(101);
    expect(extensions({ connections: 300 })).toBe(301);
    expect(extensions({ connections: 300, extensions: 120 })).toBe(120);
    expect(extensions({ connections: 1_000_000 })).toBe(65_536);
    const many = Director.createSync({ plan: { connections: 100, extensions: 20_000 }, wasm }).snapshot();
    expect(extensions({ connections: 50 }, many)).toBe(20_000);
    const few = Director.createSync({ plan: { connections: 100, extensions: 7 }, wasm }).snapshot();
    expect(extensions({ connections: 5000 }, few)).toBe(7);
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
      expect(() => original.addService(others[0]!)).toThrow(coded('TABLE_FULL', /scheduler/));
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
    const copying = Director.restore(bytes, { wasm: moduleOf('release') });
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
    expect(() => restored(original, { plan, memory })).toThrow(coded('TABLE_FULL', message));
    expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('refuses options that the snapshot answers itself', () => {
    expect(() => restored(original, { seed: 1n } as RestoreOptions)).toThrow(RangeError);
  });
});

it('a closed director has no snapshot', () => {
  const closed = director();
  closed.close();
  expect(() => closed.snapshot()).toThrow(coded('CLOSED', /closed/));
});
