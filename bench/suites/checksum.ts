/**
 * The Internet checksum: over a whole packet (RFC 1071), and after a change of address and port (RFC 1624).
 *
 * The library's functions are called one by one from JavaScript, which a packet's way never does: most of a small
 * figure is that call, shown beside it.
 *
 * @module
 */
import { join } from 'node:path';
import { carryChecksum, internetChecksum } from 'ipvs-wasm/reference';
import { type Contender, inProcess, sink } from '../harness.js';
import { corePieces, nativePiece } from '../pieces.js';
import { checksum as viewChecksum } from '../rivals/map.js';
import { checksumUpdate, checksum as wordsChecksum } from '../rivals/words.js';
import { writeWorld } from '../rivals/world.js';
import { frameOf, layOut, makeWorld } from '../scenario.js';
import { inFolder, type Result, result, type Settings, type Suite } from '../suite.js';

const LENGTHS = [64, 576, 1500, 9000];
/** Buffers taken in turn: all stay in the second cache. Each contender has its own loop: a shared one would call all of them from one megamorphic site. */
const BUFFERS = 16;

function* full(settings: Settings, length: number, folder: string): Generator<Result> {
  const frames = Array.from({ length: BUFFERS }, (_, n) => frameOf('nat-in', n, { payload: length - 54 }));
  const world = makeWorld({ mode: 'nat-in', connections: BUFFERS }, layOut(frames, BUFFERS, length));
  const file = join(folder, `world-${length}`);
  writeWorld(world, file);
  const slot = Math.ceil(length / 64) * 64 + 64;
  const { core, memory, held } = corePieces(BUFFERS, BUFFERS * slot);
  const bytes = new Uint8Array(memory.buffer);
  const words = new Int32Array((BUFFERS * slot) / 4);
  const wordBytes = new Uint8Array(words.buffer);
  for (const [i, { frame }] of frames.entries()) {
    bytes.set(frame, held + i * slot);
    wordBytes.set(frame, i * slot);
  }
  const views = frames.map(({ frame }) => new DataView(frame.buffer));
  const contenders = [
    inProcess('ipvs-wasm', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.checksumOf(held + i * slot, length);
    }),
    inProcess('  scalar', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.sumScalar(held + i * slot, length);
    }),
    inProcess('  SIMD', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.sumSimd(held + i * slot, length);
    }),
    inProcess('  the call alone', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.icmpIsError(0);
    }),
    nativePiece(settings.native, file, 'checksum', BUFFERS, slot),
    inProcess('typed arrays', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= wordsChecksum(words, i * slot, length);
    }),
    inProcess('DataView', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= viewChecksum(views[i]!, 0, length);
    }),
    inProcess('reference', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= internetChecksum(frames[i]!.frame);
    }),
  ];
  yield result({ suite: 'checksum', task: `full, ${length} bytes`, item: 'checksum' }, contenders, settings);
}

function* incremental(settings: Settings, folder: string): Generator<Result> {
  const frames = Array.from({ length: BUFFERS }, (_, n) => frameOf('nat-in', n));
  const world = makeWorld({ mode: 'nat-in', connections: BUFFERS }, layOut(frames, BUFFERS, 64));
  const file = join(folder, 'world');
  writeWorld(world, file);
  const { core } = corePieces(BUFFERS, 64);
  const before = Uint8Array.of(10, 0, 0, 100, 0, 80, 0x12, 0x34);
  const after = Uint8Array.of(10, 1, 0, 11, 0x1f, 0x90, 0, 0);
  const view = new DataView(before.buffer);
  const [oldAddress, newAddress] = [0x6400000a, 0x0b00010a];
  const contenders: (Contender | undefined)[] = [
    inProcess('ipvs-wasm', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.updateChecksum32(i, oldAddress, newAddress);
    }),
    inProcess('  the call alone', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.icmpIsError(0);
    }),
    nativePiece(settings.native, file, 'update', BUFFERS, 128),
    inProcess('typed arrays', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= checksumUpdate(i, oldAddress, newAddress, 0x5000, 0x901f);
    }),
    inProcess('DataView, full over 8 bytes', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= viewChecksum(view, 0, 8);
    }),
    inProcess('reference', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= carryChecksum(before, after);
    }),
  ];
  yield result({ suite: 'checksum', task: 'incremental', item: 'update' }, contenders, settings);
}

export const checksum: Suite = (settings) =>
  inFolder(function* (folder) {
    for (const length of LENGTHS) yield* full(settings, length, folder);
    yield* incremental(settings, folder);
  });
