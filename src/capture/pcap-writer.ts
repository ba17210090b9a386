/**
 * Writes the classic capture format, little-endian, with nanoseconds or microseconds.
 *
 * @module
 */

import { LINKTYPE_ETHERNET, linkKind } from './link-type.js';
import {
  PCAP_HEADER_LENGTH,
  PCAP_MAGIC_MICROSECONDS,
  PCAP_MAGIC_NANOSECONDS,
  PCAP_RECORD_LENGTH,
} from './pcap-reader.js';
import { MAX_CAPTURED_LENGTH } from './scanner.js';
import { CaptureWriter, type WriterInterface } from './writer.js';

/** Writes the header of a record: its time (`fraction` in the file's own ticks), captured length and length on the wire. */
export function writeRecordHeader(
  view: DataView,
  at: number,
  seconds: number,
  fraction: number,
  captured: number,
  originalLength: number,
): void {
  view.setUint32(at, seconds, true);
  view.setUint32(at + 4, fraction, true);
  view.setUint32(at + 8, captured, true);
  view.setUint32(at + 12, originalLength, true);
}

/** Writes a classic capture: one link type, no names, no comments. Without `addInterface` it is Ethernet. */
export class PcapWriter extends CaptureWriter {
  #linkType: number | undefined;
  #begun = false;

  /** Names are dropped; several interfaces of one link type become one. */
  override addInterface({ linkType }: WriterInterface): number {
    if (linkKind(linkType) === undefined) throw new RangeError(`link type ${linkType} is not written here`);
    if (this.#begun && this.#linkType === undefined) this.#linkType = LINKTYPE_ETHERNET;
    if (this.#linkType !== undefined && this.#linkType !== linkType) {
      throw new RangeError(`a classic capture has one link type: ${this.#linkType}, not also ${linkType}`);
    }
    this.#linkType = linkType;
    return 0;
  }

  override write(
    seconds: number,
    nanoseconds: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    originalLength: number = end - start,
  ): void {
    this.checkPacket(nanoseconds, buffer, start, end);
    if (!(seconds >= 0 && seconds <= 0xffffffff)) throw new RangeError(`expected seconds of 32 bits, got ${seconds}`);
    if (!this.#begun) this.begin();
    const captured = end - start;
    const length = PCAP_RECORD_LENGTH + captured;
    this.reserve(length);
    const { view, used } = this;
    const fraction = this.precision === 9 ? nanoseconds : nanoseconds / 1000;
    writeRecordHeader(view, used, seconds, fraction, captured, originalLength);
    this.copier.copy(buffer, start, end, used + PCAP_RECORD_LENGTH);
    this.used = used + length;
  }

  protected override begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.reserve(PCAP_HEADER_LENGTH);
    const { view, used } = this;
    view.setUint32(used, this.precision === 9 ? PCAP_MAGIC_NANOSECONDS : PCAP_MAGIC_MICROSECONDS, true);
    view.setUint16(used + 4, 2, true);
    view.setUint16(used + 6, 4, true);
    view.setUint32(used + 8, 0, true);
    view.setUint32(used + 12, 0, true);
    view.setUint32(used + 16, MAX_CAPTURED_LENGTH, true);
    view.setUint32(used + 20, this.#linkType ?? LINKTYPE_ETHERNET, true);
    this.used = used + PCAP_HEADER_LENGTH;
  }
}
