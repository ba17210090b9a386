/**
 * A line of keepalived.conf as words and braces.
 *
 * @module
 */
import type { RuleSource } from '../error.js';
import { refuse } from './problems.js';

/** A brace, or the words of a line up to the next one. */
export type Piece = { readonly at: RuleSource } & (
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'open' | 'close' }
);

/** A quoted text with its quotes and escapes, as far as it goes. */
const QUOTED = /^(?:"(?:\\.|[^"\\])*"|'[^']*')/s;
/** The name of a parameter stands in braces that open no block. */
const PARAMETER = /^\$\{[^}]*\}/;
const BLANK = /^[ \t\r\f\v]+/;
/** Escapes of a quoted text: octal, hexadecimal, control, and one character. */
const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-f]{1,2})|c(.)|(.))/gis;
const CONTROLS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The line up to its comment, which `!` or `#` starts anywhere but in quotes. */
export function withoutComment(line: string): string {
  for (let rest = line; rest !== ''; ) {
    const [quoted] = QUOTED.exec(rest) ?? [];
    if (quoted === undefined && (rest[0] === '!' || rest[0] === '#')) return line.slice(0, -rest.length).trimEnd();
    rest = rest.slice(quoted?.length ?? 1);
  }
  return line.trimEnd();
}

/** Splits a line. Quotes may stand within a word, as in a shell. @throws what ends an attempt, for an open quote */
export function splitPieces(line: string, at: RuleSource): Piece[] {
  const pieces: Piece[] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endWords = (): void => {
    endWord();
    if (words.length > 0) pieces.push({ at, kind: 'words', words });
    words = [];
  };
  for (let rest = line; rest !== ''; ) {
    const [quoted] = QUOTED.exec(rest) ?? [];
    const [plain = rest[0]!] = BLANK.exec(rest) ?? PARAMETER.exec(rest) ?? [];
    rest = rest.slice((quoted ?? plain).length);
    if (quoted !== undefined) word = (word ?? '') + unquote(quoted);
    else if (plain === '"') refuse(at, 'the quote " is not closed');
    else if (BLANK.test(plain)) endWord();
    else if (plain === '{' || plain === '}') {
      endWords();
      pieces.push({ at, kind: plain === '{' ? 'open' : 'close' });
    } else word = (word ?? '') + plain;
  }
  endWords();
  return pieces;
}

function unquote(quoted: string): string {
  const text = quoted.slice(1, -1);
  if (quoted.startsWith("'")) return text;
  return text.replace(ESCAPE, (_, octal?: string, hex?: string, control?: string, one?: string) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) & 0x1f);
    return CONTROLS[one!] ?? one!;
  });
}
