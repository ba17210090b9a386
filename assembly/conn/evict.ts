/**
 * Ending connections before their time: to make room for new ones, and by drop_entry.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { SB_EVICT } from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { countReason, field } from '../superblock';
import { ASSURED, controlsAny } from './control';
import { Conn } from './record';
import { endConnection } from './table';
import { oldestOf, remaining, TOO_MANY } from './wheel';

/** Records of a kind that are looked at for one new connection, and not ended: packets have come since. */
const STEPS: u32 = 32;

/** Ends a record of the family, of the first kind that there is; false when none may go. */
export function makeRoom(v6: bool): bool {
  const kinds = field(SB_EVICT);
  for (let kind: u32 = 0; kind < kinds; kind++) {
    const found = oldestOf(kind, v6, STEPS);
    if (found == 0) continue;
    if (found == TOO_MANY) return false;
    const conn = changetype<Conn>(found);
    if (remaining(conn) == 0) endConnection(conn);
    else dropConnection(conn, Reason.EvictedHalfOpen + kind, true);
    return true;
  }
  return false;
}

/**
 * Ends a connection before its time, for a reason that counts it. What controls it goes with the last one, but a template of
 * which one was established, and FTP's control connection if that is to stay.
 */
export function dropConnection(conn: Conn, reason: u32, sparesFtp: bool): void {
  let last = conn;
  for (;;) {
    const control: usize = last.has(ConnFlag.Template) ? 0 : last.control;
    endConnection(last);
    countReason(reason);
    if (control == 0) return;
    last = changetype<Conn>(control);
    if (controlsAny(last) || (last.has(ConnFlag.Template) ? last.state == ASSURED : sparesFtp)) return;
  }
}
