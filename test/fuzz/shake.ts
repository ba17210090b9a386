/**
 * What the far end of a SYN proxy's handshake answers: of a client that got a cookie, of a server that got a SYN.
 *
 * @module
 */
import { repairTransport } from './repair.js';

const TCP = 6;
/** Of the options of TCP. */
const NOP = 1;

/** The answer to a frame that left, as it comes back by the same wire; `link`: bytes in front of its packet, `isPlain`: whether the answer to a SYN has no options. */
export function answerTo(left: Uint8Array, link: number, isPlain: boolean): Uint8Array {
  const frame = left.slice();
  if (link > 0) swap(frame, 0, 6, 6);
  const packet = frame.subarray(link);
  const isV6 = packet[0]! >> 4 === 6;
  const [address, size] = isV6 ? [8, 16] : [12, 4];
  swap(packet, address, address + size, size);
  const at = isV6 ? 40 : (packet[0]! & 15) * 4;
  swap(packet, at, at + 2, 2);
  if (packet[isV6 ? 6 : 9] !== TCP) {
    repairTransport(packet);
    return frame;
  }
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const [number, acknowledged] = [view.getUint32(at + 4), view.getUint32(at + 8)];
  const isAnswer = (packet[at + 13]! & 16) !== 0;
  view.setUint32(at + 4, isAnswer ? acknowledged : 1000);
  view.setUint32(at + 8, (number + 1) >>> 0);
  if (isPlain && !isAnswer) packet.fill(NOP, at + 20, at + (packet[at + 12]! >> 4) * 4);
  packet[at + 13] = isAnswer ? 16 : 18;
  repairTransport(packet);
  return frame;
}

function swap(bytes: Uint8Array, a: number, b: number, length: number): void {
  const kept = bytes.slice(a, a + length);
  bytes.copyWithin(a, b, b + length);
  bytes.set(kept, b);
}
