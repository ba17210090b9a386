/**
 * Options of pcapng blocks (draft-ietf-opsawg-pcapng §3.5): code, length, value padded to 32 bits.
 *
 * @module
 */

/** opt_endofopt */
export const OPT_END = 0;
/** opt_comment: UTF-8 text, in any block, any number of times. */
export const OPT_COMMENT = 1;
/** if_name */
export const IF_NAME = 2;
/** if_tsresol */
export const IF_TSRESOL = 9;
/** if_tsoffset */
export const IF_TSOFFSET = 14;
/** epb_flags (pack_flags in the obsolete packet block) */
export const EPB_FLAGS = 2;
/** epb_packetid */
export const EPB_PACKETID = 5;
/** epb_queue */
export const EPB_QUEUE = 6;

/** Direction bits of epb_flags. */
export const FLAG_DIRECTION_MASK = 3;
export const FLAG_INBOUND = 1;
export const FLAG_OUTBOUND = 2;

/** Where an option's value lies in the buffer. */
export interface Option {
  readonly code: number;
  readonly start: number;
  readonly length: number;
}

/**
 * The options between two indices, up to opt_endofopt.
 *
 * @returns the options, or undefined when one goes beyond `end`
 */
export function readOptions(view: DataView, start: number, end: number, littleEndian: boolean): Option[] | undefined {
  const options: Option[] = [];
  let at = start;
  while (at + 4 <= end) {
    const code = view.getUint16(at, littleEndian);
    if (code === OPT_END) break;
    const length = view.getUint16(at + 2, littleEndian);
    const valueStart = at + 4;
    if (valueStart + length > end) return undefined;
    options.push({ code, start: valueStart, length });
    at = valueStart + padded(length);
  }
  return options;
}

/** A length rounded up to 32 bits. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}
