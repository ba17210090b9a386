/**
 * The core's inner functions, from the testing binary, over the memory of a director.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './machine.js';

/** Where the core has the key of its hash (src/abi/memory.ts). */
const [SUPERBLOCK, SB_KEY0, SB_KEY1] = [1024, 112, 120];

/** Exports of assembly/testing.ts that are measured. Addresses are those of the memory. */
export interface TestingExports {
  sumScalar(address: number, length: number): number;
  sumSimd(address: number, length: number): number;
  checksumMany(list: number, count: number, length: number): number;
  updateMany(list: number, count: number, toBE: number, portBE: number): number;
  lookupMany(list: number, count: number): number;
  crcOf(address: number, length: number): number;
  parseMany(list: number, count: number, room: number): number;
  hash(sourceBE: number, destinationBE: number, ports: number, protocol: number): bigint;
  /** Next to nothing: measures the call itself. */
  icmpIsError(type: number): number;
}

/** Instantiates the testing binary. It has no data of its own, so it sees the director's. */
export function testingCore(memory: WebAssembly.Memory): TestingExports {
  const module = new WebAssembly.Module(readFileSync(join(ROOT, 'build', 'testing.wasm')));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as TestingExports;
}

/** The hash of a client's segment under a key, as the index takes it. Addresses: the client's a number, the service's a text. */
export function keyedHashes(
  key0: bigint,
  key1: bigint,
): (client: number, vip: string, port: number, vport: number) => bigint {
  const memory = new WebAssembly.Memory({ initial: 24, maximum: 24 });
  const view = new DataView(memory.buffer);
  view.setBigUint64(SUPERBLOCK + SB_KEY0, key0, true);
  view.setBigUint64(SUPERBLOCK + SB_KEY1, key1, true);
  const core = testingCore(memory);
  const swapped = (value: number): number => {
    view.setUint32(0, value);
    return view.getUint32(0, true);
  };
  return (client, vip, port, vport) => {
    const virtual = vip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const ports = swapped(((port << 16) | vport) >>> 0);
    return BigInt.asUintN(64, core.hash(swapped(client), swapped(virtual), ports, 6));
  };
}
