/**
 * Which service a packet is for, and the connection that it opens.
 *
 * @module
 */
import { Family, SB_ARG_ADDRESS, SUPERBLOCK } from '../../src/abi/memory';
import { Conn } from '../conn/record';
import { makeConnection } from '../conn/table';
import { Descriptor } from '../descriptor';
import { Dest } from '../service/dest';
import { findService } from '../service/service';
import { countConnection } from '../service/stats';

/** FTP's data port: connections from it belong to a control connection. */
export const FTP_DATA_BE: u32 = 20 << 8;

/**
 * The service of packets to the address at `virtual`: that of the frame's firewall mark, else the one of address and
 * port; 0 for none.
 */
export function serviceOf(frame: Descriptor, v6: bool, virtual: usize, protocol: u32, portBE: u32): usize {
  const family: u32 = v6 ? Family.V6 : Family.V4;
  const mark = frame.mark;
  if (mark != 0) {
    const marked = markedService(v6, mark);
    if (marked != 0) return marked;
  }
  // One store: memory.fill and memory.copy are calls, and loads would wait for two.
  const key = <usize>SUPERBLOCK + SB_ARG_ADDRESS;
  v128.store(key, v6 ? v128.load(virtual) : v128.load32_zero(virtual));
  return findService(family, key, protocol, portBE, 0);
}

/** Whether the frame has the firewall mark of a service: then it is taken in, wherever it was addressed. */
export function isMarked(frame: Descriptor, v6: bool): bool {
  const mark = frame.mark;
  return mark != 0 && markedService(v6, mark) != 0;
}

function markedService(v6: bool, mark: u32): usize {
  const key = <usize>SUPERBLOCK + SB_ARG_ADDRESS;
  v128.store(key, i64x2.splat(0));
  return findService(v6 ? Family.V6 : Family.V4, key, 0, 0, mark);
}

/** Makes the connection of a client's tuple and counts it; null when the table is full. No dest: it bypasses all. */
export function connect(
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  portsBE: u32,
  protocol: u32,
  dest: Dest | null,
): Conn | null {
  const conn = makeConnection(hash, v6, client, virtual, portsBE, protocol, dest);
  if (conn != null && dest != null) countConnection(dest);
  return conn;
}
