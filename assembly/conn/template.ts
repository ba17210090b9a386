/**
 * Templates of persistent services: which dest a client's next connections go to. They lie in the table of connections,
 * with a key and a timer as these, and control the connections that they made: a template that is due lives on by a minute
 * at a time for as long as it has some.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/memory';
import { bindTemplate, Dest, unbindTemplate } from '../service/dest';
import { now32 } from '../superblock';
import { copyAddress6, sameAddress6 } from '../wire/ipv6';
import { forgetCallId, hashCallId, isCallId, keepCallId, lengthOf, textOf } from './call-id';
import { beginControl, outlives } from './control';
import { endDue } from './expiry';
import { hashAny } from './hash';
import { homeBucket, insertEntry, isOverrun, matchTags, nextBucket, refAt, removeEntry } from './index-table';
import { Conn } from './record';
import { connOf, isReply, takeRecord } from './table';
import { hang, remaining } from './wheel';

/** Beside the protocol in a hash: no connection has the same. */
const TEMPLATE: u32 = 0x100;
/** Port of a template that says nothing any more, in listings. */
const INVALID_PORT: u32 = 0xffff;

/** Hash of a template's key; addresses are where they are, `length` of no Call-ID is 0. */
export function templateHash(
  v6: bool,
  client: usize,
  virtual: usize,
  vportBE: u32,
  protocol: u32,
  callId: usize,
  length: u32,
): u64 {
  return hashAny(v6, client, virtual, vportBE << 16, protocol | TEMPLATE) ^ hashCallId(callId, length);
}

/** The template of this key, null when there is none. */
export function findTemplate(
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  vportBE: u32,
  protocol: u32,
  callId: usize,
  length: u32,
): Conn | null {
  const found = seekTemplate(hash, v6, client, virtual, vportBE, protocol, callId, length);
  if (found == null || remaining(found) != 0) return found;
  endDue();
  return outlives(found) ? found : null;
}

function seekTemplate(
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  vportBE: u32,
  protocol: u32,
  callId: usize,
  length: u32,
): Conn | null {
  const wanted: u32 = ConnFlag.Template | (v6 ? ConnFlag.V6 : 0);
  const home = homeBucket(hash);
  let bucket = home;
  do {
    for (let lanes = matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      const ref = refAt(bucket, ctz<u32>(lanes));
      if (ref == 0 || isReply(ref)) continue;
      const conn = connOf(ref);
      if ((conn.flags & (ConnFlag.Template | ConnFlag.V6)) != wanted) continue;
      if (conn.inPortsBE != vportBE << 16 || conn.protocol != protocol) continue;
      if (
        isAddress(v6, conn.caddr, client) &&
        isAddress(v6, conn.vaddr, virtual) &&
        isCallId(conn.callId, callId, length)
      )
        return conn;
    }
    if (!isOverrun(bucket)) return null;
    bucket = nextBucket(bucket);
  } while (bucket != home);
  return null;
}

function isAddress(v6: bool, a: usize, b: usize): bool {
  return v6 ? sameAddress6(a, b) : load<u32>(a) == load<u32>(b);
}

/** Makes a template; null when every record, or every cell for Call-IDs, is in use. */
export function makeTemplate(
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  vportBE: u32,
  protocol: u32,
  callId: usize,
  length: u32,
  dest: Dest,
  dportBE: u32,
  timeout: u32,
): Conn | null {
  const cell: usize = length == 0 ? 0 : keepCallId(callId, length);
  if (length != 0 && cell == 0) return null;
  const address = takeRecord(v6);
  if (address == 0) {
    if (cell != 0) forgetCallId(cell);
    return null;
  }
  const conn = changetype<Conn>(<usize>address);
  conn.flags = ConnFlag.Used | ConnFlag.Template | (v6 ? ConnFlag.V6 : 0);
  if (v6) {
    copyAddress6(conn.caddr6, client);
    copyAddress6(conn.vaddr6, virtual);
    if (dest.isV6) copyAddress6(conn.daddr6, dest.address);
  } else {
    conn.caddrBE = load<u32>(client);
    conn.vaddrBE = load<u32>(virtual);
    if (!dest.isV6) conn.daddrBE = dest.addressBE;
  }
  conn.inPortsBE = vportBE << 16;
  conn.dportBE = dportBE;
  conn.protocol = protocol;
  conn.method = dest.method;
  conn.dest = changetype<usize>(dest);
  conn.callId = cell;
  conn.touched = now32();
  beginControl(conn);
  conn.timeout = timeout;
  bindTemplate(dest);
  hang(conn);
  insertEntry(hash, address);
  return conn;
}

/** The template says nothing any more; it is left to its timer, and to its connections. */
export function invalidate(template: Conn): void {
  removeEntry(hashOfTemplate(template), <u32>changetype<usize>(template));
  template.flags = template.flags | ConnFlag.Hidden;
  template.inPortsBE = INVALID_PORT << 16;
  template.dportBE = INVALID_PORT;
}

/** Gives back what a template has that connections have not. */
export function endTemplate(template: Conn): void {
  if (template.callId != 0) forgetCallId(template.callId);
  unbindTemplate(changetype<Dest>(template.dest));
}

/** Hash under which a template is found. */
export function hashOfTemplate(template: Conn): u64 {
  const cell = template.callId;
  const length: u32 = cell == 0 ? 0 : lengthOf(cell);
  const ends = template.vportBE;
  return templateHash(template.isV6, template.caddr, template.vaddr, ends, template.protocol, textOf(cell), length);
}
