/**
 * What ipvsadm says about a command line that it does not take.
 *
 * @module
 */
import type { Word } from './option-reader.js';

/** A command line that is refused before anything is done. */
export class UsageError extends Error {
  /** 2, or 255 for what popt does not read. */
  readonly exitCode: number;
  /** The word it is about, when it is about one. */
  readonly word: Word | undefined;
  /** Whether `ipvsadm -R` ends with it; it goes on after what only popt refused. */
  readonly fatal: boolean;

  /** `text` is ipvsadm's own. */
  constructor(text: string, word?: Word, { exitCode = 2, fatal = true } = {}) {
    super(text);
    this.name = 'UsageError';
    this.word = word;
    this.exitCode = exitCode;
    this.fatal = fatal;
  }
}

/** A line without a command in front. The text is that of a program called `ipvsadm`: see {@link tryHelp}. */
export class NoCommandError extends UsageError {
  constructor(word: Word | undefined) {
    super(tryHelp('ipvsadm'), word, { exitCode: 255 });
  }
}

/** Where ipvsadm refers those to who gave it no command; `program` as it was called. */
export function tryHelp(program: string): string {
  return `Try \`${program} -h' or '${program} --help' for more information.`;
}
