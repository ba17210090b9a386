/**
 * Reads captures: `CaptureInput` for the fast path, `readCapture` for comfort. The format is told by the first bytes.
 *
 * @module
 */

import { CaptureError } from './capture-error.js';
import { gunzip, isGzip } from './gunzip.js';
import { PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS, PcapScanner } from './pcap-reader.js';
import { PcapngScanner, SECTION_HEADER_BLOCK } from './pcapng-reader.js';
import { type CaptureScanner, DEFAULT_WINDOW, type PacketAnnotations } from './scanner.js';
import { type ByteSource, type CaptureSource, ChunkSource, chunksOf, openBytes } from './source.js';

const MAGIC_LENGTH = 4;

/** A packet of a capture. */
export interface CapturedPacket extends PacketAnnotations {
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint;
  /** The captured bytes: a view, good until the next packet is asked for. */
  readonly data: Uint8Array;
  /** Length on the wire, in bytes; more than `data.length` when the capture cut the packet off. */
  readonly originalLength: number;
  readonly interfaceIndex: number;
  readonly interfaceName: string | undefined;
  /** LINKTYPE value; `linkKind` says how the packet begins. */
  readonly linkType: number;
  /** The packet's number in its capture, counted from 1. */
  readonly number: number;
  /** Byte offset of its record or block. */
  readonly offset: number;
}

export interface CaptureInputOptions {
  /** Bytes to scan in, of the caller's own (at least a few hundred KiB); without them a window that grows. */
  readonly window?: Uint8Array;
  /** Name for errors; without it the path, or none. */
  readonly file?: string;
}

/**
 * The scanner for a capture that begins with these bytes (at least 4, or all there are).
 *
 * @throws CaptureError when they begin no capture that is read here
 */
export function createScanner(head: Uint8Array, options: CaptureInputOptions = {}): CaptureScanner {
  return newScanner(head, options.window, options.file);
}

function newScanner(
  head: Uint8Array,
  window?: Uint8Array,
  file?: string,
  growable?: boolean,
  unpacked = false,
): CaptureScanner {
  if (head.length < MAGIC_LENGTH) {
    throw new CaptureError(`the file ends ${head.length} bytes into its header`, 0, 0, file, { unpacked });
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const big = view.getUint32(0, false);
  const little = view.getUint32(0, true);
  if (big === SECTION_HEADER_BLOCK) return new PcapngScanner(window, file, growable);
  for (const magic of [big, little]) {
    if (magic === PCAP_MAGIC_MICROSECONDS || magic === PCAP_MAGIC_NANOSECONDS) {
      return new PcapScanner(window, file, growable);
    }
  }
  throw new CaptureError(`magic number 0x${big.toString(16).padStart(8, '0')} is not that of a capture`, 0, 0, file, {
    unpacked,
  });
}

/**
 * A scanner together with its source. The fast path:
 *
 *     const input = await CaptureInput.open(path, { window });
 *     const { scanner } = input;
 *     do while (scanner.next()) use(scanner.buffer, scanner.dataStart, scanner.dataEnd);
 *     while (await input.fill());
 *     await input.close();
 */
export class CaptureInput {
  readonly scanner: CaptureScanner;
  readonly #source: ByteSource;
  #ended = false;

  private constructor(scanner: CaptureScanner, source: ByteSource) {
    this.scanner = scanner;
    this.#source = source;
  }

  /**
   * Opens a capture and reads its first bytes.
   *
   * @throws CaptureError when the file begins no capture; what `fs` throws when it does not open
   */
  static async open(source: CaptureSource, options: CaptureInputOptions = {}): Promise<CaptureInput> {
    const file = options.file ?? (source === '-' ? 'standard input' : typeof source === 'string' ? source : undefined);
    const window = options.window ?? new Uint8Array(DEFAULT_WINDOW);
    let bytes = openBytes(source);
    let unpacked = false;
    try {
      let length = await readHead(bytes, window);
      if (isGzip(window.subarray(0, length))) {
        unpacked = true;
        bytes = new ChunkSource(gunzip(chunksOf(new Uint8Array(window.subarray(0, length)), bytes)));
        length = await readHead(bytes, window);
      }
      const scanner = newScanner(window.subarray(0, length), window, file, options.window === undefined, unpacked);
      scanner.unpacked = unpacked;
      scanner.commit(length);
      return new CaptureInput(scanner, bytes);
    } catch (error) {
      await bytes.close();
      if (isZlibError(error)) throw new CaptureError(`gzip: ${error.message}`, 0, 0, file, { cause: error, unpacked });
      throw error;
    }
  }

  /**
   * Reads more bytes into the scanner's window. Views of packets before are no longer good.
   *
   * @returns false at the end of a whole capture
   * @throws CaptureError when the capture, or its gzip, is cut off or damaged
   */
  async fill(): Promise<boolean> {
    if (this.#ended) return false;
    const { scanner } = this;
    const at = scanner.room();
    let length: number;
    try {
      length = await this.#source.read(scanner.buffer, at);
    } catch (error) {
      if (isZlibError(error)) throw scanner.inputError(`gzip: ${error.message}`, error);
      throw error;
    }
    scanner.commit(length);
    if (length > 0) return true;
    scanner.finish();
    this.#ended = true;
    return false;
  }

  /** Closes the source. */
  async close(): Promise<void> {
    await this.#source.close();
  }
}

/**
 * The packets of a capture, in the order of the file.
 *
 * @throws CaptureError at damage, after every packet before it
 */
export async function* readCapture(
  source: CaptureSource,
  options: CaptureInputOptions = {},
): AsyncGenerator<CapturedPacket, void, undefined> {
  const input = await CaptureInput.open(source, options);
  try {
    do {
      while (input.scanner.next()) yield packetOf(input.scanner);
    } while (await input.fill());
  } finally {
    await input.close();
  }
}

/** The packet at which a scanner stands. */
export function packetOf(scanner: CaptureScanner): CapturedPacket {
  const described = scanner.interfaces[scanner.interfaceIndex]!;
  const { comments, packetId, direction, queue } = scanner.annotations();
  return {
    timestamp: scanner.timestamp,
    data: scanner.data,
    originalLength: scanner.originalLength,
    interfaceIndex: scanner.interfaceIndex,
    interfaceName: described.name,
    linkType: described.linkType,
    number: scanner.number,
    offset: scanner.offset,
    comments,
    packetId,
    direction,
    queue,
  };
}

async function readHead(source: ByteSource, target: Uint8Array): Promise<number> {
  let length = 0;
  while (length < MAGIC_LENGTH) {
    const more = await source.read(target, length);
    if (more === 0) break;
    length += more;
  }
  return length;
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
}
