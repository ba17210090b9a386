/**
 * Packets in pieces.
 *
 * @module
 */
import { fixIpv4, join } from './packets.js';

const FRAGMENT = 44;

/**
 * Cuts a packet of either family after the payload bytes at each of `cuts` (multiples of 8), as a sender would.
 *
 * @param id the identification; IPv4 keeps the packet's own
 */
export function fragmentsOf(packet: Uint8Array, cuts: readonly number[], id = 0x01020304): Uint8Array[] {
  const v6 = (packet[0] as number) >> 4 === 6;
  const headerLength = v6 ? 40 : ((packet[0] as number) & 15) * 4;
  const payload = packet.subarray(headerLength);
  const edges = [0, ...cuts, payload.length];
  return edges.slice(0, -1).map((from, i) => {
    const to = edges[i + 1] as number;
    const part = payload.subarray(from, to);
    const header = packet.slice(0, headerLength);
    return v6 ? piece6(header, part, from, to < payload.length, id) : piece4(header, part, from, to < payload.length);
  });
}

function piece4(header: Uint8Array, part: Uint8Array, from: number, more: boolean): Uint8Array {
  const view = new DataView(header.buffer);
  view.setUint16(2, header.length + part.length);
  view.setUint16(6, (more ? 0x2000 : 0) | (from / 8));
  return fixIpv4(join(header, part));
}

function piece6(header: Uint8Array, part: Uint8Array, from: number, more: boolean, id: number): Uint8Array {
  const extension = new Uint8Array(8);
  const view = new DataView(extension.buffer);
  extension[0] = header[6] as number;
  view.setUint16(2, from | (more ? 1 : 0));
  view.setUint32(4, id);
  header[6] = FRAGMENT;
  new DataView(header.buffer).setUint16(4, extension.length + part.length);
  return join(header, extension, part);
}
