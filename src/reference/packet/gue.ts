/**
 * Generic UDP Encapsulation, version 0 (draft-ietf-intarea-gue §3), with the private option of Linux for remote checksum
 * offload (draft-herbert-remotecsumoffload): the receiver finishes a checksum of the inner packet.
 *
 * @module
 */
import { concatenate } from './checksum.js';
import type { PartialChecksum } from './partial.js';

/** Bytes of the header without options. */
export const GUE_LENGTH = 4;

/** Bytes of the remote checksum option: private flags, start and offset. */
export const REMOTE_CHECKSUM_LENGTH = 8;

const FLAG_PRIVATE = 0x0001;
const PRIVATE_REMOTE_CHECKSUM = 0x80000000;

/** A GUE packet taken apart. */
export interface GuePacket {
  /** A control message instead of data; `protocol` is then its type. */
  control: boolean;
  /** Protocol number of the payload. */
  protocol: number;
  /** The checksum within the payload that the receiver is to finish. */
  remoteChecksum: PartialChecksum | undefined;
  payload: Uint8Array;
}

/** Takes a packet apart: flags that are not known would have fields of unknown length, so they are refused. */
export function parseGue(bytes: Uint8Array): GuePacket | 'tunnel-malformed' {
  if (bytes.length < GUE_LENGTH) return 'tunnel-malformed';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const optionsLength = (first & 0x1f) * 4;
  if (first >>> 6 !== 0 || GUE_LENGTH + optionsLength > bytes.length) return 'tunnel-malformed';
  const options = bytes.slice(GUE_LENGTH, GUE_LENGTH + optionsLength);
  const remoteChecksum = readOptions(view.getUint16(2), options);
  if (remoteChecksum === 'tunnel-malformed') return remoteChecksum;
  const payload = bytes.slice(GUE_LENGTH + optionsLength);
  if (remoteChecksum !== undefined) {
    const { start, offset } = remoteChecksum;
    if (Math.max(start, offset + 2) > payload.length) return 'tunnel-malformed';
  }
  return { control: (first & 0x20) !== 0, protocol: view.getUint8(1), remoteChecksum, payload };
}

function readOptions(flags: number, options: Uint8Array): PartialChecksum | undefined | 'tunnel-malformed' {
  if ((flags & ~FLAG_PRIVATE) !== 0) return 'tunnel-malformed';
  if (flags === 0) return undefined;
  if (options.length < 4) return 'tunnel-malformed';
  const view = new DataView(options.buffer);
  const privateFlags = view.getUint32(0);
  if (privateFlags === 0) return undefined;
  if (privateFlags !== PRIVATE_REMOTE_CHECKSUM || options.length < REMOTE_CHECKSUM_LENGTH) return 'tunnel-malformed';
  return { start: view.getUint16(4), offset: view.getUint16(6) };
}

/** Puts a packet together. */
export function serialiseGue(packet: GuePacket): Uint8Array {
  const header = new Uint8Array(GUE_LENGTH + (packet.remoteChecksum === undefined ? 0 : REMOTE_CHECKSUM_LENGTH));
  const view = new DataView(header.buffer);
  view.setUint8(0, (packet.control ? 0x20 : 0) | ((header.length - GUE_LENGTH) / 4));
  view.setUint8(1, packet.protocol);
  if (packet.remoteChecksum !== undefined) {
    view.setUint16(2, FLAG_PRIVATE);
    view.setUint32(4, PRIVATE_REMOTE_CHECKSUM);
    view.setUint16(8, packet.remoteChecksum.start);
    view.setUint16(10, packet.remoteChecksum.offset);
  }
  return concatenate(header, packet.payload);
}
