/**
 * Checks that imports follow the layers: `node scripts/layers.mjs` prints each import that does not, and exits with 1.
 *
 * A layer may import what its row names, and itself. Rows name only rows above them, so that layers cannot form a cycle.
 * Each file below assembly/, src/ and bench/ belongs to exactly one layer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What everything beside the core may know of it. */
const API = ['words', 'director', 'index', 'src/abi/verdict'];
const LOADER = '@assemblyscript/loader';

/**
 * Rows: name; files (without extension) and folders (with `/`) of the layer; layers, files or folders that it may import;
 * packages that it may import statically (`node:` stands for all of Node's own: without it, the layer runs in browsers).
 *
 * @type {[name: string, holds: string[], may: string[], packages: string[]][]}
 */
export const LAYERS = [
  ['abi', ['src/abi/', 'src/abi-hash'], [], []],

  ['superblock', ['assembly/superblock', 'assembly/block'], ['abi'], []],
  // Headers and checksums know numbers of protocols, but no table and no memory map.
  ['wire', ['assembly/wire/'], ['src/abi/protocol', 'src/abi/verdict'], []],
  ['net', ['assembly/net/'], ['abi', 'superblock', 'assembly/wire/mac', 'assembly/wire/ipv6'], []],
  // service, sched and conn never see a packet: neither its descriptor nor what works on it.
  ['service', ['assembly/service/'], ['abi', 'superblock', 'net', 'assembly/wire/ipv6'], []],
  ['sched', ['assembly/sched/'], ['abi', 'superblock', 'service', 'assembly/wire/ipv6'], []],
  // Of TCP and SCTP, conn knows the flag bits and chunks that its state machines are fed with, of the others who has ports.
  [
    'conn',
    ['assembly/conn/'],
    [
      'abi',
      'superblock',
      'service',
      'assembly/wire/tcp',
      'assembly/wire/sctp',
      'assembly/wire/ports',
      'assembly/wire/ipv6',
    ],
    [],
  ],
  [
    'control',
    ['assembly/control', 'assembly/local-list'],
    ['abi', 'superblock', 'service', 'sched', 'conn', 'assembly/wire/ipv6'],
    [],
  ],
  ['descriptor', ['assembly/descriptor'], ['abi', 'superblock', 'wire'], []],
  // What a packet is, and what it does to its connection.
  ['flow', ['assembly/flow/'], ['abi', 'superblock', 'wire', 'net', 'conn', 'descriptor'], []],
  // How a packet leaves. Which dest it goes to was chosen before.
  ['forward', ['assembly/forward/'], ['abi', 'superblock', 'wire', 'net', 'service', 'conn', 'descriptor', 'flow'], []],
  [
    'hook',
    ['assembly/hook/'],
    ['abi', 'superblock', 'wire', 'net', 'service', 'sched', 'conn', 'descriptor', 'flow', 'forward'],
    [],
  ],
  [
    'pipeline',
    ['assembly/pipeline'],
    ['abi', 'superblock', 'wire', 'service', 'conn', 'descriptor', 'flow', 'forward', 'hook'],
    [],
  ],
  ['exports', ['assembly/index'], ['abi', 'superblock', 'service', 'conn', 'flow', 'control', 'pipeline'], []],
  ['testing', ['assembly/testing', 'assembly/testing/'], ['abi', 'assembly/'], []],

  ['words', ['src/types', 'src/errors', 'src/reasons', 'src/address', 'src/schedulers'], ['src/abi/verdict'], []],
  [
    'core',
    [
      'src/shape',
      'src/net-shape',
      'src/region',
      'src/plan',
      'src/local-ports',
      'src/burst',
      'src/record-names',
      'src/records',
      'src/connections',
      'src/settings',
      'src/prefix-bits',
      'src/net-errors',
      'src/net-source',
      'src/net-routes',
      'src/net-tables',
      'src/wasm',
      'src/arguments',
      'src/combinations',
      'src/director-options',
      'src/snapshot/',
      'src/control',
      'src/replace',
      'src/beginning',
      'src/outcome',
    ],
    ['abi', 'words'],
    [LOADER],
  ],
  ['director', ['src/director'], ['abi', 'words', 'core'], []],
  ['index', ['src/index'], ['abi', 'words', 'core', 'director'], []],
  ['rules', ['src/rules/'], API, []],
  ['capture', ['src/capture/'], API, ['node:']],
  ['decode', ['src/decode', 'src/decode/'], ['src/capture/link-type'], []],
  ['toa', ['src/toa/'], ['src/address', 'src/capture/link-type', 'src/decode/headers'], []],
  ['explain', ['src/explain', 'src/explain/'], [...API, 'decode', 'toa'], []],
  ['scenario', ['src/scenario/'], [...API, 'rules', 'capture', 'decode'], ['node:']],
  ['cli', ['src/cli/'], [...API, 'rules', 'capture', 'decode', 'explain', 'scenario', 'src/prefix-bits'], ['node:']],
  ['reference', ['src/reference/'], [], []],
  // The built package, as its users have it.
  ['bench', ['bench/'], [], ['node:', 'benchmark', 'ipvs-wasm', 'ipvs-wasm/reference', 'ipvs-wasm/core.wasm']],
];

const covers = (pattern, file) => (pattern.endsWith('/') ? file.startsWith(pattern) : file === pattern);
const bare = (file) => file.replace(/\.[^./]+$/, '');
const ownerIndex = (file) => LAYERS.findIndex(([, holds]) => holds.some((pattern) => covers(pattern, bare(file))));

/** Faults of the table itself: a row that names one below it, or one that does not exist. */
export function checkTable(layers = LAYERS) {
  const faults = [];
  for (const [at, [name, , may]] of layers.entries()) {
    for (const word of may) {
      const found = layers.findIndex(([other, holds]) =>
        word.includes('/') ? holds.some((pattern) => covers(pattern, word) || covers(word, pattern)) : other === word,
      );
      if (found < 0 || found >= at) faults.push(`layer ${name} may import ${word}, which is no layer above it`);
    }
  }
  return faults;
}

/** Every module that a file names: `{ specifier, line, dynamic }`. */
function importsOf(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, dynamic) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ specifier: node.text, line, dynamic });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier, false);
    else if (ts.isImportTypeNode(node)) add(node.argument.literal, false);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Why one file breaks the layers: `file:line: why` for each import. `file` is relative to the root, with `/`. */
export function checkFile(file, text) {
  const layer = LAYERS[ownerIndex(file)];
  if (layer === undefined) return [`${file}:1: belongs to no layer (scripts/layers.mjs)`];
  const [name, , may, packages] = layer;
  const faults = [];
  for (const { specifier, line, dynamic } of importsOf(file, text)) {
    const where = `${file}:${line}: ${name}`;
    if (!specifier.startsWith('.')) {
      // What is imported dynamically loads only where it runs.
      const known = packages.some((word) => (word === 'node:' ? specifier.startsWith(word) : specifier === word));
      if (!known && !(dynamic && specifier.startsWith('node:'))) faults.push(`${where} may not import '${specifier}'`);
      continue;
    }
    const target = posix.join(posix.dirname(file), specifier);
    const targetBare = /\.[a-z]+$/.test(specifier) ? bare(target) : target;
    const owner = LAYERS[ownerIndex(`${targetBare}.ts`)];
    if (owner === layer) continue;
    const allowed = may.some((word) => (word.includes('/') ? covers(word, targetBare) : owner?.[0] === word));
    if (!allowed) faults.push(`${where} may not import ${targetBare}${owner ? ` (${owner[0]})` : ''}`);
  }
  return faults;
}

/** The faults of a whole tree. */
export function checkTree(root) {
  const faults = checkTable();
  for (const top of ['assembly', 'src', 'bench']) {
    for (const entry of readdirSync(`${root}/${top}`, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.m?[jt]s$/.test(entry.name)) continue;
      const path = `${entry.parentPath}/${entry.name}`;
      const file = relative(root, path).split(sep).join('/');
      if (!file.startsWith('bench/rivals/build/')) faults.push(...checkFile(file, readFileSync(path, 'utf8')));
    }
  }
  return faults;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = checkTree(fileURLToPath(new URL('..', import.meta.url)));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
