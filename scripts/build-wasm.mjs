/**
 * Builds the binaries: AssemblyScript to build/*.wasm, each stamped with the hash of the ABI.
 *
 * `node scripts/build-wasm.mjs [name…]` builds only these (debug, release, shared, testing).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { FAST, optimise, readModule } from './wasm/optimise.mjs';
import { split } from './wasm/split.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/**
 * The entry and the options of each binary. Release and shared come out of the compiler as they are written, and are
 * optimised here. `testing` has the inner functions exported; it is not shipped.
 */
const BINARIES = {
  debug: ['assembly/index.ts', '--target', 'debug'],
  release: ['assembly/index.ts', '--target', 'release'],
  shared: ['assembly/index.ts', '--target', 'shared'],
  testing: ['assembly/testing.ts', '--target', 'testing'],
};

const wanted = process.argv.slice(2);
const { ABI_SECTION, abiHash } = await compileHash();
for (const [name, args] of Object.entries(BINARIES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { error, stderr } = await asc.main([...args, '--config', 'asconfig.json'], {});
  const messages = stderr.toString();
  // A warning about an implicit conversion is an address computed in the wrong width.
  if (error !== null || /WARNING|ERROR/.test(messages)) {
    process.stderr.write(messages);
    throw new Error(`${name}.wasm: not built`);
  }
  const file = `build/${name}.wasm`;
  if (name === 'testing') inline(file);
  else if (name !== 'debug') writeFileSync(file, split(file, name === 'shared'));
  stamp(file, ABI_SECTION, abiHash());
}

/** What tests and benchmarks call by itself is fast by itself. */
function inline(file) {
  const module = readModule(file);
  optimise(module, FAST);
  optimise(module, FAST);
  writeFileSync(file, module.emitBinary());
  module.dispose();
}

/** The hash as the loader computes it: from the compiled constants. */
async function compileHash() {
  mkdirSync('build', { recursive: true });
  const options =
    '--ignoreConfig --outDir build/abi --rootDir src --module nodenext --target es2023 --strict --skipLibCheck';
  const tsc = 'node_modules/typescript/bin/tsc';
  execFileSync(process.execPath, [tsc, ...options.split(' '), 'src/abi-hash.ts'], { stdio: 'inherit' });
  return import(new URL('../build/abi/abi-hash.js', import.meta.url));
}

/** Appends a custom section (WebAssembly core specification §5.5.3). */
function stamp(file, name, text) {
  const encoder = new TextEncoder();
  const nameBytes = encoder.encode(name);
  const content = Uint8Array.from([...leb128(nameBytes.length), ...nameBytes, ...encoder.encode(text)]);
  const section = Uint8Array.from([0, ...leb128(content.length), ...content]);
  writeFileSync(file, Buffer.concat([readFileSync(file), section]));
}

function leb128(value) {
  const bytes = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}
