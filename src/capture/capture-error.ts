/**
 * The error of a damaged, cut off or unknown capture.
 *
 * @module
 */

import { IpvsError } from '../errors.js';

/** What {@link CaptureError} takes beside. */
export interface CaptureErrorOptions extends ErrorOptions {
  /** Whether `offset` counts what a gzip file unpacks to. */
  readonly unpacked?: boolean;
}

/**
 * A capture is damaged, cut off, or of a kind that is not read (`code` is `BAD_CAPTURE`). Every packet before the damage has
 * been delivered when this is thrown, and the first `offset` bytes of the file are a whole capture (unless it lies
 * in the file's header).
 * In a gzip file that is every packet which the packed bytes before the one at fault unpack to.
 */
export class CaptureError extends IpvsError {
  /** Byte offset of the record, block, file header or field of it at fault; in a gzip file, counted in what it unpacks to. */
  readonly offset: number;
  /** Number of the last good packet, counted from 1; 0 when there is none. */
  readonly packet: number;
  /** What was wrong, without the place. */
  readonly detail: string;
  /** Name of the file, where there is one. */
  readonly file: string | undefined;

  constructor(detail: string, offset: number, packet: number, file?: string, options: CaptureErrorOptions = {}) {
    const where = packet === 0 ? 'before the first packet' : `after packet ${packet}`;
    super(
      'BAD_CAPTURE',
      `${file ?? 'capture'}: at byte ${offset}${options.unpacked === true ? ' of what it unpacks to' : ''}, ${where}: ${detail}`,
      options,
    );
    this.detail = detail;
    this.offset = offset;
    this.packet = packet;
    this.file = file;
  }
}
