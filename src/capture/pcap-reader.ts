/**
 * The classic capture format: a header of 24 bytes, then records of 16 bytes and the captured bytes
 * (draft-ietf-opsawg-pcap; microseconds or nanoseconds; either byte order).
 *
 * @module
 */

import { linkKind, unreadLinkType } from './link-type.js';
import { CaptureScanner, MAX_CAPTURED_LENGTH } from './scanner.js';

/** Magic number of a capture with microseconds, as the writer's own byte order reads it. */
export const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;
/** Magic number of a capture with nanoseconds. */
export const PCAP_MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Length of the file header, in bytes. */
export const PCAP_HEADER_LENGTH = 24;
/** Length of a record's header, in bytes. */
export const PCAP_RECORD_LENGTH = 16;

/** Offset of the link type in the file header. */
const LINK_TYPE = 20;
// The upper bits of the link type field tell of a frame check sequence.
const LINK_TYPE_MASK = 0x03ffffff;

/** Scans a classic capture. */
export class PcapScanner extends CaptureScanner {
  readonly format = 'pcap';
  #snaplen = MAX_CAPTURED_LENGTH;
  #ticksPerSecond = 1e6;
  #nanosecondsPerTick = 1000;

  override next(): boolean {
    if (!this.started && !this.#readHeader()) return false;
    const at = this.position;
    if (this.limit - at < PCAP_RECORD_LENGTH) return false;
    const { view, littleEndian } = this;
    const captured = view.getUint32(at + 8, littleEndian);
    if (captured > MAX_CAPTURED_LENGTH) {
      throw this.damaged(at, `captured length ${captured} is beyond ${MAX_CAPTURED_LENGTH}`);
    }
    const start = at + PCAP_RECORD_LENGTH;
    const end = start + captured;
    if (end > this.limit) return false;

    let seconds = view.getUint32(at, littleEndian);
    let ticks = view.getUint32(at + 4, littleEndian);
    if (ticks >= this.#ticksPerSecond) {
      const carry = Math.floor(ticks / this.#ticksPerSecond);
      seconds += carry;
      ticks -= carry * this.#ticksPerSecond;
    }
    this.seconds = seconds;
    this.nanoseconds = ticks * this.#nanosecondsPerTick;
    this.originalLength = view.getUint32(at + 12, littleEndian);
    this.offset = this.offsetOf(at);
    this.dataStart = start;
    // As libpcap: what a record holds beyond the snapshot length is not delivered.
    this.dataEnd = captured > this.#snaplen ? start + this.#snaplen : end;
    this.position = end;
    this.number++;
    return true;
  }

  #readHeader(): boolean {
    if (this.limit < PCAP_HEADER_LENGTH) return false;
    const { view } = this;
    const magic = view.getUint32(0, true);
    this.littleEndian = magic === PCAP_MAGIC_MICROSECONDS || magic === PCAP_MAGIC_NANOSECONDS;
    const little = this.littleEndian;
    const own = view.getUint32(0, little);
    if (own === PCAP_MAGIC_NANOSECONDS) {
      this.#ticksPerSecond = 1e9;
      this.#nanosecondsPerTick = 1;
    } else if (own !== PCAP_MAGIC_MICROSECONDS) {
      throw this.damaged(0, `magic number 0x${magic.toString(16)} is not that of a classic capture`);
    }
    const major = view.getUint16(4, little);
    const minor = view.getUint16(6, little);
    if (major !== 2 || minor !== 4) throw this.damaged(0, `version ${major}.${minor} is not 2.4`);
    const snaplen = view.getUint32(16, little);
    if (snaplen > 0 && snaplen < MAX_CAPTURED_LENGTH) this.#snaplen = snaplen;
    const linkType = view.getUint32(LINK_TYPE, little) & LINK_TYPE_MASK;
    if (linkKind(linkType) === undefined) throw this.damaged(LINK_TYPE, unreadLinkType(linkType));
    this.interfaces.push({ index: 0, name: undefined, linkType, snaplen });
    this.position = PCAP_HEADER_LENGTH;
    this.started = true;
    return true;
  }
}
