/**
 * Writes pcapng, little-endian: one section, interfaces with names, enhanced packet blocks with comments, packet ids,
 * directions and queues.
 *
 * @module
 */

import { LINKTYPE_ETHERNET, linkKind } from './link-type.js';
import {
  EPB_FLAGS,
  EPB_PACKETID,
  EPB_QUEUE,
  FLAG_INBOUND,
  FLAG_OUTBOUND,
  IF_NAME,
  IF_TSRESOL,
  OPT_COMMENT,
  padded,
} from './pcapng-options.js';
import {
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  INTERFACE_DESCRIPTION_BLOCK,
  SECTION_HEADER_BLOCK,
} from './pcapng-reader.js';
import { MAX_SECONDS } from './pcapng-time.js';
import { MAX_CAPTURED_LENGTH } from './scanner.js';
import { CaptureWriter, type PacketOptions, type WriterInterface } from './writer.js';

const HALF = 0x10000;
const WORD = 0x100000000;
/** Header of an enhanced packet block and its trailer. */
const PACKET_OVERHEAD = 32;
const MAX_OPTION_LENGTH = 0xffff;
/** Encoded comments that are remembered. */
const REMEMBERED_COMMENTS = 1024;

const encoder = new TextEncoder();

/** Writes a pcapng capture. Without `addInterface` it has one Ethernet interface without a name. */
export class PcapngWriter extends CaptureWriter {
  readonly #comments = new Map<string, DataView>();
  /** Encoded comments of the packet that is written. */
  readonly #current: DataView[] = [];
  #interfaces = 0;
  #begun = false;

  override addInterface({ name, linkType }: WriterInterface): number {
    if (linkKind(linkType) === undefined) throw new RangeError(`link type ${linkType} is not written here`);
    this.#beginSection();
    const text = name === undefined ? undefined : encodeOption(IF_NAME, name);
    const length = 32 + (text?.length ?? 0);
    this.reserve(length);
    const { view, used } = this;
    view.setUint32(used, INTERFACE_DESCRIPTION_BLOCK, true);
    view.setUint32(used + 4, length, true);
    view.setUint32(used + 8, linkType, true);
    // The same for all: tcpdump reads only files whose interfaces share it.
    view.setUint32(used + 12, MAX_CAPTURED_LENGTH, true);
    let at = used + 16;
    if (text !== undefined) {
      this.chunk.set(text, at);
      at += text.length;
    }
    at = this.#option(at, IF_TSRESOL, 1);
    view.setUint32(at, this.precision, true);
    this.#end(at + 4, length);
    return this.#interfaces++;
  }

  override write(
    seconds: number,
    nanoseconds: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    originalLength: number = end - start,
    interfaceIndex = 0,
    options?: PacketOptions,
  ): void {
    this.checkPacket(nanoseconds, buffer, start, end);
    if (!(seconds >= 0 && seconds < MAX_SECONDS)) {
      throw new RangeError(`expected seconds from 0 to ${MAX_SECONDS}, got ${seconds}`);
    }
    if (interfaceIndex >= this.#interfaces) {
      if (interfaceIndex > 0) throw new RangeError(`expected an interface that was added, got ${interfaceIndex}`);
      this.begin();
    }
    const captured = end - start;
    const room = padded(captured);
    const optionsLength = options === undefined ? 0 : this.#optionsLength(options);
    const length = PACKET_OVERHEAD + room + optionsLength + (optionsLength > 0 ? 4 : 0);
    this.reserve(length);
    const { view, used } = this;
    view.setUint32(used, ENHANCED_PACKET_BLOCK, true);
    view.setUint32(used + 4, length, true);
    view.setUint32(used + 8, interfaceIndex, true);
    this.#time(used + 12, seconds, nanoseconds);
    view.setUint32(used + 20, captured, true);
    view.setUint32(used + 24, originalLength, true);
    const data = used + 28;
    // The last word first: what the frame does not cover of it is padding, and the chunk holds bytes of earlier records.
    if (room > captured) view.setUint32(data + room - 4, 0, true);
    this.copier.copy(buffer, start, end, data);
    if (optionsLength === 0) {
      view.setUint32(data + room, length, true);
      this.used = used + length;
      return;
    }
    this.#end(this.#options(data + room, options!), length);
  }

  /** Where nobody named an interface, packets still need one. */
  protected override begin(): void {
    this.#beginSection();
    if (this.#interfaces === 0) this.addInterface({ linkType: LINKTYPE_ETHERNET });
  }

  #beginSection(): void {
    if (this.#begun) return;
    this.#begun = true;
    const length = 28;
    this.reserve(length);
    const { view, used } = this;
    view.setUint32(used, SECTION_HEADER_BLOCK, true);
    view.setUint32(used + 4, length, true);
    view.setUint32(used + 8, BYTE_ORDER_MAGIC, true);
    view.setUint16(used + 12, 1, true);
    view.setUint16(used + 14, 0, true);
    // Section length -1: not told, as it is not known while it streams.
    view.setUint32(used + 16, 0xffffffff, true);
    view.setUint32(used + 20, 0xffffffff, true);
    view.setUint32(used + 24, length, true);
    this.used = used + length;
  }

  /** High and low word of the ticks, by digits of 16 bits so that plain numbers are exact. */
  #time(at: number, seconds: number, nanoseconds: number): void {
    const { view } = this;
    if (this.precision === 6) {
      const ticks = seconds * 1e6 + Math.floor(nanoseconds / 1000);
      view.setUint32(at, ticks / WORD, true);
      view.setUint32(at + 4, ticks, true);
      return;
    }
    const upperSeconds = Math.floor(seconds / HALF);
    const upper = upperSeconds * 1e9;
    const carry = Math.floor(upper / HALF);
    const lower = (upper - carry * HALF) * HALF + (seconds - upperSeconds * HALF) * 1e9 + nanoseconds;
    view.setUint32(at, carry + Math.floor(lower / WORD), true);
    view.setUint32(at + 4, lower, true);
  }

  #optionsLength(options: PacketOptions): number {
    let length = 0;
    const { comments } = options;
    const count = comments?.length ?? 0;
    for (let i = 0; i < count; i++) {
      const words = this.#comment(comments![i]!);
      this.#current[i] = words;
      length += words.byteLength;
    }
    if (options.direction !== undefined) length += 8;
    if (options.packetId !== undefined) length += 12;
    if (options.queue !== undefined) length += 8;
    return length;
  }

  #options(at: number, options: PacketOptions): number {
    const { view } = this;
    const { comments, direction, packetId, queue } = options;
    const count = comments?.length ?? 0;
    for (let n = 0; n < count; n++) {
      const words = this.#current[n]!;
      const { byteLength } = words;
      for (let i = 0; i < byteLength; i += 4) view.setInt32(at + i, words.getInt32(i));
      at += byteLength;
    }
    if (direction !== undefined) {
      at = this.#option(at, EPB_FLAGS, 4);
      view.setUint32(at, direction === 'inbound' ? FLAG_INBOUND : FLAG_OUTBOUND, true);
      at += 4;
    }
    if (packetId !== undefined) {
      at = this.#option(at, EPB_PACKETID, 8);
      if (typeof packetId === 'bigint') view.setBigUint64(at, packetId, true);
      else {
        view.setUint32(at, packetId, true);
        view.setUint32(at + 4, packetId / WORD, true);
      }
      at += 8;
    }
    if (queue !== undefined) {
      at = this.#option(at, EPB_QUEUE, 4);
      view.setUint32(at, queue, true);
      at += 4;
    }
    return at;
  }

  #option(at: number, code: number, length: number): number {
    this.view.setUint16(at, code, true);
    this.view.setUint16(at + 2, length, true);
    return at + 4;
  }

  /** opt_endofopt and the block's trailer. */
  #end(at: number, length: number): void {
    this.view.setUint32(at, 0, true);
    this.view.setUint32(at + 4, length, true);
    this.used = at + 8;
  }

  #comment(text: string): DataView {
    let words = this.#comments.get(text);
    if (words === undefined) {
      words = new DataView(encodeOption(OPT_COMMENT, text).buffer);
      if (this.#comments.size >= REMEMBERED_COMMENTS) this.#comments.clear();
      this.#comments.set(text, words);
    }
    return words;
  }
}

/** An option of text, its header and padding included. Throws `RangeError` beyond 65535 bytes. */
function encodeOption(code: number, text: string): Uint8Array<ArrayBuffer> {
  const value = encoder.encode(text);
  if (value.length > MAX_OPTION_LENGTH) {
    throw new RangeError(`expected a text of at most ${MAX_OPTION_LENGTH} bytes, got length=${value.length}`);
  }
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}
