/**
 * A number for the whole ABI: every name and value that both sides compile. The build writes it
 * into each binary, and the loader refuses a binary with another.
 *
 * @module
 */
import * as memory from './abi/memory.js';
import * as protocol from './abi/protocol.js';
import * as verdict from './abi/verdict.js';

/** Name of the custom section that carries the hash. */
export const ABI_SECTION = 'ipvs-wasm.abi';

let known: string | undefined;

/** FNV-1a, 32 bits, over the sorted names and values, in hexadecimal. */
export function abiHash(): string {
  known ??= hashOfAll();
  return known;
}

function hashOfAll(): string {
  const lines = [memory, protocol, verdict].flatMap((module) =>
    Object.entries(module).map(([name, value]) => `${name}=${JSON.stringify(value)}`),
  );
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(lines.sort().join('\n'))) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
