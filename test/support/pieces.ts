/**
 * Reassembly and cutting in the core alone: fragments in, a datagram out, and back.
 *
 * @module
 */
import { expect } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { Verdict } from '../../src/abi/verdict.js';
import { layOut, type PlanOptions, writePlan } from '../../src/plan.js';
import { type ReasonName, reasonCode, reasonName, type VerdictName, verdictName } from '../../src/reasons.js';
import type { Region } from '../../src/region.js';
import { innerCore, SMALL_PLAN } from './core.js';

export interface Judged {
  verdict: VerdictName | undefined;
  reason: ReasonName | undefined;
}

/** What became of a fragment; `whole` is the datagram that it completed. */
export type Taken = Judged | { whole: Uint8Array };

export interface Sent extends Judged {
  /** Every frame that leaves, the first piece first. */
  frames: Uint8Array[];
}

/** Interfaces of the lab. */
export const RAW = 0;
export const ETHER = 1;
export const TAGGED = 2;
export const MAC = Uint8Array.of(2, 0, 0, 0, 1, 1);
export const HOP_MAC = Uint8Array.of(2, 0, 0, 0, 0x0b, 0x0b);
export const VLAN = 100;

const FENCE = 0xa5;
/** Bytes between what is given and what the core makes. */
const GAP = 64;

const core = innerCore();

/** One at a time: a new one begins with the memory of the one before. */
export class PieceLab {
  readonly #plan;
  readonly #hop = abi.SUPERBLOCK + abi.SB_HOP;
  /** Regions that neither reassembly nor cutting has any business in. */
  readonly #others: Region[];
  /** First byte of the arena that the core may hand out. */
  #free = 0;

  constructor(options: Partial<PlanOptions> = {}) {
    const { bytes, view } = core;
    const plan = layOut({ ...SMALL_PLAN, arenaBytes: 1 << 18, ...options });
    this.#plan = plan;
    expect(plan.bytes).toBeLessThan(bytes.length);
    bytes.fill(0, abi.SUPERBLOCK, plan.bytes);
    writePlan(view, plan);
    const { services, serviceHeads, dests, schedulers, index, conns, conns6, wheel } = plan;
    this.#others = [services, serviceHeads, dests, schedulers, index, conns, conns6, wheel];
    for (const { base } of this.#others) view.setUint32(base, 0xdeadbeef);
    view.setBigUint64(abi.SUPERBLOCK + abi.SB_KEY0, 0x0706050403020100n, true);
    view.setBigUint64(abi.SUPERBLOCK + abi.SB_KEY1, 0x0f0e0d0c0b0a0908n, true);
    view.setUint32(abi.SUPERBLOCK + abi.SB_FRAGMENT_ID, 0x0a0b0c0d, true);
    view.setUint32(abi.SUPERBLOCK + abi.SB_INTERFACE_COUNT, 3, true);
    for (const [i, flags] of [0, abi.InterfaceFlag.Ethernet, abi.InterfaceFlag.Ethernet].entries()) {
      const record = plan.interfaces.base + i * abi.INTERFACE_SIZE;
      view.setUint32(record + abi.IF_FLAGS, abi.InterfaceFlag.Up | flags, true);
      bytes.set(MAC, record + abi.IF_MAC);
      view.setUint16(record + abi.IF_VLAN, i === TAGGED ? VLAN : abi.IF_VLAN_NONE, true);
    }
    bytes.fill(FENCE, plan.arena.base, plan.arena.base + plan.arena.count + GAP);
  }

  /** Milliseconds. Datagrams that waited too long are forgotten. */
  set now(value: number) {
    core.view.setBigUint64(abi.SUPERBLOCK + abi.SB_NOW, BigInt(value), true);
    core.call.expireFragmentsAt(value);
  }

  /** Datagrams that wait, and blocks that they take, as the lists of free ones have it. */
  get held(): { datagrams: number; blocks: number } {
    return { datagrams: this.#field(abi.SB_DATAGRAM_COUNT), blocks: this.#blocksHeld() };
  }

  /** Levels of the tree of runs of the datagram that was opened first. */
  get depth(): number {
    const { view } = core;
    const under = (run: number): number => {
      if (run === 0) return 0;
      const [left, right] = [abi.BLK_LEFT, abi.BLK_RIGHT].map((link) => under(view.getUint32(run + link, true)));
      return 1 + Math.max(left as number, right as number);
    };
    return under(view.getUint32(this.#plan.datagrams.base + abi.DGM_RUNS, true));
  }

  counter(reason: ReasonName): number {
    const at = this.#plan.counters.base + reasonCode(reason) * abi.COUNTER_SIZE;
    return Number(core.view.getBigUint64(at, true));
  }

  /** Gives an IP packet, with room for an outer header in front, as the only frame of a burst. */
  #give(packet: Uint8Array): number {
    const { bytes, view } = core;
    const { arena, descriptors } = this.#plan;
    // At an odd address: frames lie where they lie.
    const at = arena.base + abi.HEADROOM + 1;
    bytes.fill(FENCE, arena.base, Math.max(this.#free, at + packet.length + GAP));
    bytes.set(packet, at);
    const next = at + packet.length + GAP;
    this.#setField(abi.SB_ARENA_NEXT, next);
    this.#setField(abi.SB_BURST_COUNT, 1);
    bytes.fill(0, descriptors.base, descriptors.base + abi.DESCRIPTOR_SIZE);
    view.setUint32(descriptors.base + abi.DESC_ADDRESS, at, true);
    view.setUint32(descriptors.base + abi.DESC_LENGTH, packet.length, true);
    view.setUint16(descriptors.base + abi.DESC_HEADROOM, abi.HEADROOM, true);
    view.setUint16(descriptors.base + abi.DESC_CAUSE, abi.CAUSE_NONE, true);
    return at;
  }

  /** Receives a fragment, a bare IP packet. */
  receive(packet: Uint8Array): Taken {
    const at = this.#give(packet);
    const complete = core.call.reassembleFrame(0) !== 0;
    this.#free = this.#field(abi.SB_ARENA_NEXT);
    this.#checkFences(at, packet.length);
    if (complete) this.#checkFloor(at - abi.HEADROOM);
    return complete ? { whole: this.#frame(0) } : this.#judged(0);
  }

  /** All at once: the datagram that the last of the fragments completes. */
  gather(fragments: readonly Uint8Array[]): Uint8Array {
    const taken = fragments.map((fragment) => this.receive(fragment));
    const last = taken.pop();
    for (const each of taken) expect(each).toEqual({ verdict: 'held', reason: 'fragment-held' });
    if (last === undefined || !('whole' in last)) throw new Error(`not complete: ${JSON.stringify(last)}`);
    return last.whole;
  }

  /** Sends a packet that came as it is. */
  send(packet: Uint8Array, mtu: number, out = RAW): Sent {
    this.#give(packet);
    return this.#cut(mtu, out, false);
  }

  /** Sends the datagram that was completed last, with `outer` in front, which takes part of the headroom. */
  forward(mtu: number, { out = RAW, outer = new Uint8Array(0), headroom = abi.HEADROOM }: ForwardOptions = {}): Sent {
    const { bytes, view } = core;
    const descriptor = this.#plan.descriptors.base;
    const inner = view.getUint32(descriptor + abi.DESC_ADDRESS, true);
    view.setUint16(descriptor + abi.DESC_HEADROOM, headroom, true);
    bytes.set(outer, inner - outer.length);
    return this.#cut(mtu, out, true, inner - outer.length);
  }

  #cut(
    mtu: number,
    out: number,
    reassembled: boolean,
    ip = core.view.getUint32(this.#plan.descriptors.base, true),
  ): Sent {
    const { bytes, view, call } = core;
    view.setUint16(this.#hop + abi.HOP_INTERFACE, out, true);
    bytes.set(HOP_MAC, this.#hop + abi.HOP_MAC);
    const before = this.#field(abi.SB_ARENA_NEXT);
    call.cutFrame(0, ip, this.#hop, mtu, reassembled ? 1 : 0, reasonCode('nat-in'));
    this.#free = this.#field(abi.SB_ARENA_NEXT);
    const count = this.#field(abi.SB_BURST_COUNT);
    const judged = this.#judged(0);
    if (judged.verdict !== 'forward') {
      expect([count, this.#free], 'nothing made stays').toEqual([1, before]);
      return { ...judged, frames: [] };
    }
    for (let i = 1; i < count; i++) this.#checkPiece(i, out);
    return { ...judged, frames: Array.from({ length: count }, (_, i) => this.#frame(i)) };
  }

  #checkPiece(index: number, out: number): void {
    const { view } = core;
    const at = this.#plan.descriptors.base + index * abi.DESCRIPTOR_SIZE;
    expect(this.#judged(index)).toEqual({ verdict: 'forward', reason: 'fragment' });
    expect(view.getUint16(at + abi.DESC_CAUSE, true)).toBe(0);
    expect(view.getUint16(at + abi.DESC_OUT, true)).toBe(out);
    expect(view.getUint16(at + abi.DESC_FLAGS, true)).toBe(abi.DescriptorFlag.Made);
    const address = view.getUint32(at + abi.DESC_ADDRESS, true);
    const headroom = view.getUint16(at + abi.DESC_HEADROOM, true);
    expect((address - headroom) % 64, 'its floor').toBe(0);
  }

  #judged(index: number): Judged {
    const at = this.#plan.descriptors.base + index * abi.DESCRIPTOR_SIZE;
    const { bytes } = core;
    const verdict = bytes[at + abi.DESC_VERDICT] as Verdict;
    return {
      verdict: verdict === Verdict.None ? undefined : verdictName(verdict),
      reason: reasonName(bytes[at + abi.DESC_REASON] as number),
    };
  }

  #frame(index: number): Uint8Array {
    const at = this.#plan.descriptors.base + index * abi.DESCRIPTOR_SIZE;
    const address = core.view.getUint32(at + abi.DESC_ADDRESS, true);
    return core.bytes.slice(address, address + core.view.getUint32(at + abi.DESC_LENGTH, true));
  }

  /** The datagram lies where the last fragment lay, in front of which as much may be written as before, or in memory of the core's. */
  #checkFloor(given: number): void {
    const { view } = core;
    const at = this.#plan.descriptors.base;
    const headroom = view.getUint16(at + abi.DESC_HEADROOM, true);
    const floor = view.getUint32(at + abi.DESC_ADDRESS, true) - headroom;
    if (floor !== given) expect([floor % 64, headroom]).toEqual([0, abi.HEADROOM]);
  }

  /** Nothing may be written beside the frame, behind what was handed out, nor in tables of others. */
  #checkFences(at: number, length: number): void {
    const { bytes, view } = core;
    const { arena } = this.#plan;
    const isFence = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === FENCE);
    expect(isFence(arena.base, at), 'before the frame').toBe(true);
    expect(isFence(at + length, at + length + GAP), 'behind the frame').toBe(true);
    expect(isFence(this.#free, this.#free + GAP), 'behind what was handed out').toBe(true);
    expect(this.#free).toBeLessThanOrEqual(arena.base + arena.count);
    for (const { base } of this.#others) expect(view.getUint32(base)).toBe(0xdeadbeef);
  }

  #blocksHeld(): number {
    const { view } = core;
    let free = 0;
    for (let at = this.#field(abi.SB_BLOCK_FREE); at !== 0; at = view.getUint32(at + abi.BLK_NEXT, true)) free++;
    return this.#field(abi.SB_BLOCK_HIGH) - free;
  }

  #field(offset: number): number {
    return core.view.getUint32(abi.SUPERBLOCK + offset, true);
  }

  #setField(offset: number, value: number): void {
    core.view.setUint32(abi.SUPERBLOCK + offset, value, true);
  }
}

export interface ForwardOptions {
  out?: number;
  outer?: Uint8Array;
  /** Bytes in front of the datagram that may be written. */
  headroom?: number;
}
