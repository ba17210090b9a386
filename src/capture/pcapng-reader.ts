/**
 * The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each with its length before and after.
 * Read: section header, interface description, enhanced, simple and obsolete packet block. All others are passed over.
 *
 * @module
 */

import { linkKind, unreadLinkType } from './link-type.js';
import {
  EPB_FLAGS,
  EPB_PACKETID,
  EPB_QUEUE,
  FLAG_DIRECTION_MASK,
  FLAG_INBOUND,
  FLAG_OUTBOUND,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  OPT_COMMENT,
  padded,
  readOptions,
} from './pcapng-options.js';
import { TickClock } from './pcapng-time.js';
import {
  CaptureScanner,
  MAX_BLOCK_LENGTH,
  MAX_CAPTURED_LENGTH,
  NO_ANNOTATIONS,
  type PacketAnnotations,
} from './scanner.js';

/** Block types. */
export const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION_BLOCK = 1;
export const PACKET_BLOCK = 2;
export const SIMPLE_PACKET_BLOCK = 3;
export const ENHANCED_PACKET_BLOCK = 6;
/** Byte-order magic of a section header. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Type and length before a block's body, its length again after it. */
const BLOCK_OVERHEAD = 12;
const DEFAULT_RESOLUTION = 6;

const decoder = new TextDecoder();

/** Scans a pcapng capture. */
export class PcapngScanner extends CaptureScanner {
  readonly format = 'pcapng';
  readonly #clocks: TickClock[] = [];
  /** Index of the section's first interface. */
  #sectionBase = 0;
  #skipLength = 0;
  #optionsStart = 0;
  #optionsEnd = 0;

  override next(): boolean {
    for (;;) {
      if (this.skip > 0 && !this.#passOver()) return false;
      const at = this.position;
      const room = this.limit - at;
      if (room < BLOCK_OVERHEAD) return false;
      const type = this.view.getUint32(at, this.littleEndian);
      if (type === SECTION_HEADER_BLOCK) {
        if (room < 16) return false;
        this.#readSection(at);
        continue;
      }
      if (!this.started) throw this.damaged(at, 'the file does not begin with a section header block');
      const length = this.view.getUint32(at + 4, this.littleEndian);
      this.#checkLength(at, type, length);
      if (shortestBlock(type) === BLOCK_OVERHEAD) {
        this.#beginSkip(at, length);
        continue;
      }
      if (length > room) return false;
      this.#checkTrailer(at, length);
      if (type === INTERFACE_DESCRIPTION_BLOCK) this.#readInterface(at, length);
      else if (type === SIMPLE_PACKET_BLOCK) this.#readSimplePacket(at, length);
      else this.#readPacket(at, length, type);
      this.position = at + length;
      if (type !== INTERFACE_DESCRIPTION_BLOCK) {
        this.offset = this.offsetOf(at);
        this.number++;
        return true;
      }
    }
  }

  override annotations(): PacketAnnotations {
    if (this.#optionsStart === this.#optionsEnd) return NO_ANNOTATIONS;
    const { view, littleEndian } = this;
    const options = readOptions(view, this.#optionsStart, this.#optionsEnd, littleEndian);
    if (options === undefined) throw this.#badOption('an option goes beyond its block');
    const comments: string[] = [];
    let packetId: bigint | undefined;
    let direction: PacketAnnotations['direction'];
    let queue: number | undefined;
    for (const { code, start, length } of options) {
      if (code === OPT_COMMENT) comments.push(this.#text(start, length));
      else if (code === EPB_FLAGS) {
        if (length !== 4) throw this.#badOption(`epb_flags has ${length} bytes, not 4`);
        const bits = view.getUint32(start, littleEndian) & FLAG_DIRECTION_MASK;
        direction = bits === FLAG_INBOUND ? 'inbound' : bits === FLAG_OUTBOUND ? 'outbound' : undefined;
      } else if (code === EPB_PACKETID) {
        if (length !== 8) throw this.#badOption(`epb_packetid has ${length} bytes, not 8`);
        packetId = view.getBigUint64(start, littleEndian);
      } else if (code === EPB_QUEUE) {
        if (length !== 4) throw this.#badOption(`epb_queue has ${length} bytes, not 4`);
        queue = view.getUint32(start, littleEndian);
      }
    }
    return { comments, packetId, direction, queue };
  }

  #readSection(at: number): void {
    const little = this.view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
    if (!little && this.view.getUint32(at + 8, false) !== BYTE_ORDER_MAGIC) {
      throw this.damaged(at, 'the section header has no byte-order magic');
    }
    const length = this.view.getUint32(at + 4, little);
    this.#checkLength(at, SECTION_HEADER_BLOCK, length);
    const major = this.view.getUint16(at + 12, little);
    const minor = this.view.getUint16(at + 14, little);
    // The draft has readers take 1.2 for 1.0.
    if (major !== 1 || (minor !== 0 && minor !== 2)) throw this.damaged(at, `version ${major}.${minor} is not 1.0`);
    this.littleEndian = little;
    this.started = true;
    this.#sectionBase = this.interfaces.length;
    this.#beginSkip(at, length);
  }

  #readInterface(at: number, length: number): void {
    const { view, littleEndian } = this;
    const linkType = view.getUint16(at + 8, littleEndian);
    const snaplen = view.getUint32(at + 12, littleEndian);
    const options = readOptions(view, at + 16, at + length - 4, littleEndian);
    if (options === undefined) throw this.damaged(at, 'an option of the interface goes beyond its block');
    let name: string | undefined;
    let resolution = DEFAULT_RESOLUTION;
    let offset = 0;
    for (const option of options) {
      if (option.code === IF_NAME) name = this.#text(option.start, option.length);
      else if (option.code === IF_TSRESOL) {
        if (option.length !== 1) throw this.damaged(at, `if_tsresol has ${option.length} bytes, not 1`);
        resolution = view.getUint8(option.start);
      } else if (option.code === IF_TSOFFSET) {
        if (option.length !== 8) throw this.damaged(at, `if_tsoffset has ${option.length} bytes, not 8`);
        offset = Number(view.getBigInt64(option.start, littleEndian));
      }
    }
    this.interfaces.push({ index: this.interfaces.length, name, linkType, snaplen });
    this.#clocks.push(new TickClock(resolution, offset));
  }

  /** The enhanced packet block, and the obsolete one, which has 16 bits of drop count in its interface number's room. */
  #readPacket(at: number, length: number, type: number): void {
    const { view, littleEndian } = this;
    const id = type === PACKET_BLOCK ? view.getUint16(at + 8, littleEndian) : view.getUint32(at + 8, littleEndian);
    const index = this.#checkInterface(at, id);
    const captured = view.getUint32(at + 20, littleEndian);
    const start = at + 28;
    this.#checkCaptured(at, captured, length - 32, index);
    const clock = this.#clocks[index]!;
    clock.split(view.getUint32(at + 12, littleEndian), view.getUint32(at + 16, littleEndian));
    if (!clock.isExact) throw this.damaged(at, 'the time is 2^53 seconds or more from 1970');
    this.seconds = clock.seconds;
    this.nanoseconds = clock.nanoseconds;
    this.interfaceIndex = index;
    this.dataStart = start;
    this.dataEnd = start + captured;
    this.originalLength = view.getUint32(at + 24, littleEndian);
    this.#optionsStart = start + padded(captured);
    this.#optionsEnd = at + length - 4;
  }

  /** The simple packet block: of the first interface, without a time; captured up to the snapshot length. */
  #readSimplePacket(at: number, length: number): void {
    const index = this.#checkInterface(at, 0);
    const original = this.view.getUint32(at + 8, this.littleEndian);
    const { snaplen } = this.interfaces[index]!;
    const captured = snaplen > 0 ? Math.min(original, snaplen) : original;
    const start = at + 12;
    this.#checkCaptured(at, captured, length - 16, index);
    this.seconds = 0;
    this.nanoseconds = 0;
    this.interfaceIndex = index;
    this.dataStart = start;
    this.dataEnd = start + captured;
    this.originalLength = original;
    this.#optionsStart = 0;
    this.#optionsEnd = 0;
  }

  #checkLength(at: number, type: number, length: number): void {
    if (length % 4 !== 0) throw this.damaged(at, `block length ${length} is not a multiple of 4`);
    const shortest = shortestBlock(type);
    if (length < shortest) throw this.damaged(at, `block length ${length} is below ${shortest}, block type ${type}`);
    if (length > MAX_BLOCK_LENGTH) throw this.damaged(at, `block length ${length} is beyond ${MAX_BLOCK_LENGTH}`);
  }

  #checkTrailer(at: number, length: number): void {
    const trailer = this.view.getUint32(at + length - 4, this.littleEndian);
    if (trailer !== length) throw this.damaged(at, `block length ${length} is ${trailer} at the block's end`);
  }

  #checkInterface(at: number, id: number): number {
    const index = this.#sectionBase + id;
    const described = this.interfaces[index];
    if (described === undefined) throw this.damaged(at, `interface ${id} is not described`);
    const { linkType } = described;
    if (linkKind(linkType) === undefined) throw this.damaged(at, unreadLinkType(linkType));
    return index;
  }

  #checkCaptured(at: number, captured: number, room: number, index: number): void {
    const snaplen = this.interfaces[index]!.snaplen;
    const limit = snaplen > 0 && snaplen < MAX_CAPTURED_LENGTH ? snaplen : MAX_CAPTURED_LENGTH;
    if (captured > limit) throw this.damaged(at, `captured length ${captured} is beyond ${limit}`);
    if (captured > room) throw this.damaged(at, `captured length ${captured} is beyond its block`);
  }

  #beginSkip(at: number, length: number): void {
    this.skipOffset = this.offsetOf(at);
    this.skip = length;
    this.#skipLength = length;
  }

  /** Passes over the block; false when it goes on beyond the window. It need not fit in the window. */
  #passOver(): boolean {
    const step = Math.min(this.skip - 4, this.limit - this.position);
    this.skip -= step;
    this.position += step;
    if (this.skip > 4 || this.limit - this.position < 4) return false;
    const trailer = this.view.getUint32(this.position, this.littleEndian);
    if (trailer !== this.#skipLength) {
      throw this.inputError(`block length ${this.#skipLength} is ${trailer} at the block's end`);
    }
    this.position += 4;
    this.skip = 0;
    return true;
  }

  #text(start: number, length: number): string {
    // A copy: TextDecoder refuses views of shared memory.
    return decoder.decode(new Uint8Array(this.buffer.subarray(start, start + length)));
  }

  #badOption(detail: string): Error {
    return this.packetError(detail);
  }
}

/** Shortest total length of a block, in bytes; of those that are passed over, the overhead alone. */
function shortestBlock(type: number): number {
  switch (type) {
    case ENHANCED_PACKET_BLOCK:
    case PACKET_BLOCK:
      return 32;
    case SIMPLE_PACKET_BLOCK:
      return 16;
    case INTERFACE_DESCRIPTION_BLOCK:
      return 20;
    case SECTION_HEADER_BLOCK:
      return 28;
    default:
      return BLOCK_OVERHEAD;
  }
}
