/**
 * Statements and blocks out of words and braces.
 *
 * @module
 */
import type { RuleSource } from '../error.js';
import type { Problems } from './problems.js';
import type { Piece } from './words.js';

/** A line of keepalived.conf, and the block that it opens. */
export interface KeepalivedStatement {
  readonly at: RuleSource;
  /** At least one; quotes and parameters are resolved. */
  readonly words: readonly string[];
  readonly block?: readonly KeepalivedStatement[];
}

interface OpenBlock {
  readonly at: RuleSource;
  readonly words: readonly string[];
  readonly block: KeepalivedStatement[];
}

/** Builds the tree; a brace that has no other half is a problem. */
export function buildTree(pieces: readonly Piece[], problems: Problems): KeepalivedStatement[] {
  const root: KeepalivedStatement[] = [];
  const open: OpenBlock[] = [];
  for (const piece of pieces) {
    const statements = open.at(-1)?.block ?? root;
    if (piece.kind === 'words') statements.push({ at: piece.at, words: piece.words });
    else if (piece.kind === 'open') {
      const last = statements.at(-1);
      const isNamed = last !== undefined && last.block === undefined;
      // What stands in a block without a name is nobody's.
      const opened = { ...(isNamed ? last : { at: piece.at, words: ['{'] }), block: [] };
      if (isNamed) statements.splice(-1, 1, opened);
      else problems.error(piece.at, '{ without a word before it');
      open.push(opened);
    } else if (open.pop() === undefined) problems.error(piece.at, '} without a { before it');
  }
  for (const { at, words } of open) problems.error(at, `${words.join(' ')}: the block has no }`);
  return root;
}
