/**
 * What of a director's memory is state, and where it lies.
 *
 * Left out is what follows from the rest (index, network tables, lists of services by key), what is of one burst only, and
 * fragments that wait for others: those are lost, and counted under `fragment-timeout`. So is what clients have sent whose
 * server has not answered (SYN proxy): it comes again.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import type { Plan } from '../plan.js';
import { reasonCode } from '../reasons.js';
import type { Region } from '../region.js';
import type { NetworkConfig } from '../types.js';
import type { CoreExports } from '../wasm.js';
import { encode, type Section } from './format.js';
import { pack } from './packed.js';
import { localsOf, portsOf } from './ports.js';

/** Fields of what is left out, fragments and the burst, each with its bytes. */
export const LEFT_OUT: readonly (readonly [number, number])[] = [
  [abi.SB_BURST_COUNT, 4],
  [abi.SB_BLOCK_HIGH, 4],
  [abi.SB_BLOCK_FREE, 4],
  [abi.SB_DATAGRAM_COUNT, 4],
  [abi.SB_DATAGRAM_HIGH, 4],
  [abi.SB_DATAGRAM_FREE, 4],
  [abi.SB_DATAGRAM_AGES, 16],
];

/** The whole state, as bytes. */
export function take(
  view: DataView,
  plan: Plan,
  network: NetworkConfig,
  core: Pick<CoreExports, 'homeOf'>,
): Uint8Array<ArrayBuffer> {
  const field = (at: number): number => view.getUint32(abi.SUPERBLOCK + at, true);
  const contested = contestedEntries(view, plan.index, core);
  const { conns, conns6, callIds } = plan;
  return encode({
    plan: plan.options,
    network,
    sections: {
      superblock: { base: abi.SUPERBLOCK, bytes: superblockOf(view) },
      counters: { base: plan.counters.base, bytes: countersOf(view, plan) },
      services: servicesSection(view, plan),
      dests: destsSection(view, plan),
      schedulers: schedulersSection(view, plan),
      wheel: { base: plan.wheel.base, bytes: listsOf(view, plan.wheel.base) },
      conns: { base: conns.base, bytes: pack(view, conns, abi.CONN_SIZE, field(abi.SB_CONN_HIGH)) },
      conns6: section(view, conns6.base, field(abi.SB_CONN6_HIGH) * abi.CONN6_SIZE),
      callIds: section(view, callIds.base, field(abi.SB_CALL_ID_HIGH) * abi.CALL_ID_SIZE),
      extensions: extensionsSection(view, plan),
      locals: localsOf(view, plan),
      ports: portsOf(view, plan),
      contested: { base: 0, bytes: new Uint8Array(contested.buffer) },
    },
  });
}

/** Without what waits for a server to answer. */
function extensionsSection(view: DataView, { extensions }: Plan): Section {
  const count = view.getUint32(abi.SUPERBLOCK + abi.SB_EXTENSION_HIGH, true);
  const bytes = pack(view, extensions, abi.EXTENSION_SIZE, count);
  for (let at = 0; at < bytes.length; at += abi.EXTENSION_SIZE) {
    const isWaiting = (bytes[at + abi.EXT_FLAGS]! & abi.ExtensionFlag.Awaiting) !== 0;
    if (isWaiting) bytes.fill(0, at + abi.EXT_PROXY_STORED, at + abi.EXT_PROXY_STORED + 4);
  }
  return { base: extensions.base, bytes };
}

/** The lists of the wheel that are not empty. */
function listsOf(view: DataView, base: number): Uint8Array {
  const { WHEEL_BYTES, WHEEL_OWING, LIST_SIZE, CONN_PREV } = abi;
  const words = new Uint32Array(view.buffer, base, WHEEL_BYTES / 4);
  const found: number[] = [];
  for (let offset = WHEEL_OWING; offset < WHEEL_BYTES; offset += LIST_SIZE) {
    const last = words[offset / 4]!;
    if (last !== base + offset - CONN_PREV) found.push(offset, last, words[offset / 4 + 1]!);
  }
  return new Uint8Array(Uint32Array.from(found).buffer);
}

/** All that a change of services and dests may change while no connection ends. */
export function controlSections(view: DataView, plan: Plan): Section[] {
  return [
    section(view, abi.SUPERBLOCK, abi.SUPERBLOCK_SIZE),
    servicesSection(view, plan),
    section(view, plan.serviceHeads.base, plan.serviceHeads.count * 4),
    destsSection(view, plan),
    schedulersSection(view, plan),
    section(view, plan.locals.base, view.getUint32(abi.SUPERBLOCK + abi.SB_LOCAL_HIGH, true) * abi.LOCAL_SIZE),
  ];
}

function section(view: DataView, base: number, length: number): Section {
  return { base, bytes: new Uint8Array(view.buffer, base, length) };
}

function servicesSection(view: DataView, { services }: Plan): Section {
  const count = handedOut(view, abi.SB_SERVICE_COUNT, abi.SB_SERVICE_FREE, abi.SVC_NEXT);
  return section(view, services.base, count * abi.SERVICE_SIZE);
}

function destsSection(view: DataView, { dests }: Plan): Section {
  const count = handedOut(view, abi.SB_DEST_COUNT, abi.SB_DEST_FREE, abi.DEST_NEXT);
  return section(view, dests.base, count * abi.DEST_SIZE);
}

/** Records that were handed out: those in use, and those on the list of free ones. */
function handedOut(view: DataView, used: number, free: number, next: number): number {
  let count = view.getUint32(abi.SUPERBLOCK + used, true);
  for (let at = view.getUint32(abi.SUPERBLOCK + free, true); at !== 0; at = view.getUint32(at + next, true)) count++;
  return count;
}

/** The schedulers' memory up to the head of the free part at its end. */
function schedulersSection(view: DataView, { schedulers: { base, count } }: Plan): Section {
  let last = 0;
  for (let at = view.getUint32(abi.SUPERBLOCK + abi.SB_SCHED_FREE, true); at !== 0; at = view.getUint32(at + 4, true)) {
    last = at;
  }
  const reachesEnd = last !== 0 && last + view.getUint32(last, true) === base + count;
  return section(view, base, reachesEnd ? last + 8 - base : count);
}

/** The superblock without what is left out. */
function superblockOf(view: DataView): Uint8Array {
  const bytes = new Uint8Array(view.buffer, abi.SUPERBLOCK, abi.SUPERBLOCK_SIZE).slice();
  for (const [at, length] of LEFT_OUT) bytes.fill(0, at, at + length);
  return bytes;
}

/** The counters as they will be: with the fragments that wait counted as lost. */
function countersOf(view: DataView, plan: Plan): Uint8Array {
  const { base, count } = plan.counters;
  const bytes = new Uint8Array(view.buffer, base, count * abi.COUNTER_SIZE).slice();
  let waiting = 0;
  // The oldest of each family, then the newest.
  for (const oldest of [0, 8]) {
    let at = view.getUint32(abi.SUPERBLOCK + abi.SB_DATAGRAM_AGES + oldest, true);
    for (; at !== 0; at = view.getUint32(at + abi.DGM_NEWER, true)) waiting += view.getUint32(at + abi.DGM_COUNT, true);
  }
  const counts = new DataView(bytes.buffer);
  const at = reasonCode('fragment-timeout') * abi.COUNTER_SIZE;
  counts.setBigUint64(at, counts.getBigUint64(at, true) + BigInt(waiting), true);
  return bytes;
}

const WORDS = abi.BUCKET_SIZE / 4;
const TAGS = abi.BUCKET_TAGS / 4;
const REFS = abi.BUCKET_REFS / 4;

/**
 * Entries near others with the same tag, in the order in which a lookup meets them: of several with one tuple it takes the
 * first. All others may be put into another index in any order.
 */
function contestedEntries(
  view: DataView,
  { base, count }: Region,
  core: Pick<CoreExports, 'homeOf'>,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(view.buffer, base, count * WORDS);
  const found = new Map<number, number>();
  for (let bucket = 0; bucket < count; bucket++) {
    const first = bucket * WORDS;
    for (let lane = 0; lane < abi.BUCKET_ENTRIES; lane++) {
      const tag = words[first + TAGS + lane]!;
      if (words[first + REFS + lane] === 0) continue;
      let from = lane + 1;
      let at = first;
      do {
        for (let other = from; other < abi.BUCKET_ENTRIES; other++) {
          if (words[at + TAGS + other] !== tag || words[at + REFS + other] === 0) continue;
          found.set(words[first + REFS + lane]!, bucket * abi.BUCKET_ENTRIES + lane);
          found.set(words[at + REFS + other]!, (at / WORDS) * abi.BUCKET_ENTRIES + other);
        }
        // An entry that went past a full bucket is in one of those that follow.
        if (words[at + abi.BUCKET_OVER / 4] === 0) break;
        at = at + WORDS === words.length ? 0 : at + WORDS;
        from = 0;
      } while (at !== first);
    }
  }
  const all = count * abi.BUCKET_ENTRIES;
  const met = [...found].map(([ref, place]) => {
    const home = ((core.homeOf(ref) - base) / abi.BUCKET_SIZE) * abi.BUCKET_ENTRIES;
    return { ref, after: (place - home + all) % all };
  });
  return Uint32Array.from(met.sort((a, b) => a.after - b.after).map(({ ref }) => ref));
}
