/**
 * Extensions: what a connection with a helper, or by FullNAT, has beside its record, in cells of one size (layout in src/abi/connections.ts).
 *
 * @module
 */
import {
  EXT_CARRY,
  EXT_CONTROL,
  EXT_CONTROLS,
  EXT_FIRST_DATA,
  EXT_FLAGS,
  EXT_FTP,
  EXT_IN,
  EXT_LADDR,
  EXT_LAST_SYN,
  EXT_LOCAL,
  EXT_LPORT_BE,
  EXT_NEXT,
  EXT_OUT,
  EXT_PROFILE,
  EXT_PROXY_STORED,
  EXT_SYN_SEEN,
  EXT_TRIES,
  EXT_USED,
  EXTENSION_SIZE,
  ExtensionFlag,
} from '../../src/abi/connections';
import { SB_EXTENSION_FREE, SB_EXTENSION_HIGH, SB_EXTENSION_MAX } from '../../src/abi/superblock';
import { field, setField } from '../superblock';
import { extensionAt } from './place';
import { freeStored } from './stored';
import { Direction } from './tcp-state';

/** View of an extension. */
@unmanaged
@final
export class Extension {
  /** The record that controls its connection, 0: none. */
  get control(): usize {
    return load<u32>(changetype<usize>(this), EXT_CONTROL);
  }
  set control(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, EXT_CONTROL);
  }
  /** FtpMode. */
  get ftp(): u32 {
    return load<u8>(changetype<usize>(this), EXT_FTP);
  }
  set ftp(value: u32) {
    store<u8>(changetype<usize>(this), value, EXT_FTP);
  }
  /** Where it is noted what its connection controls. */
  get controlling(): usize {
    return changetype<usize>(this) + EXT_CONTROLS;
  }

  // Of FullNAT:
  /** The record of its local address. */
  get local(): usize {
    return load<u32>(changetype<usize>(this), EXT_LOCAL);
  }
  set local(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, EXT_LOCAL);
  }
  get lportBE(): u32 {
    return load<u16>(changetype<usize>(this), EXT_LPORT_BE);
  }
  set lportBE(value: u32) {
    store<u16>(changetype<usize>(this), value, EXT_LPORT_BE);
  }
  /** Where the local address is. */
  get laddr(): usize {
    return changetype<usize>(this) + EXT_LADDR;
  }
  get laddrBE(): u32 {
    return load<u32>(changetype<usize>(this), EXT_LADDR);
  }
  /** Profile. */
  get profile(): u32 {
    return load<u8>(changetype<usize>(this), EXT_PROFILE);
  }
  set profile(value: u32) {
    store<u8>(changetype<usize>(this), value, EXT_PROFILE);
  }
  /** Carry. */
  get carry(): u32 {
    return load<u8>(changetype<usize>(this), EXT_CARRY);
  }
  set carry(value: u32) {
    store<u8>(changetype<usize>(this), value, EXT_CARRY);
  }
  /** Datagrams that have named the client. */
  get tries(): u32 {
    return load<u8>(changetype<usize>(this), EXT_TRIES);
  }
  set tries(value: u32) {
    store<u8>(changetype<usize>(this), value, EXT_TRIES);
  }
  /** The client has sent a SYN of that number: whether the one before had another, or there was none. */
  hearSyn(number: u32): bool {
    const at = changetype<usize>(this);
    if (load<u8>(at, EXT_SYN_SEEN) != 0 && load<u32>(at, EXT_LAST_SYN) == number) return false;
    store<u8>(at, 1, EXT_SYN_SEEN);
    store<u32>(at, number, EXT_LAST_SYN);
    return true;
  }
  /** The number of the server's first byte of data. */
  get firstData(): u32 {
    return load<u32>(changetype<usize>(this), EXT_FIRST_DATA);
  }
  set firstData(value: u32) {
    store<u32>(changetype<usize>(this), value, EXT_FIRST_DATA);
  }
  /** The server has sent a SYN-ACK with that number. */
  noteAnswer(number: u32): void {
    this.firstData = number + 1;
    this.flags = this.flags | ExtensionFlag.Answered;
  }
  has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }
  /** ExtensionFlag bits. */
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), EXT_FLAGS);
  }
  set flags(value: u32) {
    store<u8>(changetype<usize>(this), value, EXT_FLAGS);
  }
  /** Whether its client answered a cookie: see conn/proxied. */
  get isProxied(): bool {
    return (this.flags & ExtensionFlag.Proxied) != 0;
  }

  /** How the numbers of segments of that direction are adjusted: see conn/sequence. */
  sequence(direction: Direction): usize {
    return changetype<usize>(this) + (direction == Direction.Out ? EXT_OUT : EXT_IN);
  }
}

/** Whether there is a free one. */
export function hasExtension(): bool {
  return field(SB_EXTENSION_FREE) != 0 || field(SB_EXTENSION_HIGH) != field(SB_EXTENSION_MAX);
}

/** A free one, all 0; 0 when all are in use. */
export function takeExtension(): usize {
  let at = <usize>field(SB_EXTENSION_FREE);
  if (at != 0) {
    setField(SB_EXTENSION_FREE, load<u32>(at, EXT_NEXT));
  } else {
    const high = field(SB_EXTENSION_HIGH);
    if (high == field(SB_EXTENSION_MAX)) return 0;
    setField(SB_EXTENSION_HIGH, high + 1);
    at = extensionAt(high);
  }
  memory.fill(at, 0, EXTENSION_SIZE);
  store<u8>(at, 1, EXT_USED);
  return at;
}

/** Gives one back. */
export function freeExtension(extension: usize): void {
  if (changetype<Extension>(extension).has(ExtensionFlag.Awaiting)) freeStored(load<u32>(extension, EXT_PROXY_STORED));
  store<u8>(extension, 0, EXT_USED);
  store<u32>(extension, field(SB_EXTENSION_FREE), EXT_NEXT);
  setField(SB_EXTENSION_FREE, <u32>extension);
}
