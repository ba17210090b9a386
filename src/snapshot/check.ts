/**
 * Whether a snapshot holds together: what is not checked here, `load` and the core believe.
 *
 * Believed are numbers that lead nowhere: weights, timeouts, keys, counters, and what schedulers have counted.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { Method, Protocol, Scheduler, STATE_COUNT } from '../abi/protocol.js';
import { REASON_COUNT } from '../abi/verdict.js';
import { IpvsError } from '../errors.js';
import { portsOf, readPorts } from '../local-ports.js';
import { checkNetworkShape } from '../net-shape.js';
import { buildTables } from '../net-tables.js';
import { layOut, type Plan } from '../plan.js';
import { ENGINES, METHODS, PROTOCOLS, SCHEDULERS, TUNNEL_CHECKSUMS, TUNNEL_TYPES } from '../record-names.js';
import { checkControl } from './check-control.js';
import { checkLocals } from './check-locals.js';
import type { SectionName, Snapshot } from './format.js';
import { type AllRecords, fail, Records, wordsOf } from './inspect.js';
import { checkPool } from './pool.js';
import { TABLE_NAMES, TABLES } from './tables.js';
import { LEFT_OUT } from './take.js';

function expect(what: string, got: number, expected: number): void {
  if (got !== expected) fail(`${what} is ${got}, expected ${expected}`);
}

/** Returns where everything lay. @throws IpvsError BAD_SNAPSHOT that says what is wrong. */
export function checkSnapshot(snapshot: Snapshot): Plan {
  const plan = planOf(snapshot);
  checkLengths(snapshot, plan);
  const all = Object.fromEntries(TABLE_NAMES.map((name) => [name, new Records(snapshot, plan, name)])) as AllRecords;
  const superblock = wordsOf(snapshot.sections.superblock.bytes);
  checkSuperblock(snapshot.sections.superblock.bytes, plan, all);
  for (const name of TABLE_NAMES) checkFree(superblock, all[name]);
  checkRules(superblock, all);
  const held = checkPool(snapshot, plan, all);
  const wheel = wordsOf(snapshot.sections.wheel.bytes);
  checkWheel(wheel, plan, all);
  checkConnections(plan, all, held);
  checkLocals(snapshot, all);
  checkControl(all, superblock[abi.SB_NO_CPORT >>> 2]!);
  checkContested(wordsOf(snapshot.sections.contested.bytes), all);
  return plan;
}

function planOf(snapshot: Snapshot): Plan {
  try {
    const plan = layOut(snapshot.plan, portsOf(readPorts(snapshot.sections.superblock.bytes)).count);
    checkNetworkShape(snapshot.network, 'network');
    buildTables(snapshot.network, plan);
    return plan;
  } catch (error) {
    throw new IpvsError('BAD_SNAPSHOT', `snapshot inconsistent: ${(error as Error).message}`, { cause: error });
  }
}

function checkLengths({ sections }: Snapshot, plan: Plan): void {
  const exact: Partial<Record<SectionName, number>> = {
    superblock: abi.SUPERBLOCK_SIZE,
    counters: REASON_COUNT * abi.COUNTER_SIZE,
  };
  for (const [name, { base, bytes }] of Object.entries(sections) as [
    SectionName,
    Snapshot['sections'][SectionName],
  ][]) {
    const at = name === 'superblock' ? abi.SUPERBLOCK : name === 'contested' || name === 'ports' ? 0 : plan[name].base;
    expect(`base of ${name}`, base, at);
    expect(`length of ${name}`, bytes.length, exact[name] ?? bytes.length);
  }
  for (const name of TABLE_NAMES) {
    const { length } = sections[name].bytes;
    const { size } = TABLES[name];
    if (length % size !== 0 || length / size > plan[name].count) {
      fail(`length of ${name} is ${length}, expected up to ${plan[name].count} records of ${size} bytes`);
    }
  }
  const { contested, schedulers } = sections;
  if (contested.bytes.length % 4 !== 0) fail(`length of contested is ${contested.bytes.length}, expected words`);
  if (schedulers.bytes.length > plan.schedulers.count) fail(`length of schedulers is ${schedulers.bytes.length}`);
}

function checkSuperblock(bytes: Uint8Array, plan: Plan, all: AllRecords): void {
  const words = wordsOf(bytes);
  const field = (at: number): number => words[at >>> 2]!;
  for (const [at, length] of LEFT_OUT) {
    if (bytes.subarray(at, at + length).some((byte) => byte !== 0)) fail(`superblock field ${at} is not 0`);
  }
  expect('SB_CONN_HIGH', field(abi.SB_CONN_HIGH), all.conns.count);
  expect('SB_CONN6_HIGH', field(abi.SB_CONN6_HIGH), all.conns6.count);
  expect('SB_CALL_ID_HIGH', field(abi.SB_CALL_ID_HIGH), all.callIds.count);
  expect('SB_EXTENSION_HIGH', field(abi.SB_EXTENSION_HIGH), all.extensions.count);
  expect('SB_LOCAL_HIGH', field(abi.SB_LOCAL_HIGH), all.locals.count);
  expect('SB_CONN_COUNT', field(abi.SB_CONN_COUNT), all.conns.inUse + all.conns6.inUse);
  expect('SB_CONN6_COUNT', field(abi.SB_CONN6_COUNT), all.conns6.inUse);
  expect('SB_SERVICE_COUNT', field(abi.SB_SERVICE_COUNT), all.services.inUse);
  expect('SB_DEST_COUNT', field(abi.SB_DEST_COUNT), all.dests.inUse);
  if (field(abi.SB_EVICT) > abi.Kind.Kept) fail(`SB_EVICT is ${field(abi.SB_EVICT)}`);
  for (let row = 0; row < abi.WHEEL_ROWS; row++) {
    const ahead = (field(abi.SB_WHEEL_FIRST + row * 4) - field(abi.SB_WHEEL_NOW)) >>> 0;
    if (ahead > abi.WHEEL_SLOTS) fail(`SB_WHEEL_FIRST is ${ahead} ticks ahead`);
  }
  checkInterface(plan, 'SB_TUNNEL_INTERFACE', field(abi.SB_TUNNEL_INTERFACE));
}

function checkInterface(plan: Plan, what: string, index: number): void {
  if (index >= plan.interfaces.count && index !== abi.HOP_INTERFACE_NONE) fail(`${what} is ${index}`);
}

/** All records that are not in use are in the list of free ones, once. */
function checkFree(superblock: Uint32Array, records: Records): void {
  const { free, next } = TABLES[records.name];
  const expected = records.count - records.inUse;
  let count = 0;
  for (let at = superblock[free >>> 2]!; at !== 0 && count <= expected; count++) {
    at = records.word(records.at(at, `a free link of ${records.name}`, 0), next);
  }
  expect(`number of free ${records.name}`, count, expected);
}

const SCHEDULER_VALUES = new Set<number>(Object.values(SCHEDULERS));
const PROTOCOL_VALUES = new Set<number>(Object.values(PROTOCOLS));
const METHOD_VALUES = new Set<number>(Object.values(METHODS));
const CONN_METHOD_VALUES = new Set<number>([...METHOD_VALUES, Method.Bypass, Method.Nat64]);
const ENGINE_VALUES = new Set<number>([0, ...Object.values(ENGINES)]);
const TYPE_VALUES = new Set<number>([0, ...Object.values(TUNNEL_TYPES)]);
const CHECKSUM_VALUES = new Set<number>([0, ...Object.values(TUNNEL_CHECKSUMS)]);
const FAMILIES = new Set<number>([abi.Family.V4, abi.Family.V6]);

function oneOf(what: string, value: number, known: ReadonlySet<number>): void {
  if (!known.has(value)) fail(`${what} is ${value}`);
}

/** Each dest in use is in the list of its service, or in the trash, once. */
function checkRules(superblock: Uint32Array, { services, dests }: AllRecords): void {
  const seen = new Uint8Array(dests.count);
  const walk = (first: number, owner: number): number => {
    let count = 0;
    for (let at = first; at !== 0; count++) {
      const dest = dests.at(at, 'a link of dests');
      if (seen[dest] !== 0) fail(`dest ${dest} is in more than one list`);
      seen[dest] = 1;
      const isAvailable = (dests.byte(dest, abi.DEST_FLAGS) & abi.DestFlag.Available) !== 0;
      if (isAvailable !== (owner !== 0)) fail(`DEST_FLAGS of dest ${dest}`);
      if (owner !== 0) expect('DEST_SERVICE', dests.word(dest, abi.DEST_SERVICE), owner);
      at = dests.word(dest, abi.DEST_NEXT);
    }
    return count;
  };
  let listed = walk(superblock[abi.SB_DEST_TRASH >>> 2]!, 0);
  for (let i = 0; i < services.count; i++) {
    if (services.used[i] === 0) continue;
    const own = services.address(i);
    oneOf('SVC_SCHEDULER', services.byte(i, abi.SVC_SCHEDULER), SCHEDULER_VALUES);
    oneOf('SVC_FAMILY', services.byte(i, abi.SVC_FAMILY), FAMILIES);
    oneOf('SVC_PE', services.byte(i, abi.SVC_PE), ENGINE_VALUES);
    if (services.word(i, abi.SVC_FWMARK) === 0)
      oneOf('SVC_PROTOCOL', services.byte(i, abi.SVC_PROTOCOL), PROTOCOL_VALUES);
    const count = walk(services.word(i, abi.SVC_DESTS), own);
    expect('SVC_DEST_COUNT', services.word(i, abi.SVC_DEST_COUNT), count);
    listed += count;
    const cursor = services.word(i, abi.SVC_CURSOR);
    if (cursor !== 0)
      expect('service of SVC_CURSOR', dests.word(dests.at(cursor, 'SVC_CURSOR'), abi.DEST_SERVICE), own);
    if (services.byte(i, abi.SVC_SCHEDULER) === Scheduler.Wrr) checkRound(i, services, dests);
  }
  expect('number of dests in lists', listed, dests.inUse);
  for (let i = 0; i < dests.count; i++) {
    if (dests.used[i] === 0) continue;
    oneOf('DEST_FAMILY', dests.byte(i, abi.DEST_FAMILY), FAMILIES);
    oneOf('DEST_METHOD', dests.byte(i, abi.DEST_METHOD), METHOD_VALUES);
    oneOf('DEST_TUN_TYPE', dests.byte(i, abi.DEST_TUN_TYPE), TYPE_VALUES);
    oneOf('DEST_TUN_CHECKSUM', dests.byte(i, abi.DEST_TUN_CHECKSUM), CHECKSUM_VALUES);
    if (
      dests.byte(i, abi.DEST_METHOD) === Method.FullNat &&
      dests.byte(i, abi.DEST_FAMILY) > dests.byte(i, abi.DEST_VFAMILY)
    )
      fail('a dest by FullNAT is of IPv6, and its service of IPv4');
    const service = dests.word(i, abi.DEST_SERVICE);
    const number = (service - services.base) / abi.SERVICE_SIZE;
    // One in the trash may be of a service that is no more.
    if (service !== 0 && services.used[number] === undefined) fail(`DEST_SERVICE is ${service}`);
  }
}

/** What wrr counts by follows from the weights; a step of 0 would never end. */
function checkRound(service: number, services: Records, dests: Records): void {
  const weights = [0];
  for (let at = services.word(service, abi.SVC_DESTS); at !== 0; ) {
    const dest = dests.at(at, 'a link of dests');
    weights.push(dests.word(dest, abi.DEST_WEIGHT));
    at = dests.word(dest, abi.DEST_NEXT);
  }
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  const step = weights.reduce(divisor) || 1;
  const most = Math.max(...weights) - (step - 1);
  expect('SVC_WRR_DI', services.word(service, abi.SVC_WRR_DI), step);
  expect('SVC_WRR_MW', services.word(service, abi.SVC_WRR_MW), most);
  const current = services.word(service, abi.SVC_WRR_CW);
  if (current > most) fail(`SVC_WRR_CW is ${current}, expected up to ${most}`);
}

/** Each connection in use hangs in the wheel once, in a row of its family; a list leads back to its head. */
function checkWheel(lists: Uint32Array, plan: Plan, { conns, conns6 }: AllRecords): void {
  if (lists.length % 3 !== 0) fail(`length of wheel is ${lists.length * 4}, expected lists of 12 bytes`);
  let hung = 0;
  let least: number = abi.WHEEL_OWING;
  for (let i = 0; i < lists.length; i += 3) {
    const offset = lists[i]!;
    const isList = offset >= least && offset < abi.WHEEL_BYTES && offset % abi.LIST_SIZE === 0;
    if (!isList) fail(`a list of the wheel is at ${offset}`);
    least = offset + abi.LIST_SIZE;
    const isV4 = offset < abi.WHEEL_HEADROOM + abi.KIND_COUNT * abi.WHEEL_SLOTS * abi.LIST_SIZE;
    const isOwing = offset < abi.WHEEL_HEADROOM;
    const head = plan.wheel.base + offset - abi.CONN_PREV;
    let before = head;
    let at = lists[i + 2]!;
    for (; at !== head; hung++) {
      const records = (isOwing ? at < conns6.base : isV4) ? conns : conns6;
      const index = records.at(at, 'a link of the wheel');
      expect('CONN_PREV', records.word(index, abi.CONN_PREV), before);
      before = at;
      at = records.word(index, abi.CONN_NEXT);
      if (hung > conns.inUse + conns6.inUse) fail('a list of the wheel goes round');
    }
    expect('the end of a list of the wheel', lists[i + 1]!, before);
  }
  expect('number of connections in the wheel', hung, conns.inUse + conns6.inUse);
}

/** What connections point to, and how often. `held`: of each dest, by how many caches. */
function checkConnections(plan: Plan, all: AllRecords, held: Uint32Array): void {
  const { dests, callIds } = all;
  const active = new Uint32Array(dests.count);
  const inactive = new Uint32Array(dests.count);
  const bound = new Uint32Array(dests.count);
  const named = new Uint8Array(callIds.count);
  for (const records of [all.conns, all.conns6]) {
    for (let i = 0; i < records.count; i++) {
      if (records.used[i] === 0) continue;
      const flags = records.byte(i, abi.CONN_FLAGS);
      const isTemplate = (flags & abi.ConnFlag.Template) !== 0;
      if (((flags & abi.ConnFlag.V6) !== 0) !== (records === all.conns6))
        fail(`CONN_FLAGS is ${flags} in ${records.name}`);
      const protocol = records.byte(i, abi.CONN_PROTOCOL);
      const method = records.byte(i, abi.CONN_METHOD);
      const isQuery = protocol === (records === all.conns6 ? Protocol.Icmpv6 : Protocol.Icmp);
      const isOther = isTemplate ? protocol === 0 : isQuery && method === Method.Snat;
      if (!PROTOCOL_VALUES.has(protocol) && !isOther) fail(`CONN_PROTOCOL is ${protocol}`);
      if (isQuery && !isTemplate) checkQuery(records, i);
      if (!CONN_METHOD_VALUES.has(method)) fail(`CONN_METHOD is ${method}`);
      if (records.byte(i, abi.CONN_STATE) >= STATE_COUNT) fail(`CONN_STATE is ${records.byte(i, abi.CONN_STATE)}`);
      checkInterface(plan, 'CONN_HOP_INTERFACE', records.word(i, abi.CONN_HOP_INTERFACE - 2) >>> 16);
      const to = records.word(i, abi.CONN_DEST);
      if (to !== 0) {
        const dest = dests.at(to, 'CONN_DEST');
        bound[dest]!++;
        if (!isTemplate) (flags & abi.ConnFlag.Inactive ? inactive : active)[dest]!++;
      } else if (isTemplate || method !== Method.Bypass) fail('CONN_DEST is 0');
      const other = records.word(i, abi.CONN_CONTROL);
      if (other === 0 || !isTemplate) continue;
      const cell = callIds.at(other, 'CONN_CALL_ID');
      if (named[cell] !== 0) fail(`Call-ID ${cell} is of two templates`);
      named[cell] = 1;
    }
  }
  for (let i = 0; i < dests.count; i++) {
    if (dests.used[i] === 0) continue;
    expect('DEST_ACTIVE', dests.word(i, abi.DEST_ACTIVE), active[i]!);
    expect('DEST_INACTIVE', dests.word(i, abi.DEST_INACTIVE), inactive[i]!);
    expect('DEST_CONNS', dests.word(i, abi.DEST_CONNS), bound[i]!);
    expect('DEST_HELD', dests.word(i, abi.DEST_HELD), held[i]!);
    checkInterface(plan, 'DEST_HOP', dests.word(i, abi.DEST_HOP) >>> 16);
  }
}

/** A query's connection has a port on its client's side alone: its identifier. */
function checkQuery(records: Records, index: number): void {
  expect('CONN_VPORT_BE', records.word(index, abi.CONN_CPORT_BE) >>> 16, 0);
  expect('CONN_DPORT_BE', records.word(index, abi.CONN_DPORT_BE) & 0xffff, 0);
}

/** Entries of the index, once each. */
function checkContested(refs: Uint32Array, { conns, conns6 }: AllRecords): void {
  const seen = new Set<number>();
  for (const ref of refs) {
    const at = (ref & ~abi.REF_REPLY) >>> 0;
    const records = at < conns6.base ? conns : conns6;
    const flags = records.byte(records.at(at, 'a contested entry'), abi.CONN_FLAGS);
    const isEntry = ref & abi.REF_REPLY ? (flags & abi.ConnFlag.Reply) !== 0 : (flags & abi.ConnFlag.Hidden) === 0;
    if (!isEntry || seen.has(ref)) fail(`a contested entry is ${ref}`);
    seen.add(ref);
  }
}
