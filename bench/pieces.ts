/**
 * What the suites of single pieces share: frames in one director's memory, in a rival's and in a file.
 *
 * @module
 */
import type { Director } from 'ipvs-wasm';
import { establishedDirector } from './contenders/director.js';
import type { Contender } from './harness.js';
import { type NativeWork, timeNative } from './rivals/native.js';
import { type TestingExports, testingCore } from './testing.js';

/** The library's parts, and frames where they can get at them. */
export interface CorePieces {
  core: TestingExports;
  memory: WebAssembly.Memory;
  director: Director;
  /** Address of memory that the host may fill. */
  held: number;
}

/** A director with `connections` established, the testing binary over its memory, and `bytes` of room. */
export function corePieces(connections: number, bytes: number): CorePieces {
  const { director, memory, held } = establishedDirector({ mode: 'nat-in', connections }, bytes);
  return { core: testingCore(memory), memory, director, held };
}

/** The native rival at one piece of work. */
export function nativePiece(
  binary: string | undefined,
  file: string,
  work: NativeWork,
  burst: number,
  slot: number,
): Contender | undefined {
  if (binary === undefined) return undefined;
  return {
    name: 'native C',
    measure(seconds) {
      const { ns, copy } = timeNative(binary, file, work, burst, seconds * 0.7, slot);
      return { ns, outside: copy, rme: undefined };
    },
  };
}
