/**
 * What is wrong with a file, or only worth a word: all of it, in the order in which it was seen.
 *
 * @module
 */
import { RuleError, type RuleSource } from '../error.js';

/** One finding, and the line that it is about. */
export interface Problem {
  readonly at: RuleSource;
  readonly severity: 'error' | 'warning';
  readonly text: string;
}

/** Collects them, so that one mistake does not hide the next. */
export class Problems {
  readonly all: Problem[] = [];

  error(at: RuleSource, text: string): void {
    this.all.push({ at, severity: 'error', text });
  }

  warn(at: RuleSource, text: string): void {
    this.all.push({ at, severity: 'warning', text });
  }

  /** Runs `step`; what it {@link refuse}s is noted. */
  attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.error(error.at, error.message);
    }
  }
}

/** @throws RuleError for the first error among them */
export function throwFirst(problems: readonly Problem[]): void {
  const first = problems.find(({ severity }) => severity === 'error');
  if (first !== undefined) throw new RuleError(first.at.file, first.at.line, undefined, first.text);
}

class Refusal extends Error {
  constructor(
    readonly at: RuleSource,
    text: string,
  ) {
    super(text);
  }
}

/** Ends an {@link Problems.attempt}. */
export function refuse(at: RuleSource, text: string): never {
  throw new Refusal(at, text);
}
