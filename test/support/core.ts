/**
 * The core in each of its binaries, for suites that take the binary as a parameter.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import { Director, type DirectorOptions } from '../../src/director.js';
import { binaryUrl } from '../../src/wasm.js';

/** Builds of the core that the package ships. */
export const BINARIES = ['release', 'debug', 'shared'] as const;
export type Binary = (typeof BINARIES)[number];

const modules = new Map<string, WebAssembly.Module>();

/** A compiled binary, once for all tests of a file. */
export function moduleOf(name: Binary | 'testing'): WebAssembly.Module {
  let module = modules.get(name);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`${name}.wasm`, binaryUrl('release', false))));
    modules.set(name, module);
  }
  return module;
}

/** The smallest plan that most tests fit in. */
export const SMALL_PLAN = {
  connections: 64,
  connections6: 64,
  services: 8,
  dests: 32,
  routes: 64,
  neighbours: 64,
  interfaces: 16,
  schedulerBytes: 1 << 16,
  callIds: 16,
  arenaBytes: 1 << 17,
  fragmentBytes: 1 << 17,
  datagrams: 16,
  localAddresses: 0,
} as const;

/** 1.5 MiB, for a director that may be replaced by the next one. */
export function memoryFor(binary: Binary, pages = 24): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: binary === 'shared' });
}

/** A director of that binary. Its plan is small and its seed fixed unless `options` say otherwise. */
export function createDirector(binary: Binary, options: DirectorOptions = {}): Director {
  const memory = binary === 'shared' ? { memory: memoryFor('shared', 512) } : {};
  return Director.createSync({ wasm: moduleOf(binary), seed: 1n, ...memory, ...options });
}

/** The exports of assembly/testing.ts. Addresses are offsets into the memory. */
export interface Inner {
  sumScalar(address: number, length: number): number;
  sumSimd(address: number, length: number): number;
  checksumOf(address: number, length: number): number;
  updateChecksum32(old: number, from: number, to: number): number;
  updateChecksum16(old: number, from: number, to: number): number;
  hash(sourceBE: number, destinationBE: number, ports: number, protocol: number): bigint;
  lookup(ip: number): number;
  tcpState(direction: number, flags: number, state: number, isSecure: boolean): number;
  checkHeader(ip: number, room: number): number;
  decrementTtl(ip: number): void;
  fillChecksum(ip: number): void;
  options(ip: number, fill: number, addressBE: number): number;
  encapsulateIpip(inner: number, sourceBE: number, destinationBE: number, copyDf: number): number;
  decapsulateIpip(inner: number, room: number, outerTos: number): number;
  icmpIsError(type: number): number;
  icmpIsRelated(type: number): number;
  arpOperation(address: number): number;
  arpSender(address: number): number;
  arpTarget(address: number): number;
  readEthernet(address: number, to: number): void;
  writeEthernet(address: number, from: number): void;
  macsEqual(a: number, b: number): number;
  readVlan(address: number, to: number): void;
  writeVlan(address: number, from: number): void;
  readIpv4(address: number, to: number): void;
  writeIpv4(address: number, from: number): void;
  forwardIpv4(address: number, fromBE: number, toBE: number): void;
  readTcp(address: number, to: number): void;
  writeTcp(address: number, from: number): void;
  readUdp(address: number, to: number): void;
  writeUdp(address: number, from: number): void;
  writeIcmp(address: number, from: number): void;
  readIcmp(address: number, to: number): void;
  icmpv6IsError(type: number): number;
  readIpv6(address: number, to: number): void;
  writeIpv6(address: number, from: number): void;
  writeTrafficClass(address: number, from: number): void;
  kindOfAddress6(address: number): number;
  foldedAddress6(address: number): number;
  addresses6Equal(a: number, b: number): number;
  prefixMatches6(address: number, prefix: number, bits: number): number;
  hopByHop(ip: number, end: number): bigint;
  extensions(ip: number, end: number): bigint;
  nameOffset(ip: number, offset: number): number;
  updateChecksum128(old: number, from: number, to: number): number;
  transportChecksum6(ip: number, protocol: number, segment: number, length: number): number;
  crcOf(address: number, length: number): number;
  writeSctp(address: number, from: number): void;
  fillSctp(address: number, length: number): number;
  sctpState(direction: number, segment: number, length: number, state: number): number;
  sctpIsActive(state: number): number;
  insertEntry(hash: bigint, ref: number): void;
  removeEntry(hash: bigint, ref: number): void;
  findEntry(hash: bigint, ref: number): number;
  reassembleFrame(index: number): number;
  expireFragmentsAt(now: number): void;
  cutFrame(index: number, ip: number, hop: number, mtu: number, reassembled: number, reason: number): void;
}

/** The inner functions of the core, and the memory they work on. */
export interface InnerCore {
  readonly call: Inner;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** The binary that exports inner functions, over `memory` or over 1.5 MiB of its own. */
export function innerCore(memory = memoryFor('release')): InnerCore {
  const { exports } = instantiateSync<Record<string, unknown>>(moduleOf('testing'), { env: { memory } });
  return {
    call: exports as unknown as Inner,
    bytes: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
  };
}

/** The core loads and stores as this machine does; a number in network order as it comes out of a load. */
export const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
export const swap32 = (value: number): number => ((swap16(value & 0xffff) << 16) | swap16(value >>> 16)) >>> 0;
