/**
 * A pcap writer that leaves frames where they lie.
 *
 * A frame that was judged within the window of a pcap scanner has the header of its own record in front of it, 16 bytes
 * that nobody needs any more. The header of the record that goes out is written there, and neighbours that leave one
 * after the other go out as one run: a frame is never copied by itself.
 *
 *     window   │ header │ frame │ header │ frame │ header │ dropped │ header │ frame │
 *              └───────────── run ───────────────┘                  └───── run ──────┘
 *
 * @module
 */
import { PCAP_RECORD_LENGTH } from '../capture/pcap-reader.js';
import { PcapWriter, writeRecordHeader } from '../capture/pcap-writer.js';
import type { CaptureSink, WriterOptions } from '../capture/writer.js';

/** A run of so many bytes is worth a write of its own. */
const LONG = 1 << 16;

/** See the module. Whatever reads over the window must call `endRun` before. */
export class ResidentPcapWriter extends PcapWriter {
  readonly #out: CaptureSink;
  readonly #memory: Uint8Array;
  readonly #headers: DataView;
  #runStart = 0;
  #runEnd = 0;

  /** `sink` must be synchronous; `memory` holds the windows. Times are written in nanoseconds. */
  constructor(sink: CaptureSink, memory: Uint8Array, options: Omit<WriterOptions, 'precision'> = {}) {
    super(sink, { ...options, precision: 9 });
    this.#out = sink;
    this.#memory = memory;
    this.#headers = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /** Writes the frame at `memory[start, end)`; the 16 bytes before it are overwritten. */
  writeInPlace(seconds: number, nanoseconds: number, start: number, end: number): void {
    const at = start - PCAP_RECORD_LENGTH;
    writeRecordHeader(this.#headers, at, seconds, nanoseconds, end - start, end - start);
    if (at !== this.#runEnd) {
      this.endRun();
      this.#runStart = at;
    }
    this.#runEnd = end;
  }

  override write(
    seconds: number,
    nanoseconds: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    originalLength: number = end - start,
  ): void {
    this.endRun();
    super.write(seconds, nanoseconds, buffer, start, end, originalLength);
  }

  /** Takes what was written in place out of the windows. */
  endRun(): void {
    const length = this.#runEnd - this.#runStart;
    if (length === 0) return;
    if (length >= LONG) {
      this.flushSync();
      this.#out(this.#memory.subarray(this.#runStart, this.#runEnd));
    } else {
      this.begin();
      this.reserve(length);
      this.copier.copy(this.#memory, this.#runStart, this.#runEnd, this.used);
      this.used += length;
    }
    this.#runStart = 0;
    this.#runEnd = 0;
  }
}
