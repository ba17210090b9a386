/**
 * An address and a port in an option: kind, length, port, address. TOA of TCP and UOA of IPv4 are written alike.
 *
 * @module
 */
import { copyAddress6 } from './ipv6';
import { MSS_DEFAULT, MSS_DEFAULT6 } from './tcp';

/** Bytes of such an option. */
export const CARRIED4_SIZE: u32 = 8;
export const CARRIED6_SIZE: u32 = 20;
/** Kinds of TOA: alibaba/LVS has one of its own for IPv6. */
export const TOA: u32 = 254;
export const TOA_ALIBABA6: u32 = 253;
/** Kind of UOA. */
export const UOA: u32 = 31;
/** Protocol number of the header that holds UOA in front of UDP (DPVS: "opp"), and its bytes without the option. */
export const OPP: u32 = 248;
export const OPP_SIZE: u32 = 4;
/** Its first byte: the family in the high half. */
export const OPP_VERSION4: u32 = 0x10;
export const OPP_VERSION6: u32 = 0x20;

/** Bytes of the option for an address of that family. */
export function carriedSize(v6: bool): u32 {
  return v6 ? CARRIED6_SIZE : CARRIED4_SIZE;
}

/** An MSS less what it takes of a client of that family: not less than that leaves of what every host takes, if it was not. */
export function mssBeside(mss: u32, v6: bool): u32 {
  const size = carriedSize(v6);
  const least = min<u32>(mss, (v6 ? MSS_DEFAULT6 : MSS_DEFAULT) - size);
  return <u32>max<i32>(<i32>least, <i32>mss - <i32>size);
}

/** Writes it; `address` is where the address is. */
export function writeCarried(at: usize, kind: u32, v6: bool, portBE: u32, address: usize): void {
  store<u8>(at, kind);
  store<u8>(at, carriedSize(v6), 1);
  store<u16>(at, portBE, 2);
  if (v6) copyAddress6(at + 4, address);
  else store<u32>(at, load<u32>(address), 4);
}

/** Whether an option of that kind and length is a TOA. */
export function isToa(kind: u32, length: u32): bool {
  return (kind == TOA || kind == TOA_ALIBABA6) && (length == CARRIED4_SIZE || length == CARRIED6_SIZE);
}
