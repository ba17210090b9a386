/**
 * Where things stand in a JSON text, so that errors can name a line. `JSON.parse` gives the value; this walk only
 * runs when something has to be reported, and accepts exactly what RFC 8259 calls JSON.
 *
 * @module
 */

/** What {@link locateJson} found. */
export interface JsonPositions {
  /** Offset of each value by its path: `` for the whole, `route[3].dst` within. */
  readonly at: ReadonlyMap<string, number>;
  /** Offset of the first thing that is not JSON; `undefined` when all is. */
  readonly error: number | undefined;
}

/** Line and column, both from 1, of an offset in characters. */
export function lineOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const newline = before.lastIndexOf('\n');
  return { line: before.split('\n').length, column: offset - newline };
}

/** Values nested deeper than this are refused: what walks them is recursive. Networks need fewer than 10. */
export const MAX_DEPTH = 1000;

/** Offset of the first bracket that is nested deeper than `MAX_DEPTH`; `undefined` when there is none. */
export function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === ']' || character === '}') depth--;
    else if ((character === '[' || character === '{') && ++depth > MAX_DEPTH) return i;
  }
  return undefined;
}

/** Walks a JSON text (its nesting within `MAX_DEPTH`). A name that stands twice in an object counts where it stands last, as for `JSON.parse`. */
export function locateJson(text: string): JsonPositions {
  const at = new Map<string, number>();
  const walk = new Walk(text, at);
  try {
    walk.value('');
    walk.blanks();
    if (walk.offset !== text.length) throw walk;
  } catch (thrown) {
    if (thrown !== walk) throw thrown;
    return { at, error: walk.offset };
  }
  return { at, error: undefined };
}

const BLANKS = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these unescaped.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** Throws itself at the first thing that is not JSON, with `offset` there. */
class Walk {
  offset = 0;

  constructor(
    private readonly text: string,
    private readonly at: Map<string, number>,
  ) {}

  value(path: string): void {
    this.blanks();
    this.at.set(path, this.offset);
    if (this.take('{')) this.object(path);
    else if (this.take('[')) this.array(path);
    else if (this.match(STRING) === undefined && this.match(SCALAR) === undefined) throw this;
  }

  blanks(): void {
    this.match(BLANKS);
  }

  private object(path: string): void {
    this.blanks();
    if (this.take('}')) return;
    do {
      this.blanks();
      const name = this.match(STRING);
      if (name === undefined) throw this;
      this.blanks();
      if (!this.take(':')) throw this;
      this.value(path === '' ? JSON.parse(name) : `${path}.${JSON.parse(name)}`);
      this.blanks();
    } while (this.take(','));
    if (!this.take('}')) throw this;
  }

  private array(path: string): void {
    this.blanks();
    if (this.take(']')) return;
    let index = 0;
    do {
      this.value(`${path}[${index++}]`);
      this.blanks();
    } while (this.take(','));
    if (!this.take(']')) throw this;
  }

  private take(character: string): boolean {
    if (this.text[this.offset] !== character) return false;
    this.offset++;
    return true;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.offset;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.offset += found.length;
    return found;
  }
}
