/**
 * Whether FullNAT's and SNAT's part of a snapshot holds together: local addresses, who has them, and which ports are given.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { Carry, Method, Profile, ServiceFlag } from '../abi/protocol.js';
import { type Ports, portsOf, readPorts } from '../local-ports.js';
import type { Snapshot } from './format.js';
import { type AllRecords, fail, type Records, wordsOf } from './inspect.js';

function expect(what: string, got: number, expected: number): void {
  if (got !== expected) fail(`${what} is ${got}, expected ${expected}`);
}

/** Each port is given once, or free once; each address is known once, and as often used as it says. The schedulers' memory was checked. */
export function checkLocals({ sections }: Snapshot, all: AllRecords): void {
  const { locals } = all;
  const superblock = sections.superblock.bytes;
  const ports = portsOf(readPorts(superblock));
  const users = listed(sections.schedulers.base, wordsOf(sections.schedulers.bytes), all);
  countDests(users, all);
  const given = new Given(ports);
  const { conns, total, mixed } = connected(all, given);
  expect('SB_FULLNAT', wordsOf(superblock)[abi.SB_FULLNAT >>> 2]!, total);
  expect('SB_NAT64', wordsOf(superblock)[abi.SB_NAT64 >>> 2]!, mixed);
  const { bytes } = sections.ports;
  const freed = new Uint16Array(bytes.slice(0, bytes.length & ~1).buffer);
  let at = 0;
  const names = new Set<string>();
  for (let i = 0; i < locals.count; i++) {
    if (locals.used[i] === 0) continue;
    const family = locals.byte(i, abi.LOCAL_FAMILY);
    if (family !== abi.Family.V4 && family !== abi.Family.V6) fail(`LOCAL_FAMILY is ${family}`);
    const name = `${family} ${addressOf(locals, i, abi.LOCAL_ADDRESS)}`;
    if (names.has(name)) fail(`local address ${i} is there twice`);
    names.add(name);
    expect('LOCAL_USERS', locals.word(i, abi.LOCAL_USERS), users[i]!);
    expect('LOCAL_CONNS', locals.word(i, abi.LOCAL_CONNS), conns[i]!);
    if (users[i] === 0 && conns[i] === 0) fail(`local address ${i} is used by nobody`);
    for (let pool = 0; pool < abi.POOL_COUNT; pool++) {
      const field = abi.LOCAL_POOLS + pool * abi.POOL_SIZE;
      const [handedOut, count] = [locals.word(i, field + abi.POOL_GIVEN), locals.word(i, field + abi.POOL_FREED)];
      expect('POOL_HEAD', locals.word(i, field + abi.POOL_HEAD), 0);
      if (handedOut > ports.count || count > handedOut) fail(`a pool has ${count} of ${handedOut} ports back`);
      if (at + count > freed.length) fail(`length of ports is ${bytes.length}`);
      const number = i * abi.POOL_COUNT + pool;
      for (const port of freed.subarray(at, at + count)) given.take(number, port);
      given.assertFirst(number, handedOut);
      at += count;
    }
  }
  expect('length of ports', bytes.length, at * 2);
}

/** How many services list each address. */
function listed(base: number, words: Uint32Array, { services, locals }: AllRecords): Uint32Array {
  const users = new Uint32Array(locals.count);
  for (let i = 0; i < services.count; i++) {
    if (services.used[i] === 0) continue;
    if (services.byte(i, abi.SVC_PROFILE) > Profile.Dpvs) fail('SVC_PROFILE');
    if (!isCarrier(services.byte(i, abi.SVC_CARRY), services.byte(i, abi.SVC_FAMILY))) fail('SVC_CARRY');
    const count = services.byte(i, abi.SVC_LOCAL_COUNT);
    if (services.byte(i, abi.SVC_LOCAL_NEXT) >= Math.max(count, 1)) fail('SVC_LOCAL_NEXT');
    const seen = new Set<number>();
    for (let place = 0; place < count; place++) {
      const local = locals.at(
        words[(services.word(i, abi.SVC_LOCALS) - base) / 4 + place]!,
        'a local address of a service',
      );
      if (locals.byte(local, abi.LOCAL_FAMILY) > services.byte(i, abi.SVC_FAMILY)) fail('family of a local address');
      if (seen.has(local)) fail(`a service lists local address ${local} twice`);
      seen.add(local);
      users[local]!++;
    }
  }
  return users;
}

/** Counts each address once more for each service's dest by SNAT that it is; these have nobody else beside them. */
function countDests(users: Uint32Array, { dests, locals, services }: AllRecords): void {
  const kinds = new Map<number, boolean>();
  for (let i = 0; i < dests.count; i++) {
    if (dests.used[i] === 0) continue;
    const isListed = (dests.byte(i, abi.DEST_FLAGS) & abi.DestFlag.Available) !== 0;
    const isSnat = dests.byte(i, abi.DEST_METHOD) === Method.Snat;
    const at = dests.word(i, abi.DEST_LOCAL);
    if (!isListed || !isSnat) expect('DEST_LOCAL', at, 0);
    if (!isListed) continue;
    const service = dests.word(i, abi.DEST_SERVICE);
    if ((kinds.get(service) ?? isSnat) !== isSnat) fail('a service has dests by SNAT and others');
    kinds.set(service, isSnat);
    if (!isSnat) continue;
    if (dests.word(i, abi.DEST_FWMARK) === 0) fail('a dest by SNAT is of no mark');
    const owner = services.at(service, 'DEST_SERVICE');
    const isAlone =
      (services.word(owner, abi.SVC_FLAGS) & (ServiceFlag.OnePacket | ServiceFlag.SynProxy)) === 0 &&
      services.byte(owner, abi.SVC_CARRY) === Carry.None;
    if (!isAlone) fail('a dest by SNAT has a service with ops, synproxy or carry');
    const family = dests.byte(i, abi.DEST_FAMILY);
    expect('family of a dest by SNAT', family, dests.byte(i, abi.DEST_VFAMILY));
    const local = locals.at(at, 'DEST_LOCAL');
    const isSame =
      locals.byte(local, abi.LOCAL_FAMILY) === family &&
      addressOf(locals, local, abi.LOCAL_ADDRESS) === addressOf(dests, i, abi.DEST_ADDRESS);
    if (!isSame) fail('DEST_LOCAL has another address than its dest');
    users[local]!++;
  }
}

/** Which ports of each pool, by number, are given, or free. */
class Given {
  readonly #ports: Ports;
  readonly #pools = new Map<number, { taken: Uint8Array; count: number }>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  take(number: number, port: number): void {
    const { first, step, count } = this.#ports;
    let pool = this.#pools.get(number);
    if (pool === undefined) {
      pool = { taken: new Uint8Array(count), count: 0 };
      this.#pools.set(number, pool);
    }
    const index = (port - first) / step;
    if (pool.taken[index] !== 0) fail(`port ${port} of pool ${number} is none, or given twice`);
    pool.taken[index] = 1;
    pool.count++;
  }

  /** Exactly the first `count` ports of a pool were taken. */
  assertFirst(number: number, count: number): void {
    const pool = this.#pools.get(number);
    const isFirst =
      pool === undefined ? count === 0 : pool.count === count && !pool.taken.subarray(0, count).includes(0);
    if (!isFirst) fail(`the ports of pool ${number} are not each given or free`);
  }
}

/** How many connections have each address, whose ports they take; how many they are. */
function connected(all: AllRecords, given: Given) {
  const { locals, extensions } = all;
  const conns = new Uint32Array(locals.count);
  let total = 0;
  let mixed = 0;
  for (const records of [all.conns, all.conns6]) {
    for (let i = 0; i < records.count; i++) {
      const isTemplate = (records.byte(i, abi.CONN_FLAGS) & abi.ConnFlag.Template) !== 0;
      if (records.used[i] === 0 || isTemplate) continue;
      const control = records.word(i, abi.CONN_CONTROL);
      const isExtended = (control & abi.EXTENDED) !== 0;
      const isMixed = records.byte(i, abi.CONN_METHOD) === Method.Nat64;
      const isFull = records.byte(i, abi.CONN_METHOD) >= Method.FullNat;
      if (!isExtended && isFull) fail('a connection by FullNAT or SNAT has no extension');
      if (!isExtended) continue;
      const extension = extensions.at(control - abi.EXTENDED, 'CONN_CONTROL');
      const record = extensions.word(extension, abi.EXT_LOCAL);
      if (!isFull) {
        expect('EXT_LOCAL', record, 0);
        continue;
      }
      const local = locals.at(record, 'EXT_LOCAL');
      // Behind an address of IPv4 there is something else.
      const isSame = (records === all.conns6 ? WORDS : WORDS.slice(0, 1)).every(
        (at) => extensions.word(extension, abi.EXT_LADDR + at) === locals.word(local, abi.LOCAL_ADDRESS + at),
      );
      if (!isSame) fail('EXT_LADDR is another address than that of EXT_LOCAL');
      const own = records === all.conns6 ? abi.Family.V6 : abi.Family.V4;
      if (isMixed && own === abi.Family.V4) fail('a connection of IPv4 is by NAT64');
      const family = isMixed ? abi.Family.V4 : own;
      expect('LOCAL_FAMILY', locals.byte(local, abi.LOCAL_FAMILY), family);
      if (extensions.byte(extension, abi.EXT_PROFILE) > Profile.Dpvs) fail('EXT_PROFILE');
      const carry = extensions.byte(extension, abi.EXT_CARRY);
      if (!isCarrier(carry, own) || (isMixed && carry === Carry.UoaProtocol)) fail('EXT_CARRY');
      const port =
        extensions.byte(extension, abi.EXT_LPORT_BE) * 256 + extensions.byte(extension, abi.EXT_LPORT_BE + 1);
      given.take(local * abi.POOL_COUNT + poolOf(records, i, family), port);
      conns[local]!++;
      total++;
      if (isMixed) mixed++;
    }
  }
  return { conns, total, mixed };
}

/** IPv6 has no option like that of IPv4. */
function isCarrier(carry: number, family: number): boolean {
  return carry <= Carry.UoaProtocol && !(carry === Carry.UoaOption && family === abi.Family.V6);
}

/** The pool of a connection's server. */
function poolOf(records: Records, index: number, family: abi.Family): number {
  const [field, length] = family === abi.Family.V6 ? [abi.CONN_DADDR6, 16] : [abi.CONN_DADDR_BE, 4];
  let folded = records.byte(index, abi.CONN_PROTOCOL);
  for (let i = 0; i < length; i++) folded ^= records.byte(index, field + i);
  folded ^= records.byte(index, abi.CONN_DPORT_BE) ^ records.byte(index, abi.CONN_DPORT_BE + 1);
  return (folded ^ (folded >> 4)) & (abi.POOL_COUNT - 1);
}

/** Of an address. */
const WORDS = [0, 4, 8, 12] as const;

function addressOf(records: Records, index: number, field: number): string {
  return WORDS.map((at) => records.word(index, field + at)).join();
}
