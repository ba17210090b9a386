/**
 * What a connection's packets tell a server about its client.
 *
 * @module
 */
import { Carry, Profile } from '../../src/abi/protocol';
import { Conn } from '../conn/record';
import { TOA, TOA_ALIBABA6 } from '../wire/carried';
import { binarySize, textSize, writeBinary, writeText } from '../wire/proxy';

/** Bytes that stand in front of the data of a client's stream. */
export function prefixSize(conn: Conn): u32 {
  const v6 = conn.isV6;
  switch (conn.extension.carry) {
    case Carry.ProxyV1:
      return textSize(v6, conn.caddr, conn.vaddr, conn.inPortsBE);
    case Carry.ProxyV2:
      return binarySize(v6);
    default:
      return 0;
  }
}

/** Kind of TOA. */
export function toaKind(conn: Conn): u32 {
  return conn.isV6 && conn.extension.profile == Profile.Alibaba ? TOA_ALIBABA6 : TOA;
}

/** Writes what stands in front of the data. */
export function writePrefix(to: usize, conn: Conn): void {
  const v6 = conn.isV6;
  if (conn.extension.carry == Carry.ProxyV1) writeText(to, v6, conn.caddr, conn.vaddr, conn.inPortsBE);
  else writeBinary(to, v6, conn.protocol, conn.caddr, conn.vaddr, conn.inPortsBE);
}
