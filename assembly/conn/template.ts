/**
 * Templates of persistent services: which dest a client's next connections go to. They lie in the table of connections,
 * with a key and a timer as these, and control the connections that they made: a template that is due lives on by a minute
 * at a time for as long as it has some.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { bindTemplate, unbindTemplate } from '../service/bind';
import { Dest } from '../service/dest';
import { now32 } from '../superblock';
import { copyAddress6, sameAddress6 } from '../wire/ipv6';
import { forgetCallId, hashCallId, isCallId, keepCallId, lengthOf, textOf } from './call-id';
import { beginControl, outlives } from './control';
import { endDue } from './expiry';
import { hashAny } from './hash';
import { homeBucket, insertEntry, isOverrun, matchTags, nextBucket, refAt, removeEntry } from './index-table';
import { Conn } from './record';
import { connOf, endConnection, isReply, takeRecord } from './table';
import { TemplateKey } from './template-key';
import { hang, remaining } from './wheel';

/** Beside the protocol in a hash: no connection has the same. */
const TEMPLATE: u32 = 0x100;
/** Port of a template that says nothing any more, in listings. */
const INVALID_PORT: u32 = 0xffff;

/** The template of this key, null when there is none. */
export function findTemplate(key: TemplateKey): Conn | null {
  const found = seekTemplate(key);
  if (found == null || remaining(found) != 0) return found;
  endDue();
  if (outlives(found)) return found;
  endConnection(found);
  return null;
}

function seekTemplate(key: TemplateKey): Conn | null {
  const hash = hashOfKey(key);
  const v6 = key.isV6;
  const wanted: u32 = ConnFlag.Template | (v6 ? ConnFlag.V6 : 0);
  const home = homeBucket(hash);
  let bucket = home;
  do {
    for (let lanes = matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      const ref = refAt(bucket, ctz<u32>(lanes));
      if (ref == 0 || isReply(ref)) continue;
      const conn = connOf(ref);
      if ((conn.flags & (ConnFlag.Template | ConnFlag.V6)) != wanted) continue;
      if (conn.inPortsBE != key.vportBE << 16 || conn.protocol != key.protocol) continue;
      if (
        isAddress(v6, conn.caddr, key.client) &&
        isAddress(v6, conn.vaddr, key.virtual) &&
        isCallId(conn.callId, key.callId, key.length)
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
export function makeTemplate(key: TemplateKey, dest: Dest, dportBE: u32, timeout: u32): Conn | null {
  const v6 = key.isV6;
  const cell: usize = key.length == 0 ? 0 : keepCallId(key.callId, key.length);
  if (key.length != 0 && cell == 0) return null;
  const address = takeRecord(v6);
  if (address == 0) {
    if (cell != 0) forgetCallId(cell);
    return null;
  }
  const conn = changetype<Conn>(<usize>address);
  conn.flags = ConnFlag.Used | ConnFlag.Template | (v6 ? ConnFlag.V6 : 0);
  if (v6) {
    copyAddress6(conn.caddr6, key.client);
    copyAddress6(conn.vaddr6, key.virtual);
    if (dest.isV6) copyAddress6(conn.daddr6, dest.address);
  } else {
    conn.caddrBE = load<u32>(key.client);
    conn.vaddrBE = load<u32>(key.virtual);
    if (!dest.isV6) conn.daddrBE = dest.addressBE;
  }
  conn.inPortsBE = key.vportBE << 16;
  conn.dportBE = dportBE;
  conn.protocol = key.protocol;
  conn.method = dest.method;
  conn.dest = changetype<usize>(dest);
  conn.callId = cell;
  conn.touched = now32();
  beginControl(conn);
  conn.timeout = timeout;
  bindTemplate(dest);
  hang(conn);
  insertEntry(hashOfKey(key), address);
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

function hashOfKey(key: TemplateKey): u64 {
  const ports = key.vportBE << 16;
  return (
    hashAny(key.isV6, key.client, key.virtual, ports, key.protocol | TEMPLATE) ^ hashCallId(key.callId, key.length)
  );
}

/** Hash under which a template is found: that of its key. */
export function hashOfTemplate(template: Conn): u64 {
  const ports = template.vportBE << 16;
  const tuple = hashAny(template.isV6, template.caddr, template.vaddr, ports, template.protocol | TEMPLATE);
  const cell = template.callId;
  return cell == 0 ? tuple : tuple ^ hashCallId(textOf(cell), lengthOf(cell));
}
