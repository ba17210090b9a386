/**
 * Which fields of the superblock and of records hold addresses (u32, 0 for none). What is restored into a memory laid out
 * otherwise moves by these lists; a field that is not in them stays as it is.
 *
 * @module
 */
import * as abi from './memory.js';

export const SUPERBLOCK_POINTERS: readonly number[] = [
  abi.SB_SCHED_FREE,
  abi.SB_CONN_FREE,
  abi.SB_CONN6_FREE,
  abi.SB_SERVICE_FREE,
  abi.SB_DEST_FREE,
  abi.SB_DEST_TRASH,
  abi.SB_CALL_ID_FREE,
  abi.SB_EXTENSION_FREE,
  abi.SB_LOCAL_FREE,
];

/** SVC_NEXT matters of free records alone: lists by key are made anew. */
export const SERVICE_POINTERS: readonly number[] = [
  abi.SVC_NEXT,
  abi.SVC_DESTS,
  abi.SVC_CURSOR,
  abi.SVC_TABLE,
  abi.SVC_LOCALS,
];

export const DEST_POINTERS: readonly number[] = [abi.DEST_NEXT, abi.DEST_SERVICE, abi.DEST_LOCAL];

/** Of both families. CONN_CONTROL of a template is its CONN_CALL_ID. */
export const CONN_POINTERS: readonly number[] = [abi.CONN_DEST, abi.CONN_PREV, abi.CONN_NEXT, abi.CONN_CONTROL];

export const EXTENSION_POINTERS: readonly number[] = [abi.EXT_CONTROL, abi.EXT_LOCAL];

/** Of the head of an lblc or lblcr cache, beside its buckets. */
export const CACHE_POINTERS: readonly number[] = [abi.CACHE_FREE, abi.CACHE_PAGES];

/** Of an entry, a member or a free cell of one. */
export const CELL_POINTERS: readonly number[] = [abi.CELL_NEXT, abi.CELL_SET];
