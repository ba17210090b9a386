/**
 * The layer check: it must catch what it is there for, and the tree must pass it.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkFile, checkTable, checkTree, LAYERS } from '../../scripts/layers.mjs';

describe('a forbidden import', () => {
  it.each([
    [
      'assembly/wire/udp.ts',
      "import { Conn } from '../conn/record';",
      'wire may not import assembly/conn/record (conn)',
    ],
    ['assembly/wire/udp.ts', "import { DEST_SIZE } from '../../src/abi/memory';", 'wire may not import src/abi/memory'],
    ['assembly/conn/table.ts', "import { Scratch } from '../descriptor';", 'conn may not import assembly/descriptor'],
    ['assembly/conn/table.ts', "import { Ipv4 } from '../wire/ipv4';", 'conn may not import assembly/wire/ipv4 (wire)'],
    [
      'assembly/service/dest.ts',
      "import { walk } from '../flow/options';",
      'service may not import assembly/flow/options',
    ],
    ['assembly/sched/rr.ts', "import { Ipv4 } from '../wire/ipv4';", 'sched may not import assembly/wire/ipv4 (wire)'],
    [
      'assembly/flow/parse.ts',
      "import { transmit } from '../forward/transmit';",
      'flow may not import assembly/forward/',
    ],
    ['src/plan.ts', "import { Director } from './director.js';", 'core may not import src/director (director)'],
    ['src/address.ts', "import { isIPv6 } from 'node:net';", "words may not import 'node:net'"],
    ['src/director.ts', "import { readFileSync } from 'node:fs';", "director may not import 'node:fs'"],
    ['src/cli/demo.ts', "import { layOut } from '../plan.js';", 'cli may not import src/plan (core)'],
    ['src/cli/demo.ts', "const x = await import('../wasm.js');", 'cli may not import src/wasm (core)'],
    ['src/rules/apply.ts', "type X = import('../records.js').Stats;", 'rules may not import src/records (core)'],
    ['src/rules/apply.ts', "export * from '../scenario/load.js';", 'rules may not import src/scenario/load (scenario)'],
    ['src/reference/index.ts', "export type * from '../types.js';", 'reference may not import src/types (words)'],
    [
      'src/reference/tunnels.ts',
      "import { Method } from '../abi/protocol.js';",
      'reference may not import src/abi/protocol',
    ],
    [
      'bench/suites/parse.ts',
      "import { Director } from '../../src/index.js';",
      'bench may not import src/index (index)',
    ],
    ['bench/suites/parse.ts', "import { run } from 'left-pad';", "bench may not import 'left-pad'"],
  ])('in %s: %s', (file, line, fault) => {
    expect(checkFile(file, line)).toEqual([expect.stringContaining(`${file}:1: ${fault}`)]);
  });

  it('is told with its own line, after imports over several lines', () => {
    const text = "import {\n  a,\n} from './mac';\n\n// import '../conn/table'\nexport { b } from '../conn/table';\n";
    expect(checkFile('assembly/wire/arp.ts', text)).toEqual([
      'assembly/wire/arp.ts:6: wire may not import assembly/conn/table (conn)',
    ]);
  });

  it('of a file that belongs nowhere', () => {
    expect(checkFile('src/stray/new.ts', '')).toEqual(['src/stray/new.ts:1: belongs to no layer (scripts/layers.mjs)']);
    expect(checkFile('src/plan.ts', "import './stray/new.js';")).toEqual([
      'src/plan.ts:1: core may not import src/stray/new',
    ]);
  });
});

describe('an allowed import', () => {
  it.each([
    ['assembly/conn/tcp-state.ts', "import { SYN } from '../wire/tcp';"],
    ['assembly/wire/udp.ts', "import { fold } from './checksum';"],
    ['src/wasm.ts', "const { readFile } = await import('node:fs/promises');"],
    ['src/cli/main.ts', "import { Director } from '../director.js';\nimport { readFileSync } from 'node:fs';"],
  ])('in %s: %s', (file, line) => {
    expect(checkFile(file, line)).toEqual([]);
  });
});

describe('the table', () => {
  it('names only layers above each row, so that there is no cycle', () => {
    expect(checkTable()).toEqual([]);
    expect(checkTable([...LAYERS].reverse()).length).toBeGreaterThan(LAYERS.length / 2);
    expect(checkTable([['a', ['src/a/'], ['missing'], []]])).toEqual([
      'layer a may import missing, which is no layer above it',
    ]);
  });

  it('keeps Node out of what browsers load', () => {
    const loaded = new Set<string>();
    const visit = (name: string): void => {
      const row = LAYERS.find(([layer]) => layer === name);
      if (row === undefined || loaded.has(name)) return;
      loaded.add(name);
      row[2].forEach(visit);
    };
    visit('index');
    expect([...loaded]).toEqual(expect.arrayContaining(['index', 'director', 'core', 'words', 'abi']));
    for (const [name, , , packages] of LAYERS) {
      if (loaded.has(name)) expect(packages, name).not.toContain('node:');
    }
  });
});

it('this tree follows its layers', () => {
  expect(checkTree(fileURLToPath(new URL('../..', import.meta.url)))).toEqual([]);
});
