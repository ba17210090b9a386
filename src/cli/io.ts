/**
 * What a command is given to talk through: data, messages, what kind of terminal there is, and the wish to stop.
 *
 * @module
 */
import { isatty } from 'node:tty';
import { writeAll } from '../capture/file-sink.js';
import { naming } from '../capture/source.js';

/** The streams of a command; tests give their own. */
export interface Io {
  /** Writes data: what the command was asked for. */
  out(text: string): void;
  /** Writes a message: errors, warnings, progress. */
  err(text: string): void;
  /** Whether data may carry colour. */
  readonly color: boolean;
  /** Whether messages go to a terminal, so that a progress line makes sense. */
  readonly interactive: boolean;
  /** Aborted when the user asked to stop (SIGINT): finish what is being written, then end. */
  readonly stop: AbortSignal;
}

/** An error that ends a command: its message for people, and the exit code. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong words on the command line: exit code 2. */
export function usageError(message: string): CliError {
  return new CliError(2, message);
}

/** Whether `error` is the system error `code`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/** The process's own streams. */
export function processIo(stop: AbortSignal, env: NodeJS.ProcessEnv = process.env): Io {
  return {
    out: (text) => naming('standard output', () => writeAll(1, Buffer.from(text))),
    err: (text) => writeAll(2, Buffer.from(text)),
    color: wantsColor(env, isatty(1)),
    interactive: isatty(2),
    stop,
  };
}

/** Colour on a terminal, unless NO_COLOR is set; FORCE_COLOR asks for it anywhere. */
export function wantsColor(env: NodeJS.ProcessEnv, terminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return terminal && env.TERM !== 'dumb';
}
