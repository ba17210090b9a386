/**
 * What a connection has whose client answered a cookie (layout in src/abi/connections.ts): until its server has answered, too,
 * and afterwards.
 *
 * Its terms, 16 bits: bit 0 to 2 the client's segment size by its number, 3 to 6 the client's window scale, 7 SACK, 8
 * timestamps, as a cookie has them; 9 to 12 the window scale that the client was told; 13 to 15 how often the SYN is sent again
 * to a server that is silent.
 *
 * @module
 */
import {
  EXT_IN,
  EXT_PROXY_AHEAD,
  EXT_PROXY_COOKIE,
  EXT_PROXY_LAST,
  EXT_PROXY_REPEATED,
  EXT_PROXY_SCALE,
  EXT_PROXY_SHIFT,
  EXT_PROXY_STAMP,
  EXT_PROXY_TERMS,
  EXT_PROXY_WINDOW,
  ExtensionFlag,
  SEQ_POSITION,
} from '../../src/abi/connections';
import { ConnState } from '../../src/abi/protocol';
import { SB_SYNPROXY_RETRIES, SB_SYNPROXY_WSCALE } from '../../src/abi/superblock';
import { field } from '../superblock';
import { enterState, setTimeout } from './life';
import { Conn } from './record';

/** How long a server may be silent until the SYN is sent again, in milliseconds. */
const PATIENCE: u32 = 3000;
const SCALE_AT: u32 = 9;
const RETRIES_AT: u32 = 13;

/** View of the extension of such a connection. */
@unmanaged
@final
export class Proxied {
  /** The client's first number. */
  get number(): u32 {
    return load<u32>(changetype<usize>(this), EXT_IN + SEQ_POSITION);
  }
  get terms(): u32 {
    return load<u16>(changetype<usize>(this), EXT_PROXY_TERMS);
  }
  /** The window scale that the client was told, if it has one. */
  get ownScale(): u32 {
    return (this.terms >> SCALE_AT) & 15;
  }

  // Until the server has answered:
  /** How often the SYN may be sent again. */
  get retries(): u32 {
    return this.terms >> RETRIES_AT;
  }
  get cookie(): u32 {
    return load<u32>(changetype<usize>(this), EXT_PROXY_COOKIE);
  }
  get window(): u32 {
    return load<u16>(changetype<usize>(this), EXT_PROXY_WINDOW);
  }
  get stamp(): u32 {
    return load<u32>(changetype<usize>(this), EXT_PROXY_STAMP);
  }

  // Afterwards:
  get shift(): u32 {
    return load<u32>(changetype<usize>(this), EXT_PROXY_SHIFT);
  }
  get ahead(): u32 {
    return load<u32>(changetype<usize>(this), EXT_PROXY_AHEAD);
  }
  get serverScale(): u32 {
    return load<u8>(changetype<usize>(this), EXT_PROXY_SCALE);
  }
}

/** Extension of a connection whose client answered a cookie. */
export function proxiedOf(conn: Conn): Proxied {
  return changetype<Proxied>(changetype<usize>(conn.extension));
}

/** Whether the connection's server has not answered yet. */
export function isAwaiting(conn: Conn): bool {
  return conn.isExtended && (conn.extension.flags & ExtensionFlag.Awaiting) != 0;
}

/** The client of a new connection, which has an extension, has answered `cookie`, whose data are `data`. */
export function awaitServer(conn: Conn, number: u32, cookie: u32, data: u32, window: u32, stamp: u32): void {
  const own = conn.extension;
  const at = changetype<usize>(own);
  own.ftp = 0;
  own.flags = own.flags | ExtensionFlag.Proxied | ExtensionFlag.Awaiting;
  store<u32>(at, number, EXT_IN + SEQ_POSITION);
  store<u16>(at, window, EXT_PROXY_WINDOW);
  store<u16>(
    at,
    data | (field(SB_SYNPROXY_WSCALE) << SCALE_AT) | (field(SB_SYNPROXY_RETRIES) << RETRIES_AT),
    EXT_PROXY_TERMS,
  );
  store<u32>(at, cookie, EXT_PROXY_COOKIE);
  store<u32>(at, stamp, EXT_PROXY_STAMP);
  enterState(conn, ConnState.SynSent);
  setTimeout(conn, PATIENCE);
}

/** The SYN is sent once more, and the server has time again. */
export function countRetry(conn: Conn): void {
  const at = changetype<usize>(conn.extension);
  store<u16>(at, <u32>load<u16>(at, EXT_PROXY_TERMS) - (1 << RETRIES_AT), EXT_PROXY_TERMS);
  setTimeout(conn, PATIENCE);
}

/**
 * The server has answered, with its number, and scales its windows by `scale`, or by none: `shift` is added to its numbers,
 * `ahead` to its timestamps.
 */
export function establish(conn: Conn, shift: u32, ahead: u32, scale: u32): void {
  const own = conn.extension;
  const at = changetype<usize>(own);
  own.flags = own.flags & ~ExtensionFlag.Awaiting;
  store<u8>(at, 0, EXT_PROXY_REPEATED);
  store<u8>(at, scale, EXT_PROXY_SCALE);
  store<u32>(at, shift, EXT_PROXY_SHIFT);
  store<u32>(at, ahead, EXT_PROXY_AHEAD);
  store<u32>(at, 0, EXT_PROXY_LAST);
  enterState(conn, ConnState.Established);
  setTimeout(conn, conn.timeout);
}

/** How many acknowledgments like this one, of which `mark` is a hash, came in a row, this one included; up to 255. */
export function countRepeated(conn: Conn, mark: u32): u32 {
  const at = changetype<usize>(conn.extension);
  const isSame = load<u32>(at, EXT_PROXY_LAST) == mark;
  const count = isSame ? min<u32>(<u32>load<u8>(at, EXT_PROXY_REPEATED) + 1, 255) : 1;
  store<u32>(at, mark, EXT_PROXY_LAST);
  store<u8>(at, count, EXT_PROXY_REPEATED);
  return count;
}

/** Something else than a pure acknowledgment came. */
export function forgetRepeated(conn: Conn): void {
  store<u8>(changetype<usize>(conn.extension), 0, EXT_PROXY_REPEATED);
}
