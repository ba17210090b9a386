/**
 * The window through which a capture is scanned: bytes come in at the end, records are found in place, and a record that is
 * still incomplete is carried over. Nothing is allocated per packet.
 *
 *     buffer  ├──── done ────┼──── not yet scanned ────┼──── room ────┤
 *             0          position                    limit      buffer.length
 *
 * The caller loops: `room()`, write bytes there, `commit(n)`, then `next()` until it is false; at the end of the input `finish()`.
 *
 * @module
 */

import { CaptureError } from './capture-error.js';

/** The longest captured length that is believed, in bytes (libpcap's MAXIMUM_SNAPLEN). */
export const MAX_CAPTURED_LENGTH = 262144;

/** The longest block or record that is held in a window, in bytes (the limit of libpcap and Wireshark). */
export const MAX_BLOCK_LENGTH = 16 << 20;

/** Length of a scanner's own window at first, in bytes. */
export const DEFAULT_WINDOW = 1 << 18;

/** An interface as a capture describes it. A classic capture has one, without a name. */
export interface CaptureInterface {
  /** Its number in this capture, counted through all sections of a pcapng file. */
  readonly index: number;
  /** `if_name`, when the capture has it. */
  readonly name: string | undefined;
  /** LINKTYPE value. */
  readonly linkType: number;
  /** Longest captured length, in bytes; 0 for no limit. */
  readonly snaplen: number;
}

/** What a pcapng packet says beside its bytes. */
export interface PacketAnnotations {
  readonly comments: readonly string[];
  readonly packetId: bigint | undefined;
  readonly direction: 'inbound' | 'outbound' | undefined;
  readonly queue: number | undefined;
}

/** The annotations of a packet that has none. */
export const NO_ANNOTATIONS: PacketAnnotations = Object.freeze({
  comments: Object.freeze([]),
  packetId: undefined,
  direction: undefined,
  queue: undefined,
});

/** Finds the packets of a capture in a window of bytes. The fields tell of the packet that `next()` found last. */
export abstract class CaptureScanner {
  /** The window. Read it anew after `room()`: a window of the scanner's own may be replaced by a larger one. */
  buffer: Uint8Array;
  /** Index in `buffer` of the packet's first byte. */
  dataStart = 0;
  /** Index in `buffer` after its last captured byte. */
  dataEnd = 0;
  /** Its length on the wire, in bytes; more than was captured when the capture cut it off. */
  originalLength = 0;
  /** Whole seconds since 1970 (a pcapng simple packet has no time: 0). */
  seconds = 0;
  /** The rest, 0 to 999,999,999. */
  nanoseconds = 0;
  /** Index into `interfaces`. */
  interfaceIndex = 0;
  /** The packet's number, counted from 1. */
  number = 0;
  /** Byte offset of its record or block in the capture. */
  offset = 0;
  /** The interfaces named so far; grows while a pcapng file is scanned. */
  readonly interfaces: CaptureInterface[] = [];
  /** Name of the file for errors. */
  readonly file: string | undefined;
  /** Whether the bytes come out of a gzip file: errors say so. */
  unpacked = false;
  /** Which format this is. */
  abstract readonly format: 'pcap' | 'pcapng';

  protected view: DataView;
  protected littleEndian = true;
  /** Whether the file header or first section header was read. */
  protected started = false;
  protected position = 0;
  protected limit = 0;
  /** Bytes of the current block that are passed over, its trailer included. */
  protected skip = 0;
  /** Offset of the block that is passed over. */
  protected skipOffset = 0;
  /** Offset in the capture of `buffer[0]`. */
  #base = 0;
  readonly #growable: boolean;

  /**
   * @param window bytes of the caller's (for instance a part of a `WebAssembly.Memory`) to scan in; it must hold the largest
   *   record. Without it the scanner has its own, which grows as records need it.
   * @param file name for error messages
   * @param growable whether a larger window may take the place of a given one, too
   */
  constructor(window?: Uint8Array, file?: string, growable = window === undefined) {
    this.#growable = growable;
    this.buffer = window ?? new Uint8Array(DEFAULT_WINDOW);
    this.view = viewOf(this.buffer);
    this.file = file;
  }

  /** The packet's time in milliseconds since 1970, with a fraction. */
  get millis(): number {
    return this.seconds * 1000 + this.nanoseconds / 1e6;
  }

  /** The packet's time in nanoseconds since 1970. Allocates: not for the fast path. */
  get timestamp(): bigint {
    return BigInt(this.seconds) * 1_000_000_000n + BigInt(this.nanoseconds);
  }

  /** The captured bytes of the packet: a view, good until `room()` or `push()`. Allocates: not for the fast path. */
  get data(): Uint8Array {
    return this.buffer.subarray(this.dataStart, this.dataEnd);
  }

  /**
   * Goes on to the next packet.
   *
   * @returns false when the window holds no further whole packet: more bytes are needed
   * @throws CaptureError at damage; the scanner stays there
   */
  abstract next(): boolean;

  /**
   * What the packet says beside its bytes. Allocates.
   *
   * @throws CaptureError when its options are damaged
   */
  annotations(): PacketAnnotations {
    return NO_ANNOTATIONS;
  }

  /**
   * Moves what is not yet scanned to the front of the window.
   *
   * @returns index in `buffer` at which to write more bytes; there is always room for at least one
   * @throws CaptureError when a record is larger than the caller's window
   */
  room(): number {
    const rest = this.limit - this.position;
    if (this.position > 0) {
      this.buffer.copyWithin(0, this.position, this.limit);
      this.#base += this.position;
      this.position = 0;
      this.limit = rest;
    }
    if (rest === this.buffer.length) {
      if (!this.#growable) throw this.damaged(0, `a record does not fit in the window of ${rest} bytes`);
      const larger = new Uint8Array(rest * 2);
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = viewOf(larger);
    }
    return rest;
  }

  /** Says that `length` bytes were written at `room()`. Throws `RangeError` beyond the window. */
  commit(length: number): void {
    if (!(length >= 0 && this.limit + length <= this.buffer.length)) {
      throw new RangeError(`expected at most ${this.buffer.length - this.limit} bytes of room, got length=${length}`);
    }
    this.limit += length;
  }

  /**
   * Copies bytes in, as many as there is room for.
   *
   * @returns how many were taken; call again with the rest after `next()` returned false
   */
  push(chunk: Uint8Array): number {
    const at = this.room();
    const length = Math.min(chunk.length, this.buffer.length - at);
    this.buffer.set(length === chunk.length ? chunk : chunk.subarray(0, length), at);
    this.commit(length);
    return length;
  }

  /** Says that the input is at its end. Throws CaptureError when that is within a record, block or file header. */
  finish(): void {
    const rest = this.limit - this.position;
    if (this.skip > 0) throw this.inputError(`the file ends ${this.skip - rest} bytes before the block does`);
    if (rest > 0 && this.started) throw this.damaged(this.position, `the file ends ${rest} bytes into a record`);
    if (!this.started) throw this.damaged(0, `the file ends ${rest} bytes into its header`);
  }

  /** An error placed where the scanner stands, also for what is wrong below the capture (gzip). */
  inputError(detail: string, cause?: Error): CaptureError {
    const offset = this.skip > 0 ? this.skipOffset : this.#base + this.position;
    return this.#error(detail, offset, this.number, cause);
  }

  /** An error about the packet that `next()` found. */
  packetError(detail: string): CaptureError {
    return this.#error(detail, this.offset, this.number - 1);
  }

  /** The error of damage at an index of the window. */
  protected damaged(at: number, detail: string): CaptureError {
    return this.#error(detail, this.#base + at, this.number);
  }

  /** Offset in the capture of an index of the window. */
  protected offsetOf(at: number): number {
    return this.#base + at;
  }

  #error(detail: string, offset: number, packet: number, cause?: Error): CaptureError {
    const { unpacked, file } = this;
    return new CaptureError(detail, offset, packet, file, { unpacked, ...(cause !== undefined && { cause }) });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
