/**
 * What the writers of both formats share: a chunk that is filled and handed to a sink.
 *
 * @module
 */

import { FrameCopier } from './copy.js';
import { MAX_CAPTURED_LENGTH } from './scanner.js';

/** Takes a chunk of the file. A synchronous sink must be done with it on return; else it is the sink's until the promise resolves. */
export type CaptureSink = (chunk: Uint8Array) => void | Promise<void>;

/** An interface to be written. */
export interface WriterInterface {
  /** `if_name`; a classic capture cannot hold it. */
  readonly name?: string;
  /** LINKTYPE value. */
  readonly linkType: number;
}

/** What a pcapng packet can say beside its bytes; a classic capture drops it. The writer keeps none of it: one object may serve for all. */
export interface PacketOptions {
  /** Each becomes an opt_comment. Encoded texts are remembered, so a few different ones cost little. */
  comments?: readonly string[];
  /** epb_packetid: the same for packets that belong together. */
  packetId?: number | bigint;
  /** epb_flags */
  direction?: 'inbound' | 'outbound';
  /** epb_queue */
  queue?: number;
}

export interface WriterOptions {
  /** Digits of a second that are written: 9 (by default) or 6. */
  readonly precision?: 6 | 9;
  /** Size of the chunks handed to the sink, in bytes; by default 262144. A larger record makes a larger chunk. */
  readonly chunkLength?: number;
}

/** Writes a capture. */
export abstract class CaptureWriter {
  readonly precision: 6 | 9;
  protected chunk: Uint8Array<ArrayBuffer>;
  protected view: DataView;
  protected copier: FrameCopier;
  protected used = 0;
  readonly #sink: CaptureSink;
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: CaptureSink, options: WriterOptions = {}) {
    const { precision = 9, chunkLength = 1 << 18 } = options;
    if (precision !== 6 && precision !== 9) throw new RangeError(`expected precision 6 or 9, got ${precision}`);
    if (!Number.isInteger(chunkLength) || chunkLength < 1) {
      throw new RangeError(`expected a chunk length of at least 1, got ${chunkLength}`);
    }
    this.precision = precision;
    this.#sink = sink;
    this.chunk = new Uint8Array(chunkLength);
    this.view = new DataView(this.chunk.buffer);
    this.copier = new FrameCopier(this.chunk);
  }

  /**
   * Adds an interface.
   *
   * @returns its index, for `write`
   * @throws RangeError for a link type that is not read here, or a second one in a classic capture
   */
  abstract addInterface(described: WriterInterface): number;

  /**
   * Writes a packet. Allocates nothing unless a chunk has to go to an asynchronous sink.
   *
   * @param seconds whole seconds since 1970
   * @param nanoseconds the rest, 0 to 999,999,999
   * @param buffer holds the packet's captured bytes from `start` up to `end`
   * @param originalLength its length on the wire, in bytes
   * @param interfaceIndex from `addInterface`
   * @throws RangeError for a time or length that the format cannot hold, or an unknown interface; what the sink threw
   */
  abstract write(
    seconds: number,
    nanoseconds: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    originalLength?: number,
    interfaceIndex?: number,
    options?: PacketOptions,
  ): void;

  /** Hands what is written so far to the sink; resolves when the sink has taken it. Await it now and then for back-pressure. */
  async flush(): Promise<void> {
    this.begin();
    this.#hand();
    await this.#pending;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** As `flush`, for a synchronous sink. Throws `TypeError` when the sink has returned a promise. */
  flushSync(): void {
    this.begin();
    this.#hand();
    if (this.#pending !== undefined) throw new TypeError('the sink is asynchronous: use flush()');
  }

  /** Writes the file header where that has not been done. */
  protected abstract begin(): void;

  /** Makes room for a record; its first byte is at `used`. */
  protected reserve(length: number): void {
    if (this.used + length <= this.chunk.length) return;
    this.#hand();
    if (length > this.chunk.length) this.#renew(length);
  }

  protected checkPacket(nanoseconds: number, buffer: Uint8Array, start: number, end: number): void {
    if (!(start >= 0 && start <= end && end <= buffer.length)) {
      throw new RangeError(`expected a range within ${buffer.length} bytes, got ${start} to ${end}`);
    }
    if (end - start > MAX_CAPTURED_LENGTH) {
      throw new RangeError(`expected a packet of at most ${MAX_CAPTURED_LENGTH} bytes, got length=${end - start}`);
    }
    if (!(nanoseconds >= 0 && nanoseconds < 1e9)) {
      throw new RangeError(`expected nanoseconds below 1e9, got ${nanoseconds}`);
    }
  }

  #hand(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.used === 0) return;
    const bytes = this.chunk.subarray(0, this.used);
    this.used = 0;
    if (this.#pending === undefined) {
      const taken = this.#sink(bytes);
      if (taken === undefined) return;
      this.#await(taken);
    } else {
      this.#await(this.#pending.then(() => this.#sink(bytes)));
    }
    // The chunk is the sink's now.
    this.#renew(this.chunk.length);
  }

  #await(taken: Promise<void>): void {
    this.#pending = taken.catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  #renew(length: number): void {
    this.chunk = new Uint8Array(length);
    this.view = new DataView(this.chunk.buffer);
    this.copier = new FrameCopier(this.chunk);
  }
}
