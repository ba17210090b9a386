/**
 * A burst: up to 256 frames that lie in the director's memory and are judged by one call.
 *
 * Frames are written in place: `reserve` gives a view onto the memory where the frame goes,
 * `commit` says how long it became. After `process`, verdicts and frames are read where they lie.
 * A view is valid until the next `reset`.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import type { Reason, Verdict } from './abi/verdict.js';
import { IpvsError } from './errors.js';
import type { Plan } from './plan.js';
import { shown } from './shape.js';
import type { WasmMemory } from './wasm.js';

/** Frames begin on a cache line, so that a header touches as few lines as it can. */
const ALIGN = 64;

const WORDS = abi.DESCRIPTOR_SIZE / 4;
const HALVES = abi.DESCRIPTOR_SIZE / 2;

/** The word of verdict, reason and cause before judgement. */
const NOT_JUDGED = (abi.CAUSE_NONE << 16) >>> 0;

/** The frames of one call, and what became of them. */
export class Burst {
  /** The whole memory of the director, for frames that are read or written at an address. */
  readonly bytes: Uint8Array;

  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #octets: Uint8Array;
  readonly #superblock: Uint32Array;
  readonly #end: number;
  /** First byte of the arena that frames may take: what is held comes before. */
  #start: number;
  #next: number;
  #reserved = -1;
  #reservedLength = 0;
  #reservedInterface = 0;
  #count = 0;
  /** Whether `process` was called: a burst is judged once, and takes no more frames until it is reset. */
  #judged = false;

  /** @internal Bursts are made by the director. */
  constructor(memory: WasmMemory, plan: Plan) {
    const { buffer } = memory;
    this.bytes = new Uint8Array(buffer);
    const { base, count } = plan.descriptors;
    this.#words = new Uint32Array(buffer, base, count * WORDS);
    this.#halves = new Uint16Array(buffer, base, count * HALVES);
    this.#octets = new Uint8Array(buffer, base, count * abi.DESCRIPTOR_SIZE);
    this.#superblock = new Uint32Array(buffer, abi.SUPERBLOCK, abi.SUPERBLOCK_SIZE / 4);
    this.#start = plan.arena.base;
    this.#next = this.#start;
    this.#end = plan.arena.base + plan.arena.count;
  }

  /** Number of frames: those given, and after `process` also those that the director made. */
  get length(): number {
    return this.#count;
  }

  /** Whether no further frame can be given before `process` and `reset`. */
  get full(): boolean {
    return this.#count >= abi.BURST_MAX;
  }

  /** Empties the burst. */
  reset(): void {
    this.#count = 0;
    this.#next = this.#start;
    this.#reserved = -1;
    this.#judged = false;
  }

  /**
   * Keeps `length` bytes of the arena for the embedder: frames may lie there (`place`), and no reset takes
   * them. The burst must be empty.
   *
   * @returns the address of the first byte, in `bytes`.
   * @throws IpvsError BURST_FULL when the arena is smaller, or frames are there or reserved.
   */
  hold(length: number): number {
    assertLength(length);
    const address = this.#start;
    const start = Math.ceil((address + length) / ALIGN) * ALIGN;
    if (this.#count !== 0 || this.#reserved >= 0) {
      throw new IpvsError('BURST_FULL', 'expected an empty burst, got one with frames: reset it first');
    }
    if (start > this.#end) {
      throw new IpvsError('BURST_FULL', `expected room for ${length} bytes, got ${this.#end - address}`);
    }
    this.#start = start;
    this.#next = start;
    return address;
  }

  /** Whether a frame of `length` bytes can still be given. */
  hasRoom(length: number): boolean {
    return !this.full && this.#next + abi.HEADROOM + length <= this.#end;
  }

  /**
   * Makes room for a frame of at most `maxLength` bytes that came in by an interface.
   *
   * @returns the address, in `bytes`, where the frame is to be written before `commit`.
   * @throws TypeError for what is no index, such as a name; IpvsError BURST_FULL when 256 frames are there or the arena is full.
   */
  reserveAt(maxLength: number, interfaceIndex: number): number {
    assertLength(maxLength);
    if (!Number.isInteger(interfaceIndex)) {
      throw new TypeError(`expected the index of an interface (director.interfaceIndex), got ${shown(interfaceIndex)}`);
    }
    this.#assertOpen();
    if (!this.hasRoom(maxLength)) {
      throw new IpvsError('BURST_FULL', `expected room for a frame of ${maxLength} bytes, got ${this.#room()}`);
    }
    this.#reserved = this.#next + abi.HEADROOM;
    this.#reservedLength = maxLength;
    this.#reservedInterface = interfaceIndex;
    return this.#reserved;
  }

  /** The same as a view: `reserve(1514, 0).set(frame)`. */
  reserve(maxLength: number, interfaceIndex: number): Uint8Array {
    const address = this.reserveAt(maxLength, interfaceIndex);
    return this.bytes.subarray(address, address + maxLength);
  }

  /**
   * Adds the frame that was written into the room reserved last.
   *
   * @param length bytes of the frame; what was reserved beyond them is free again.
   * @param cookie an unsigned 32-bit number of the embedder's own.
   * @param mark the frame's firewall mark, as `fwmark` services have it; 0 for none.
   * @param partialChecksum whether its transport checksum holds the folded pseudo-header sum alone, not complemented
   *   (Linux's CHECKSUM_PARTIAL).
   * @returns the frame's index.
   * @throws RangeError when nothing is reserved or less than `length`.
   */
  commit(length: number, cookie = 0, mark = 0, partialChecksum = false): number {
    assertLength(length);
    if (this.#reserved < 0 || length > this.#reservedLength) {
      throw new RangeError(
        `expected at most ${this.#reserved < 0 ? 0 : this.#reservedLength} reserved bytes, got ${length}`,
      );
    }
    const address = this.#reserved;
    this.#reserved = -1;
    this.#next = Math.ceil((address + length) / ALIGN) * ALIGN;
    return this.#add(address, length, abi.HEADROOM, this.#reservedInterface, cookie, mark, partialChecksum);
  }

  /**
   * Adds a frame that lies in held memory already.
   *
   * @param headroom bytes before it that may be overwritten; an encapsulation needs 20 for IPIP, and at most 128.
   * @param mark as for `commit`, and so is `partialChecksum`.
   */
  place(
    address: number,
    length: number,
    headroom: number,
    interfaceIndex: number,
    cookie = 0,
    mark = 0,
    partialChecksum = false,
  ): number {
    return this.#add(address, length, headroom, interfaceIndex, cookie, mark, partialChecksum);
  }

  /** Verdict on frame `index`. */
  verdict(index: number): Verdict {
    return this.#octets[index * abi.DESCRIPTOR_SIZE + abi.DESC_VERDICT] as Verdict;
  }

  /** Reason of the verdict. */
  reason(index: number): Reason {
    return this.#octets[index * abi.DESCRIPTOR_SIZE + abi.DESC_REASON] as Reason;
  }

  /** Index of the interface that frame `index` leaves by. Only with the verdict `forward`. */
  out(index: number): number {
    return this.#halves[index * HALVES + abi.DESC_OUT / 2] as number;
  }

  /** Index of the interface that the frame came in by; a tunnel's for one that was taken out of it. */
  in(index: number): number {
    return this.#halves[index * HALVES + abi.DESC_IN / 2] as number;
  }

  /** Whether the frame was taken out of a tunnel: it starts with the inner IP header. */
  decapsulated(index: number): boolean {
    return this.#hasFlag(index, abi.DescriptorFlag.Decapsulated);
  }

  /** Whether the frame's transport checksum is still to be filled in: it holds the pseudo-header sum alone. */
  partialChecksum(index: number): boolean {
    return this.#hasFlag(index, abi.DescriptorFlag.PartialChecksum);
  }

  /** Whether the director made frame `index`: because of another one, or because it was time. */
  made(index: number): boolean {
    return this.#hasFlag(index, abi.DescriptorFlag.Made);
  }

  /** Index of the frame that made the director make this one; -1 for one that was given, or that was due to be sent. */
  cause(index: number): number {
    const cause = this.#halves[index * HALVES + abi.DESC_CAUSE / 2] as number;
    return cause === abi.CAUSE_NONE ? -1 : cause;
  }

  /** The embedder's number, as given to `commit`. */
  cookie(index: number): number {
    return this.#words[index * WORDS + abi.DESC_COOKIE / 4] as number;
  }

  /** Address of the frame in `bytes`. */
  address(index: number): number {
    return this.#words[index * WORDS + abi.DESC_ADDRESS / 4] as number;
  }

  /** Bytes of the frame. */
  frameLength(index: number): number {
    return this.#words[index * WORDS + abi.DESC_LENGTH / 4] as number;
  }

  /** The frame, where it lies. */
  frame(index: number): Uint8Array {
    const address = this.address(index);
    return this.bytes.subarray(address, address + this.frameLength(index));
  }

  /** @internal Address of the connection's record, 0 for none. */
  connectionAt(index: number): number {
    return this.#words[index * WORDS + abi.DESC_CONN / 4] as number;
  }

  /** @internal Tells the core how many frames there are, and where frames of its own may go. */
  offer(): void {
    this.#assertOpen();
    if (this.bytes.length === 0) throw new RangeError('expected a memory that never grows, got one that has grown');
    this.#judged = true;
    this.#superblock[abi.SB_BURST_COUNT / 4] = this.#count;
    // Behind a frame that is reserved and not committed: its view stays the embedder's.
    const next = this.#reserved < 0 ? this.#next : this.#reserved + this.#reservedLength;
    this.#superblock[abi.SB_ARENA_NEXT / 4] = next;
  }

  /** @internal Takes over the number of frames after the core's work. */
  accept(count: number): void {
    this.#count = count;
  }

  #hasFlag(index: number, flag: abi.DescriptorFlag): boolean {
    const flags = this.#halves[index * HALVES + abi.DESC_FLAGS / 2] as number;
    return (flags & flag) !== 0;
  }

  #add(
    address: number,
    length: number,
    headroom: number,
    interfaceIndex: number,
    cookie: number,
    mark: number,
    partialChecksum: boolean,
  ): number {
    this.#assertOpen();
    if (this.full) throw new IpvsError('BURST_FULL', `expected at most ${abi.BURST_MAX} frames`);
    const index = this.#count++;
    const word = index * WORDS;
    const half = index * HALVES;
    this.#words[word + abi.DESC_ADDRESS / 4] = address;
    this.#words[word + abi.DESC_LENGTH / 4] = length;
    this.#halves[half + abi.DESC_IN / 2] = interfaceIndex;
    // Verdict, reason and cause in one; nothing of an earlier burst is left to be read.
    this.#words[word + abi.DESC_VERDICT / 4] = NOT_JUDGED;
    this.#words[word + abi.DESC_CONN / 4] = 0;
    this.#words[word + abi.DESC_MARK / 4] = mark;
    this.#words[word + abi.DESC_COOKIE / 4] = cookie;
    this.#halves[half + abi.DESC_HEADROOM / 2] = headroom;
    this.#halves[half + abi.DESC_FLAGS / 2] = partialChecksum ? abi.DescriptorFlag.PartialChecksum : 0;
    return index;
  }

  #assertOpen(): void {
    if (this.#judged) throw new IpvsError('BURST_JUDGED', 'expected a burst that was reset, got one that was judged');
  }

  #room(): string {
    return this.full
      ? `${abi.BURST_MAX} frames already`
      : `${Math.max(0, this.#end - this.#next - abi.HEADROOM)} bytes`;
  }
}

function assertLength(length: number): void {
  if (!Number.isInteger(length) || length < 0) throw new RangeError(`expected a number of bytes, got ${shown(length)}`);
}
