/**
 * keepalived.conf line by line: included files, parameters, conditions, comments.
 *
 * @module
 */
import type { RuleSource } from '../error.js';
import { type Problems, refuse } from './problems.js';
import { type Piece, splitPieces, withoutComment } from './words.js';

/** A file that was included. */
export interface IncludedFile {
  readonly file: string;
  readonly text: string;
}

/** How a file is read. */
export interface KeepalivedOptions {
  /** Named in errors; `${_PWD}` is its folder. Default `keepalived.conf`. */
  readonly file?: string;
  /** keepalived's `--config-id`, which lines with `@id` ask for. Default: none, so that no `@id` is met and every `@^id` is. */
  readonly id?: string;
  /**
   * The files that `include PATTERN` in the file `from` means, in their order; none when there are none, which is a warning.
   * Default: `include` is an error.
   */
  readonly include?: (pattern: string, from: string) => Iterable<IncludedFile>;
}

/** Parameters within parameters. */
const DEPTH = 32;
const MOST_FILES = 1000;
/** What comes of all parameters. */
const MOST_LINES = 1_000_000;
const LONGEST = 1 << 16;

const INCLUDE = /^\s*include[rmwba]?\s+(.*)$/;
const DEFINITION = /^\s*\$([A-Za-z_]\w*)=(.*)$/s;
/** Its value is on the lines that follow, each but the last continued. */
const LONG_DEFINITION = /^\s*(@\S+\s+)?\$\w+=\s*\\$/;
const CONTINUED = /\s*\\$/;
const SUBSTITUTION = /\$(?:([A-Za-z_]\w*)(?=\s|$)|\{([A-Za-z_]\w*)(?: [^}]*)?\})/g;
const CONDITION = /^\s*@(\^?)(\S*)\s*(.*)$/s;

/** The words and braces of a file and all that it includes; what is wrong goes to `problems`. */
export function readLines(text: string, options: KeepalivedOptions, problems: Problems): Piece[] {
  const reader = new LineReader(options, problems);
  problems.attempt(() => reader.readFile({ file: options.file ?? 'keepalived.conf', text }));
  return reader.pieces;
}

class LineReader {
  readonly pieces: Piece[] = [];
  readonly #options: KeepalivedOptions;
  readonly #problems: Problems;
  readonly #parameters = new Map<string, string>();
  /** Files that are being read. */
  readonly #within = new Set<string>();
  #files = 0;
  #lines = 0;

  constructor(options: KeepalivedOptions, problems: Problems) {
    this.#options = options;
    this.#problems = problems;
  }

  readFile({ file, text }: IncludedFile): void {
    const lines = text.split('\n').map(withoutComment);
    this.#within.add(file);
    for (let i = 0; i < lines.length; i++) {
      const at = { file, line: i + 1 };
      let line = lines[i]!;
      const [, pattern] = INCLUDE.exec(line) ?? [];
      if (pattern !== undefined) {
        this.#problems.attempt(() => this.#include(pattern, at));
        continue;
      }
      if (LONG_DEFINITION.test(line)) {
        const value: string[] = [];
        do value.push((lines[++i] ?? '').replace(CONTINUED, ''));
        while (lines[i]?.endsWith('\\'));
        line = line.replace(CONTINUED, '') + value.join('\n');
      }
      this.#problems.attempt(() => this.#take(line, at, 0));
    }
    this.#within.delete(file);
  }

  #include(pattern: string, at: RuleSource): void {
    const { include } = this.#options;
    if (include === undefined) refuse(at, 'include: no other files can be read here');
    let isThere = false;
    for (const found of include(pattern.replace(/^"(.*)"$/, '$1'), at.file)) {
      isThere = true;
      this.#files += 1;
      if (this.#within.has(found.file)) refuse(at, `include: ${found.file} includes itself`);
      if (this.#files > MOST_FILES) refuse(at, `include: more than ${MOST_FILES} files`);
      this.readFile(found);
    }
    if (!isThere) this.#problems.warn(at, `include: there is no file ${pattern}`);
  }

  /** One line, or a definition with all of its lines. */
  #take(text: string, at: RuleSource, depth: number): void {
    if (depth > 0) this.#lines += 1;
    if (this.#lines > MOST_LINES || depth > DEPTH || text.length > LONGEST) {
      refuse(at, 'the parameters in it come to too much, or to themselves');
    }
    const [, not, id, conditional] = CONDITION.exec(text) ?? [];
    if (conditional !== undefined) {
      if ((id === this.#options.id) === (not === '')) this.#take(conditional, at, depth + 1);
      return;
    }
    const [, name, value] = DEFINITION.exec(text) ?? [];
    if (name !== undefined) {
      this.#parameters.set(name, value!);
      return;
    }
    if (/^\s*~(SEQx?|LST)\b/.test(text)) refuse(at, '~SEQ and ~LST are not handled by this version');
    const replaced = text.replace(
      SUBSTITUTION,
      (all, bare?: string, braced?: string) => this.#valueOf((bare ?? braced)!, at) ?? all,
    );
    if (replaced === text) this.pieces.push(...splitPieces(text, at));
    else for (const line of replaced.split('\n')) this.#take(line, at, depth + 1);
  }

  /** What is not defined stays as it is. */
  #valueOf(name: string, at: RuleSource): string | undefined {
    switch (name) {
      case '_PWD':
        return at.file.includes('/') ? at.file.slice(0, at.file.lastIndexOf('/')) : '.';
      case '_INSTANCE':
        return this.#options.id;
      case '_HASH':
        return '#';
      case '_BANG':
        return '!';
      case '_ENV':
      case '_RANDOM':
        return refuse(at, `\${${name}} is not handled by this version`);
      default:
        return this.#parameters.get(name);
    }
  }
}
