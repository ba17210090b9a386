/**
 * The Internet checksum: over a whole frame (RFC 1071), and after a change of address and port (RFC 1624).
 *
 * @module
 */
import { join } from 'node:path';
import { fullLoops, type Loop, laidBytes, layInto, updateLoops } from '../contenders/checksum.js';
import { type Contender, inProcess, sink } from '../harness.js';
import { corePieces, nativePiece } from '../pieces.js';
import { writeWorld } from '../rivals/world.js';
import { frameOf, layOut, makeWorld } from '../scenario.js';
import { inFolder, type Result, result, type Settings, type Suite } from '../suite.js';
import type { TestingExports } from '../testing.js';

const LENGTHS = [64, 576, 1500, 9000];
/** Buffers taken in turn: all stay in the second cache. */
const BUFFERS = 16;
/** Bytes of headers in a frame. */
const HEADERS = 54;

function contenderOf({ name, run }: Loop): Contender {
  return inProcess(name, BUFFERS, () => {
    sink.value ^= run();
  });
}

/** The core, its frames, and the same frames in a file for the native rival. */
function prepare(length: number, folder: string) {
  const arrivals = Array.from({ length: BUFFERS }, (_, n) => frameOf('nat-in', n, { payload: length - HEADERS }));
  const world = makeWorld({ mode: 'nat-in', connections: BUFFERS }, layOut(arrivals, BUFFERS, length));
  const file = join(folder, `world-${length}`);
  writeWorld(world, file);
  const { core, memory, held } = corePieces(BUFFERS, laidBytes(BUFFERS, length));
  const frames = arrivals.map(({ frame }) => frame);
  return { core, world, file, laid: layInto(core, memory.buffer, held, frames) };
}

/** The library's two ways to sum, called one by one from JavaScript, and the call itself: what is behind the choice of one. */
function ways(core: TestingExports, first: number, slot: number, length: number): Contender[] {
  return [
    inProcess('  scalar, a call each', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.sumScalar(first + i * slot, length);
    }),
    inProcess('  SIMD, a call each', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.sumSimd(first + i * slot, length);
    }),
    inProcess('  the call alone', BUFFERS, () => {
      for (let i = 0; i < BUFFERS; i++) sink.value ^= core.icmpIsError(0);
    }),
  ];
}

function* full(settings: Settings, length: number, folder: string): Generator<Result> {
  const { core, file, laid } = prepare(length, folder);
  const [ours, ...others] = fullLoops(laid).map(contenderOf);
  const contenders = [
    ours,
    ...ways(core, laid.first, laid.slot, length),
    nativePiece(settings.native, file, 'checksum', BUFFERS, laid.slot),
    ...others,
  ];
  yield result({ suite: 'checksum', task: `full, ${length} bytes`, item: 'checksum' }, contenders, settings);
}

function* incremental(settings: Settings, folder: string): Generator<Result> {
  const { world, file, laid } = prepare(64, folder);
  const [ours, ...others] = updateLoops(laid, world.dests[0]!).map(contenderOf);
  const contenders = [ours, nativePiece(settings.native, file, 'update', BUFFERS, laid.slot), ...others];
  yield result({ suite: 'checksum', task: 'incremental, address and port', item: 'update' }, contenders, settings);
}

export const checksum: Suite = (settings) =>
  inFolder(function* (folder) {
    for (const length of LENGTHS) yield* full(settings, length, folder);
    yield* incremental(settings, folder);
  });
