/**
 * The core's inner functions, from the testing binary, over the memory of a director.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './machine.js';

/** Exports of assembly/testing.ts that are measured. Addresses are those of the memory. */
export interface TestingExports {
  sumScalar(address: number, length: number): number;
  sumSimd(address: number, length: number): number;
  checksumMany(list: number, count: number, length: number): number;
  updateMany(list: number, count: number, toBE: number, portBE: number): number;
  lookupMany(list: number, count: number): number;
  crcOf(address: number, length: number): number;
  parseMany(list: number, count: number, room: number): number;
  /** Next to nothing: measures the call itself. */
  icmpIsError(type: number): number;
}

/** Instantiates the testing binary. It has no data of its own, so it sees the director's. */
export function testingCore(memory: WebAssembly.Memory): TestingExports {
  const module = new WebAssembly.Module(readFileSync(join(ROOT, 'build', 'testing.wasm')));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as TestingExports;
}
