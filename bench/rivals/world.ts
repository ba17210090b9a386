/**
 * The world a rival lives in: a director's network, its connections and the frames it is given. All
 * rivals, and the library, are built from the same one; the native one reads it from a file.
 *
 * Addresses and ports hold network byte order as a little-endian machine loads them.
 *
 * @module
 */
import { Buffer } from 'node:buffer';
import { closeSync, openSync, writeSync } from 'node:fs';

/** Forwarding methods, numbered as the library's ABI does. */
export const MASQ = 0;
export const TUNNEL = 2;
export const ROUTE = 3;

/** Connection states that a scenario starts from, numbered as in the library's ABI. */
export const ESTABLISHED = 1;
export const UDP_STATE = 11;

/** Verdicts, numbered as in the library's ABI. */
export const FORWARD = 1;
export const LOCAL = 2;
export const PASS = 3;
export const DROP = 4;

export interface WorldInterface {
  mac: Uint8Array;
  mtu: number;
}

export interface WorldDest {
  address: number;
  port: number;
  method: number;
  interface: number;
  mac: Uint8Array;
  /** Outer source address of a tunnel to it. */
  source: number;
  mtu: number;
}

/** Frames, one after the other in slots of `stride` bytes. */
export interface Frames {
  count: number;
  /** Bytes from frame to frame, a multiple of 16. */
  stride: number;
  words: Int32Array;
  /** Per frame: length, and the in interface from bit 16 up. */
  meta: Uint32Array;
}

/** Words per connection: client address; client port, service port << 16; VIP; dest, protocol << 16, state << 24. */
export const CONN_WORDS = 4;

export interface World {
  /** Number 0 leads to the clients. */
  interfaces: WorldInterface[];
  locals: number[];
  dests: WorldDest[];
  vip: number;
  vport: number;
  protocol: number;
  /** MAC of the next hop to every client. */
  clientMac: Uint8Array;
  connections: Int32Array;
  frames: Frames;
}

const MAGIC = 0x4c564952;
const HEADER_WORDS = 16;

function macWords(mac: Uint8Array): [number, number] {
  const view = new DataView(mac.buffer, mac.byteOffset, 6);
  return [view.getUint32(0, true), view.getUint16(4, true)];
}

/** Writes a world for the native rival; `native/load.h` reads it. */
export function writeWorld(world: World, path: string): void {
  const { frames } = world;
  const head = [
    MAGIC,
    world.connections.length / CONN_WORDS,
    frames.count,
    frames.stride,
    world.interfaces.length,
    world.locals.length,
    world.dests.length,
    world.vip,
    world.vport | (world.protocol << 16),
    0,
    ...macWords(world.clientMac),
  ];
  while (head.length < HEADER_WORDS) head.push(0);
  for (const { mac, mtu } of world.interfaces) head.push(...macWords(mac), mtu, 0);
  head.push(...world.locals);
  for (const dest of world.dests) {
    head.push(dest.address, dest.port | (dest.method << 16) | (dest.interface << 24));
    head.push(...macWords(dest.mac), dest.source, dest.mtu);
  }
  const file = openSync(path, 'w');
  try {
    for (const part of [Int32Array.from(head), world.connections, frames.meta, frames.words]) {
      const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
  } finally {
    closeSync(file);
  }
}

/** What became of a frame. */
export interface Judged {
  verdict: number;
  /** Out interface; only of a frame that is forwarded. */
  out: number;
  frame: Uint8Array;
}
