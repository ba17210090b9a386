/**
 * Where records and extensions lie: those of IPv4 in pairs, as far as there are both, so that what a packet by FullNAT needs is
 * on one page (src/region.ts has the same for the host).
 *
 * @module
 */
import { CONN_SIZE, CONN6_SIZE, EXTENSION_SIZE } from '../../src/abi/connections';
import { SB_CONNS, SB_CONNS6, SB_PAIRS } from '../../src/abi/superblock';
import { field } from '../superblock';

/** Address of record `number` of the family. */
export function recordAt(v6: bool, number: u32): usize {
  if (v6) return <usize>field(SB_CONNS6) + <usize>number * CONN6_SIZE;
  return <usize>field(SB_CONNS) + <usize>(number + min<u32>(number, field(SB_PAIRS))) * CONN_SIZE;
}

/** Address of extension `number`: behind the record of that number, or behind all pairs. */
export function extensionAt(number: u32): usize {
  const before = min<u32>(number, field(SB_PAIRS) - 1);
  return <usize>field(SB_CONNS) + CONN_SIZE + <usize>(number + before) * EXTENSION_SIZE;
}
