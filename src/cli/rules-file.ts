/**
 * Files of rules: ipvsadm's, or keepalived's with what they include.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { naming } from '../capture/source.js';
import { type Dialect, type IncludedFile, parseKeepalived, parseRules, type RuleCommand } from '../rules/index.js';
import { usageError } from './io.js';
import type { OptionSpec } from './options.js';

/** Whose short options rules have. */
export const DIALECT_OPTION: OptionSpec = {
  name: 'dialect',
  value: 'NAME',
  help:
    "short options in rules: ipvsadm's (default), or dpvs, where -b is --fullnat; words alone: what DPVS does by itself " +
    'takes --profile dpvs and --toa',
};

/** Lines that ipvsadm has none of: a block that opens, a comment with `!`, a parameter, a condition, another file. */
const KEEPALIVED = /^[ \t]*(?:[!$@}]|include[rmwba]?[ \t]|[^-#\s].*\{[ \t]*(?:[#!].*)?\r?$)/m;

/** Whether a text is a keepalived.conf rather than rules of ipvsadm. */
export function isKeepalived(text: string): boolean {
  return KEEPALIVED.test(text);
}

/** The rules of a file of either kind. @throws RuleError */
export function readRules(file: string, dialect: Dialect): readonly RuleCommand[] {
  const text = readText(file);
  const name = nameOf(file);
  if (/^\s*\{/.test(text)) throw usageError(`${name}: this is JSON, and no rules; --network takes the network`);
  if (!isKeepalived(text)) return parseRules(text, name, dialect);
  return parseKeepalived(text, { file: name, include: includedFiles }).rules;
}

/** The value of `--dialect`. */
export function parseDialect(text: string): Dialect {
  if (text !== 'ipvsadm' && text !== 'dpvs') throw usageError(`--dialect takes ipvsadm or dpvs, not '${text}'`);
  return text;
}

/** Reads a file, `-` being standard input. @throws {CliError} for one that is no text */
export function readText(file: string): string {
  const text = naming(nameOf(file), () => readFileSync(file === '-' ? 0 : file, 'utf8'));
  if (text.includes('\0')) throw usageError(`${nameOf(file)}: this is no text file; captures are for -i`);
  return text;
}

/** What messages call a file. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** The files that `include` means: a name beside the file `from`, with `*` and `?` in its last part. */
export function includedFiles(pattern: string, from: string): IncludedFile[] {
  const path = isAbsolute(pattern) ? pattern : join(dirname(from), pattern);
  const read = (file: string): IncludedFile => ({ file, text: readText(file) });
  if (!/[*?]/.test(basename(path))) return isThere(path) ? [read(path)] : [];
  const expression = basename(path).replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const name = new RegExp(`^${expression.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  return entriesOf(dirname(path))
    .filter((entry) => name.test(entry) && !entry.startsWith('.'))
    .sort()
    .map((entry) => read(join(dirname(path), entry)));
}

function isThere(file: string): boolean {
  return entriesOf(dirname(file)).includes(basename(file));
}

/** The names of files in a folder; none when there is none. */
function entriesOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name);
}
