/**
 * The ports that pools got back: in a snapshot in one row, in memory in rings.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import type { Plan } from '../plan.js';
import type { Region } from '../region.js';
import type { Section } from './format.js';
import { forEachInUse, type TableMove } from './tables.js';

/** Local addresses, with pools whose rings begin at their beginning. */
export function localsOf(view: DataView, { locals: { base } }: Plan): Section {
  const bytes = new Uint8Array(view.buffer, base, highOf(view) * abi.LOCAL_SIZE).slice();
  const copy = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += abi.LOCAL_SIZE) {
    for (const pool of pools(at)) copy.setUint32(pool + abi.POOL_HEAD, 0, true);
  }
  return { base, bytes };
}

/** The freed ports of all of them. */
export function portsOf(view: DataView, plan: Plan): Section {
  const found: number[] = [];
  forEachRing(view, plan, { base: plan.locals.base, count: highOf(view) }, (head, freed, ring) => {
    for (let i = 0; i < freed; i++) found.push(ring[(head + i) % ring.length]!);
  });
  return { base: 0, bytes: new Uint8Array(Uint16Array.from(found).buffer) };
}

/** Writes them to where they lie now. */
export function placePorts(view: DataView, plan: Plan, moves: { locals: TableMove }, bytes: Uint8Array): void {
  const ports = new Uint16Array(bytes.slice().buffer);
  let at = 0;
  forEachRing(view, plan, moves.locals.records.to, (_, freed, ring) => {
    ring.set(ports.subarray(at, at + freed));
    at += freed;
  });
}

function highOf(view: DataView): number {
  return view.getUint32(abi.SUPERBLOCK + abi.SB_LOCAL_HIGH, true);
}

/** Where the pools of the record at `at` are. */
function pools(at: number): number[] {
  return Array.from({ length: abi.POOL_COUNT }, (_, i) => at + abi.LOCAL_POOLS + i * abi.POOL_SIZE);
}

function forEachRing(
  view: DataView,
  { locals, portRings }: Plan,
  region: Region,
  call: (head: number, freed: number, ring: Uint16Array) => void,
): void {
  const count = view.getUint32(abi.SUPERBLOCK + abi.SB_PORT_COUNT, true);
  forEachInUse(view, 'locals', region, (at) => {
    const first = ((at - locals.base) / abi.LOCAL_SIZE) * abi.POOL_COUNT;
    for (const [i, pool] of pools(at).entries()) {
      const ring = new Uint16Array(view.buffer, portRings.base + (first + i) * count * 2, count);
      call(view.getUint32(pool + abi.POOL_HEAD, true), view.getUint32(pool + abi.POOL_FREED, true), ring);
    }
  });
}
