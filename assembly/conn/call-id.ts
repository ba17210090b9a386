/**
 * Call-IDs by which templates of SIP are known: cells of one size (layout in src/abi/connections.ts).
 *
 * @module
 */
import { CALL_ID_LENGTH, CALL_ID_NEXT, CALL_ID_SIZE, CALL_ID_TEXT } from '../../src/abi/connections';
import { SB_CALL_ID_FREE, SB_CALL_ID_HIGH, SB_CALL_ID_MAX, SB_CALL_IDS } from '../../src/abi/superblock';
import { field, setField } from '../superblock';
import { hashTuple } from './hash';

/** A cell with a copy of the text, 0 when all are in use. */
export function keepCallId(text: usize, length: u32): usize {
  let cell = <usize>field(SB_CALL_ID_FREE);
  if (cell != 0) {
    setField(SB_CALL_ID_FREE, load<u32>(cell, CALL_ID_NEXT));
  } else {
    const high = field(SB_CALL_ID_HIGH);
    if (high == field(SB_CALL_ID_MAX)) return 0;
    setField(SB_CALL_ID_HIGH, high + 1);
    cell = <usize>field(SB_CALL_IDS) + <usize>high * CALL_ID_SIZE;
  }
  store<u8>(cell, length, CALL_ID_LENGTH);
  memory.copy(cell + CALL_ID_TEXT, text, length);
  return cell;
}

/** Gives a cell back. */
export function forgetCallId(cell: usize): void {
  store<u8>(cell, 0, CALL_ID_LENGTH);
  store<u32>(cell, field(SB_CALL_ID_FREE), CALL_ID_NEXT);
  setField(SB_CALL_ID_FREE, <u32>cell);
}

/** Address of a cell's text. */
export function textOf(cell: usize): usize {
  return cell + CALL_ID_TEXT;
}

/** Bytes of a cell's text. */
export function lengthOf(cell: usize): u32 {
  return load<u8>(cell, CALL_ID_LENGTH);
}

/** Whether a cell, 0 for none, has this text; no text has the length 0. */
export function isCallId(cell: usize, text: usize, length: u32): bool {
  if (cell == 0 || lengthOf(cell) != length) return cell == 0 && length == 0;
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(textOf(cell) + i) != load<u8>(text + i)) return false;
  }
  return true;
}

/** A keyed hash of a text: four bytes at a time, each step with the last one's outcome. 0 for no text. */
export function hashCallId(text: usize, length: u32): u64 {
  let hash: u64 = 0;
  for (let at: u32 = 0; at < length; at += 4) {
    let word: u32 = 0;
    for (let i: u32 = 0; i < min<u32>(4, length - at); i++) word |= (<u32>load<u8>(text + at + i)) << (i << 3);
    hash = hashTuple(<u32>hash, <u32>(hash >> 32), word, length);
  }
  return hash;
}
