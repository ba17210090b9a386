/** Reading and optimising modules with Binaryen. */
import { readFileSync } from 'node:fs';
import binaryen from 'binaryen';

/** Names of functions are needed until the end. */
binaryen.setDebugInfo(true);

/** What asc enables by default, and what asconfig.json adds. */
const { Features } = binaryen;
const FEATURES =
  Features.BulkMemory |
  Features.BulkMemoryOpt |
  Features.MutableGlobals |
  Features.NontrappingFPToInt |
  Features.SIMD128 |
  Features.SignExt;

export function readModule(file) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(FEATURES | Features.Atomics);
  return module;
}

/**
 * How far to go. `level`: 3, or 4, which looks for what is computed twice. `always`, `flexible`, `oneCaller`: the largest
 * functions that are inlined everywhere; that are inlined if they call nothing; that are inlined into their only caller. In
 * nodes of Binaryen's tree.
 */
export function optimise(module, { level, always, flexible, oneCaller, loops, shrink }) {
  binaryen.setOptimizeLevel(level);
  binaryen.setShrinkLevel(shrink);
  binaryen.setAlwaysInlineMaxSize(always);
  binaryen.setFlexibleInlineMaxSize(flexible);
  binaryen.setOneCallerInlineMaxSize(oneCaller);
  binaryen.setAllowInliningFunctionsWithLoops(loops);
  // The memory map starts at 1024 (src/abi/superblock.ts).
  binaryen.setLowMemoryUnused(true);
  module.optimize();
}

/** Everything that belongs together in one function: engines do not inline WebAssembly calls. */
export const FAST = { level: 4, always: 160, flexible: 300, oneCaller: 2000, loops: true, shrink: 0 };
/** What is shorter inlined than called. */
export const TIDY = { level: 3, always: 2, flexible: 6, oneCaller: 65, loops: false, shrink: 1 };
/** Views of headers and records are inlined, not much more. */
export const SMALL = { level: 3, always: 12, flexible: 20, oneCaller: 400, loops: true, shrink: 1 };
