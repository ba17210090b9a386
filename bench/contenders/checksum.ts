/**
 * Contenders for the Internet checksum: over whole frames (RFC 1071), and of TCP segments that go to another address
 * and port (RFC 1624). Each has its own loop: a shared one would call all of them from one megamorphic site.
 *
 * @module
 */
import { carryChecksum, internetChecksum } from 'ipvs-wasm/reference';
import { ETHERNET, IPV4 } from '../frames.js';
import { checksum as viewChecksum } from '../rivals/map.js';
import { checksumUpdate, checksum as wordsChecksum } from '../rivals/words.js';
import type { WorldDest } from '../rivals/world.js';
import type { TestingExports } from '../testing.js';

const TCP = 6;
const TCP_CHECKSUM = 16;
const DESTINATION = 16;

/** Somebody's loop over all frames; returns all its checksums xor-ed. */
export interface Loop {
  name: string;
  /** Whether its checksums are as a little-endian machine loads them, not in network order. */
  loaded: boolean;
  run(): number;
}

/** Frames of one length, in a core's memory and outside. */
export interface Laid {
  core: Pick<TestingExports, 'checksumMany' | 'updateMany'>;
  frames: Uint8Array[];
  /** Address of the first frame in the core's memory. */
  first: number;
  /** Bytes from frame to frame. */
  slot: number;
  /** Address of the list of where the packets in the frames begin. */
  packets: number;
  /** Address of the list of where the frames begin. */
  list: number;
}

/** Bytes from frame to frame. */
function slotBytes(length: number): number {
  return Math.ceil(length / 64) * 64 + 64;
}

/** Bytes of memory that `layInto` needs. */
export function laidBytes(count: number, length: number): number {
  return count * (8 + slotBytes(length));
}

/** Lays frames of one length into a core's memory at `held`, the two lists of addresses behind them. */
export function layInto(core: Laid['core'], buffer: ArrayBuffer, held: number, frames: Uint8Array[]): Laid {
  const count = frames.length;
  const slot = slotBytes(frames[0]!.length);
  const list = held + count * slot;
  const packets = list + count * 4;
  const addresses = new Uint32Array(buffer, list, count * 2);
  for (const [i, frame] of frames.entries()) {
    new Uint8Array(buffer).set(frame, held + i * slot);
    addresses[i] = held + i * slot;
    addresses[count + i] = held + i * slot + ETHERNET;
  }
  return { core, frames, first: held, slot, packets, list };
}

/** Checksums over whole frames. */
export function fullLoops({ core, frames, list, slot }: Laid): Loop[] {
  const count = frames.length;
  const { length } = frames[0]!;
  const words = new Int32Array((count * slot) / 4);
  for (const [i, frame] of frames.entries()) new Uint8Array(words.buffer).set(frame, i * slot);
  const views = frames.map((frame) => new DataView(frame.buffer));
  return [
    { name: 'ipvs-wasm', loaded: true, run: () => core.checksumMany(list, count, length) },
    {
      name: 'typed arrays',
      loaded: true,
      run() {
        let all = 0;
        for (let i = 0; i < count; i++) all ^= wordsChecksum(words, i * slot, length);
        return all;
      },
    },
    {
      name: 'DataView',
      loaded: false,
      run() {
        let all = 0;
        for (let i = 0; i < count; i++) all ^= viewChecksum(views[i]!, 0, length);
        return all;
      },
    },
    {
      name: 'reference',
      loaded: false,
      run() {
        let all = 0;
        for (let i = 0; i < count; i++) all ^= internetChecksum(frames[i]!);
        return all;
      },
    },
  ];
}

/** Pseudo-header and segment of the frame's packet, which goes to `dest` when there is one, its checksum then 0. */
function covered(frame: Uint8Array, dest?: WorldDest): Uint8Array {
  const segment = frame.subarray(ETHERNET + IPV4);
  const bytes = new Uint8Array(12 + segment.length);
  const view = new DataView(bytes.buffer);
  bytes.set(frame.subarray(ETHERNET + 12, ETHERNET + IPV4));
  view.setUint16(8, TCP);
  view.setUint16(10, segment.length);
  bytes.set(segment, 12);
  if (dest === undefined) return bytes;
  view.setInt32(4, dest.address, true);
  view.setUint16(12 + 2, dest.port, true);
  view.setUint16(12 + TCP_CHECKSUM, 0);
  return bytes;
}

/** TCP checksums of packets that go to `dest`; the frames stay as they are. */
export function updateLoops({ core, frames, packets }: Laid, dest: WorldDest): Loop[] {
  const count = frames.length;
  // two bytes in front, so that the IP headers are aligned
  const stride = (frames[0]!.length + 2 + 3) >> 2;
  const words = new Int32Array(count * stride);
  for (const [i, frame] of frames.entries()) new Uint8Array(words.buffer).set(frame, i * stride * 4 + 2);
  const address = (2 + ETHERNET + DESTINATION) >> 2;
  const ports = (2 + ETHERNET + IPV4) >> 2;
  const field = (2 + ETHERNET + IPV4 + TCP_CHECKSUM) >> 2;
  const before = frames.map((frame) => covered(frame));
  const after = frames.map((frame) => covered(frame, dest));
  const views = after.map((bytes) => new DataView(bytes.buffer));
  return [
    { name: 'ipvs-wasm', loaded: true, run: () => core.updateMany(packets, count, dest.address, dest.port) },
    {
      name: 'typed arrays',
      loaded: true,
      run() {
        let all = 0;
        for (let i = 0, w = 0; i < count; i++, w += stride) {
          const old = words[w + field]! & 0xffff;
          all ^= checksumUpdate(old, words[w + address]!, dest.address, words[w + ports]! >>> 16, dest.port);
        }
        return all;
      },
    },
    {
      name: 'DataView, summed anew',
      loaded: false,
      run() {
        let all = 0;
        for (let i = 0; i < count; i++) all ^= viewChecksum(views[i]!, 0, views[i]!.byteLength);
        return all;
      },
    },
    {
      name: 'reference',
      loaded: false,
      run() {
        let all = 0;
        for (let i = 0; i < count; i++) all ^= carryChecksum(before[i]!, after[i]!);
        return all;
      },
    },
  ];
}
