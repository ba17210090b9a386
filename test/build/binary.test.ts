/** The binaries themselves: imports, exports, sections, size, and whom the loader refuses. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ABI_SECTION, abiHash } from '../../src/abi-hash.js';
import { Director } from '../../src/director.js';
import { layOut } from '../../src/plan.js';
import { addressOf, numberOf, type Region } from '../../src/region.js';
import { binaryUrl } from '../../src/wasm.js';
import { BINARIES, type Binary } from '../support/core.js';
import { CODE, DATA, leb128, START, sectionsOf } from './sections.js';

const fileOf = (name: Binary): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`${name}.wasm`, binaryUrl('release', false))));

/** Sorted; assembly/index.ts has nothing else, src/wasm.ts types them. */
const EXPORTS = [
  'addDest',
  'addService',
  'advance',
  'deleteConnection',
  'deleteDest',
  'deleteService',
  'editService',
  'endAbandoned',
  'findDest',
  'findService',
  'homeOf',
  'linkDest',
  'linkService',
  'memory',
  'process',
  'putEntries',
  'setDest',
  'unlinkDests',
  'updateDefence',
];

const PLAN = { connections: 16, arenaBytes: 65_536 };
const refused = expect.objectContaining({ code: 'ABI_MISMATCH' });

describe.each(BINARIES)('%s', (binary) => {
  const file = fileOf(binary);
  const module = new WebAssembly.Module(file);
  const sections = sectionsOf(file);

  it('exports what is listed', () => {
    expect(
      WebAssembly.Module.exports(module)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(EXPORTS);
  });

  it('has no start function: nothing runs before it is asked to', () => {
    expect(sections.filter(({ id }) => id === START)).toEqual([]);
  });

  it('carries the hash of the ABI', () => {
    const [section] = WebAssembly.Module.customSections(module, ABI_SECTION);
    expect(new TextDecoder().decode(section)).toBe(abiHash());
  });

  it('imports its memory, and only as large as it says', () => {
    const imports = WebAssembly.Module.imports(module).filter(({ kind }) => kind === 'memory');
    expect(imports).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });
});

describe.each(['release', 'shared'] as const)('%s, as shipped', (binary) => {
  const file = fileOf(binary);

  it('imports memory alone', () => {
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(file));
    expect(imports).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });

  it('has no data: it can be instantiated over a memory in use', () => {
    const count = sectionsOf(file)
      .filter(({ id }) => id === DATA)
      .reduce((sum, { content }) => sum + leb128(content, 0)[0], 0);
    expect(count).toBe(0);
  });

  it('has at most 112 KiB: persistence takes 5, the defence and making room 3, FTP 7, FullNAT 16, TOA on the fast way 3, the SYN proxy 9, NAT64 5, RSTs 1, SNAT 3', () => {
    expect(file.length).toBeLessThanOrEqual(112 * 1024);
  });

  it('is as large as README.md says, to a KiB', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [, said] = /one WebAssembly module of (\d+) KiB/.exec(readme) ?? [];
    expect(Math.abs(Number(said) - file.length / 1024)).toBeLessThanOrEqual(1);
  });

  it('has the way of nearly every packet in one function, and the names of none', () => {
    const sections = sectionsOf(file);
    const code = sections.find(({ id }) => id === CODE)?.content as Uint8Array;
    const sizes: number[] = [];
    let [, at] = leb128(code, 0);
    while (at < code.length) {
      const [size, start] = leb128(code, at);
      sizes.push(size);
      at = start + size;
    }
    // Half of what is inlined into it would be a function of its own.
    expect(Math.max(...sizes)).toBeGreaterThan(5 * 1024);
    expect(sections.filter(({ name }) => name === 'name')).toEqual([]);
  });
});

describe('the loader', () => {
  const file = fileOf('release');
  const section = sectionsOf(file).find(({ name }) => name === ABI_SECTION);

  it('refuses a binary with another hash', async () => {
    const changed = file.slice();
    const at = file.length - 1;
    changed[at] = (changed[at] as number) ^ 1;
    expect(() => Director.createSync({ wasm: changed, plan: PLAN })).toThrow(refused);
    await expect(Director.create({ wasm: changed, plan: PLAN })).rejects.toEqual(refused);
    await expect(Director.create({ wasm: new WebAssembly.Module(changed), plan: PLAN })).rejects.toEqual(refused);
  });

  it('refuses a binary without one', () => {
    const length = (section?.content.length as number) + 1 + 1;
    const bare = file.slice(0, file.length - length);
    expect(WebAssembly.validate(bare)).toBe(true);
    expect(() => Director.createSync({ wasm: bare, plan: PLAN })).toThrow(refused);
  });

  it('takes the binary itself', () => {
    expect(Director.createSync({ wasm: file, plan: PLAN }).connectionCount).toBe(0);
  });
});

describe('the plan', () => {
  it.each([
    ['connections', 96],
    ['connections6', 160],
  ])('has, of %s, at most %i bytes for each, index and all', (name, most) => {
    const bytes = (count: number): number => layOut({ [name]: count, extensions: 1 }).bytes;
    for (const count of [1000, 100_000, 1_000_000]) {
      expect((bytes(count) - bytes(2)) / (count - 2)).toBeLessThanOrEqual(most);
    }
  });

  it.each([
    [{}, 65_536],
    [{ connections: 100 }, 16_484],
    [{ connections: 65_535, connections6: 1 }, 65_536],
    [{ connections: 65_536, connections6: 1 }, 65_536],
    [{ connections: 64, connections6: 64, extensions: 1_000_000 }, 1_000_000],
  ])('of %j has %i extensions, as many as connections unless they are planned, or many', (given, expected) => {
    expect(layOut(given).options.extensions).toBe(expected);
    expect(layOut(given).extensions.count).toBe(expected);
  });

  it.each([
    [1, 1],
    [1, 5],
    [5, 1],
    [5, 4],
    [4, 5],
    [64, 64],
  ])('puts %i connections and %i extensions in pairs, on each line one of them', (connections, extensions) => {
    const plan = layOut({ ...PLAN, connections, extensions });
    const addresses = (region: Region): number[] =>
      Array.from({ length: region.count }, (_, number) => addressOf(region, 64, number));
    const [records, cells] = [addresses(plan.conns), addresses(plan.extensions)];
    const lines = Array.from({ length: connections + extensions }, (_, line) => plan.conns.base + line * 64);
    expect([...records, ...cells].sort((a, b) => a - b)).toEqual(lines);
    expect(lines.at(-1)! + 64).toBe(plan.conns6.base);
    for (const [number, at] of records.entries()) {
      expect(numberOf(plan.conns, 64, at)).toBe(number);
      if (number < extensions) expect(cells[number]).toBe(at + 64);
    }
    for (const [number, at] of cells.entries()) expect(numberOf(plan.extensions, 64, at)).toBe(number);
    const isNumber = (region: Region, at: number): boolean => {
      const number = numberOf(region, 64, at);
      return Number.isInteger(number) && number >= 0 && number < region.count;
    };
    expect(cells.some((at) => isNumber(plan.conns, at))).toBe(false);
    expect(records.some((at) => isNumber(plan.extensions, at))).toBe(false);
  });

  it('lays regions one behind the other, each on a cache line', () => {
    const { options: _, bytes, pages, ...regions } = layOut(PLAN);
    const bases = Object.values(regions).map(({ base }) => base);
    expect(bases).toEqual([...bases].sort((a, b) => a - b));
    expect(bases.every((base) => base % 64 === 0)).toBe(true);
    expect(pages * 65_536).toBeGreaterThanOrEqual(bytes);
    expect((pages - 1) * 65_536).toBeLessThan(bytes);
  });
});
