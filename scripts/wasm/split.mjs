/**
 * Optimises a module in two parts that are merged again: the way of nearly every packet, in which all is inlined, and the
 * rest, which is kept small. Functions that both need are there twice. The boundary is RARE.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import binaryen from 'binaryen';
import { FAST, optimise, readModule, SMALL, TIDY } from './optimise.mjs';
import { APART, RARE } from './rare.mjs';

const MERGE = fileURLToPath(new URL('../../node_modules/binaryen/bin/wasm-merge', import.meta.url));
/** How the first part calls the second. */
const REST = 'rest';
/** The exports that packets go through; the others are for control. */
const FAST_EXPORTS = new Set(['process']);

/** The bytes of the module in `file`, optimised. `shared`: whether its memory is. */
export function split(file, shared) {
  const folder = mkdtempSync('build/split-');
  try {
    const [fast, rest, merged] = ['fast', 'rest', 'merged'].map((name) => join(folder, `${name}.wasm`));
    const first = writeFast(file, fast, shared);
    const second = writeRest(file, rest, first.called);
    // Each part has globals of its own.
    const both = first.variables.filter((name) => second.variables.includes(name));
    if (both.length > 0) throw new Error(`both parts of the module change ${both}, each for itself`);
    const features = ['--enable-simd', '--enable-bulk-memory', '--enable-bulk-memory-opt', '--enable-sign-ext'];
    features.push('--enable-mutable-globals', '--enable-nontrapping-float-to-int', '--enable-multimemory');
    if (shared) features.push('--enable-threads');
    execFileSync(process.execPath, [MERGE, fast, 'fast', rest, REST, '-o', merged, '-g', ...features]);
    return finish(file, merged);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The part that packets go through, to `out`; the functions of the rest that it calls, and its mutable globals. */
function writeFast(file, out, shared) {
  const module = readModule(file);
  for (const { name } of exportsOf(module)) if (!FAST_EXPORTS.has(name)) module.removeExport(name);
  if (new Set(RARE).size < RARE.length) throw new Error('scripts/wasm/rare.mjs: a function stands there twice');
  for (const name of RARE) {
    const there = module.getFunction(name);
    if (there === 0) throw new Error(`scripts/wasm/rare.mjs: there is no function ${name}`);
    const { params, results } = binaryen.getFunctionInfo(there);
    module.removeFunction(name);
    module.addFunctionImport(name, REST, name, params, results);
  }
  module.runPasses(['remove-unused-module-elements']);
  for (const name of APART) keepApart(module, name);
  optimise(module, TIDY);
  optimise(module, FAST);
  optimise(module, FAST);
  // The memory is the one that the rest imports.
  module.addMemoryImport(memoryOf(module), REST, 'memory', shared);
  writeFileSync(out, module.emitBinary());
  const called = functionsOf(module).filter((each) => each.module === REST);
  const variables = variablesOf(module);
  module.dispose();
  return { called: called.map(({ base }) => base), variables };
}

/** Lets the function be inlined nowhere. */
function keepApart(module, name) {
  if (module.getFunction(name) === 0) throw new Error(`scripts/wasm/rare.mjs: there is no function ${name}`);
  binaryen.setPassArgument('no-inline', name);
  module.runPasses(['no-inline']);
  binaryen.setPassArgument('no-inline', null);
}

/** All the rest, to `out`, with `called` exported; its mutable globals. */
function writeRest(file, out, called) {
  const module = readModule(file);
  for (const name of FAST_EXPORTS) module.removeExport(name);
  for (const name of called) module.addFunctionExport(name, name);
  module.runPasses(['remove-unused-module-elements']);
  optimise(module, SMALL);
  optimise(module, SMALL);
  writeFileSync(out, module.emitBinary());
  const variables = variablesOf(module);
  module.dispose();
  return { variables };
}

/** The merged module with the exports of the one in `file`. */
function finish(file, merged) {
  const before = readModule(file);
  const module = readModule(merged);
  const exported = new Set(exportsOf(before).map(({ name }) => name));
  for (const { name } of exportsOf(module)) if (!exported.has(name)) module.removeExport(name);
  module.runPasses(['remove-unused-module-elements', 'duplicate-function-elimination', 'reorder-functions']);
  binaryen.setDebugInfo(false);
  const bytes = module.emitBinary();
  binaryen.setDebugInfo(true);
  before.dispose();
  module.dispose();
  return bytes;
}

function exportsOf(module) {
  return Array.from({ length: module.getNumExports() }, (_, i) => binaryen.getExportInfo(module.getExportByIndex(i)));
}

function variablesOf(module) {
  const globals = Array.from({ length: module.getNumGlobals() }, (_, i) =>
    binaryen.getGlobalInfo(module.getGlobalByIndex(i)),
  );
  return globals.filter(({ mutable }) => mutable).map(({ name }) => name);
}

function functionsOf(module) {
  return Array.from({ length: module.getNumFunctions() }, (_, i) =>
    binaryen.getFunctionInfo(module.getFunctionByIndex(i)),
  );
}

function memoryOf(module) {
  return /\(memory \$(\S+)/.exec(module.emitText())[1];
}
