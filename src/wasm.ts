/**
 * Finding and instantiating the binary: the only file that makes a `WebAssembly.Module`.
 *
 * @module
 */
import { instantiate, instantiateSync } from '@assemblyscript/loader';
import { ABI_SECTION, abiHash } from './abi-hash.js';
import { IpvsError } from './errors.js';

/**
 * The exports of the core (assembly/index.ts). Ports are as loaded from a frame; addresses of services and dests are handed
 * over in the superblock (SB_ARG_ADDRESS, SB_ARG_DEST).
 */
export interface CoreExports extends Record<string, unknown> {
  process(now: number): number;
  advance(now: number): void;
  findService(family: number, protocol: number, portBE: number, fwmark: number): number;
  addService(family: number, protocol: number, portBE: number, fwmark: number): number;
  /** 0 or 1: whether there was room. */
  editService(
    service: number,
    scheduler: number,
    flags: number,
    timeout: number,
    netmask: number,
    engine: number,
    profile: number,
    carry: number,
    locals: number,
  ): number;
  deleteService(service: number): void;
  findDest(service: number, family: number, portBE: number): number;
  /** `isSnat`: 0 or 1. */
  addDest(service: number, family: number, portBE: number, isSnat: number): number;
  setDest(
    dest: number,
    method: number,
    weight: number,
    upper: number,
    lower: number,
    tunnelType: number,
    tunnelPortBE: number,
    tunnelChecksum: number,
  ): number;
  deleteDest(service: number, dest: number): void;
  unlinkDests(service: number): void;
  /** `last`: 0 or 1. */
  linkDest(dest: number, last: number): void;
  endAbandoned(): void;
  deleteConnection(conn: number): void;
  updateDefence(): void;
  linkService(service: number): void;
  homeOf(ref: number): number;
  putEntries(count: number): void;
}

/** Which build of the core: `release`, or `debug`, which is not optimised and has its names, for stepping through. */
export type Variant = 'release' | 'debug';

// The types of what every host has, and some lack in their declarations (`lib.dom`): ours hold there, too.

/** A `WebAssembly.Memory`. */
export type WasmMemory = typeof globalThis extends { WebAssembly: { Memory: { prototype: infer Memory } } }
  ? Memory
  : { readonly buffer: ArrayBuffer };

/** A `WebAssembly.Module`. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } }
  ? Module
  : object;

type Url = typeof globalThis extends { URL: { prototype: infer Address } } ? Address : { readonly href: string };

/** Where the binary comes from, when not from the package's own files. */
export type WasmSource = WasmModule | Bytes | Url;

type Bytes = Uint8Array<ArrayBuffer> | ArrayBuffer;

/** Address of the package's binary for a kind of memory. */
export function binaryUrl(variant: Variant, shared: boolean): Url {
  return new URL(`../build/${shared ? 'shared' : variant}.wasm`, import.meta.url);
}

/** Instantiates the core over `memory`. */
export async function loadCore(memory: WasmMemory, variant: Variant, source?: WasmSource): Promise<CoreExports> {
  const wanted = source ?? binaryUrl(variant, isShared(memory));
  const bytes = wanted instanceof URL ? await readUrl(wanted) : wanted;
  const module = isBytes(bytes) ? await WebAssembly.compile(bytes) : bytes;
  return check((await instantiate<CoreExports>(module, { env: { memory } })).exports, module);
}

/**
 * The same without waiting. Where files cannot be read so (browsers), `source` must be a module or bytes.
 *
 * @throws TypeError when it is a URL there.
 */
export function loadCoreSync(memory: WasmMemory, variant: Variant, source?: WasmSource): CoreExports {
  const wanted = source ?? binaryUrl(variant, isShared(memory));
  const bytes = wanted instanceof URL ? readUrlSync(wanted) : wanted;
  const module = isBytes(bytes) ? new WebAssembly.Module(bytes) : bytes;
  return check(instantiateSync<CoreExports>(module, { env: { memory } }).exports, module);
}

/** Whether a memory can be seen by several threads. */
export function isShared(memory: WasmMemory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
}

/** A test for the bytes: for a type checker, everything could be a module, which has no members. */
function isBytes(source: WasmModule | Bytes): source is Bytes {
  return source instanceof ArrayBuffer || ArrayBuffer.isView(source);
}

async function readUrl(source: URL): Promise<Bytes> {
  if (source.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return readFile(source);
  }
  const response = await fetch(source);
  if (!response.ok)
    throw new IpvsError('ABI_MISMATCH', `${source}: expected the core's binary, got HTTP ${response.status}`);
  return response.arrayBuffer();
}

function readUrlSync(url: URL): Bytes {
  if (typeof process === 'undefined' || url.protocol !== 'file:') {
    throw new TypeError(`expected a module or bytes where files cannot be read, got ${url}`);
  }
  // Not an import: bundlers for browsers would stumble over it.
  return process.getBuiltinModule('node:fs').readFileSync(url);
}

/** Modules that were looked at already. */
const known = new WeakSet<WasmModule>();

/** Refuses a binary that was built against another ABI. */
function check(exports: CoreExports, module: WasmModule): CoreExports {
  if (known.has(module)) return exports;
  const [section] = WebAssembly.Module.customSections(module, ABI_SECTION);
  const found = section === undefined ? 'none' : new TextDecoder().decode(section);
  const expected = abiHash();
  if (found !== expected) {
    throw new IpvsError('ABI_MISMATCH', `expected a binary with ABI ${expected}, got ${found}`);
  }
  known.add(module);
  return exports;
}
