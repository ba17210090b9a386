/**
 * IPv6 header (RFC 8200 §3) and addresses (RFC 4291). An address is 16 bytes in memory, told by where it is.
 *
 * @module
 */

//   0               4               6       7       8        24            40
//   ├───┬───────┬───┼───────────────┼───────┼───────┼────────┼─────────────┤
//   │ver│ class │flow label│ length │ next  │ hops  │ source │ destination │
const FIRST_WORD: usize = 0;
const PAYLOAD_LENGTH: usize = 4;
export const NEXT_HEADER: usize = 6;
const HOP_LIMIT: usize = 7;
const SOURCE: usize = 8;
const DESTINATION: usize = 24;
/** Where the addresses are. */
export const IPV6_PAYLOAD_LENGTH: usize = PAYLOAD_LENGTH;
export const IPV6_SOURCE: usize = SOURCE;
export const IPV6_DESTINATION: usize = DESTINATION;
/** Bytes of the header, extension headers apart. */
export const IPV6_SIZE: u32 = 40;
/** Every way of IPv6 carries packets so long (RFC 8200 §5). */
export const IPV6_MTU_MIN: u32 = 1280;

/** View of an IPv6 header; valid where at least IPV6_SIZE bytes were seen. */
@unmanaged
@final
export class Ipv6 {
  get version(): u32 {
    return load<u8>(changetype<usize>(this), FIRST_WORD) >> 4;
  }

  /** Version 6, this traffic class, flow label 0. */
  setVersion(trafficClass: u32): void {
    store<u32>(changetype<usize>(this), bswap<u32>(0x60000000 | (trafficClass << 20)), FIRST_WORD);
  }

  /** Writes all but the addresses; flow label 0. */
  write(trafficClass: u32, payloadLength: u32, nextHeader: u32, hopLimit: u32): void {
    this.setVersion(trafficClass);
    this.payloadLength = payloadLength;
    this.nextHeader = nextHeader;
    this.hopLimit = hopLimit;
  }

  /** DSCP and, in the low two bits, ECN: what TOS is in IPv4. */
  get trafficClass(): u32 {
    return (bswap<u32>(load<u32>(changetype<usize>(this), FIRST_WORD)) >> 20) & 0xff;
  }

  set trafficClass(value: u32) {
    const rest = bswap<u32>(load<u32>(changetype<usize>(this), FIRST_WORD)) & 0xf00fffff;
    store<u32>(changetype<usize>(this), bswap<u32>(rest | (value << 20)), FIRST_WORD);
  }

  get flowLabel(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), FIRST_WORD)) & 0xfffff;
  }

  /** Bytes behind this header, extension headers included. */
  get payloadLength(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), PAYLOAD_LENGTH));
  }

  set payloadLength(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), PAYLOAD_LENGTH);
  }

  get nextHeader(): u32 {
    return load<u8>(changetype<usize>(this), NEXT_HEADER);
  }

  set nextHeader(value: u32) {
    store<u8>(changetype<usize>(this), value, NEXT_HEADER);
  }

  get hopLimit(): u32 {
    return load<u8>(changetype<usize>(this), HOP_LIMIT);
  }

  set hopLimit(value: u32) {
    store<u8>(changetype<usize>(this), value, HOP_LIMIT);
  }

  /** Where the source address is. */
  get source(): usize {
    return changetype<usize>(this) + SOURCE;
  }

  /** Where the destination address is. */
  get destination(): usize {
    return changetype<usize>(this) + DESTINATION;
  }
}

/** Whether the addresses at `a` and `b` are the same. */
export function sameAddress6(a: usize, b: usize): bool {
  return !v128.any_true(v128.xor(v128.load(a), v128.load(b)));
}

/** Copies an address. */
export function copyAddress6(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
}

/** The four words of an address xor-ed, in host order: what the kernel's hashes take an address of 16 bytes for. */
export function foldAddress6(address: usize): u32 {
  const half = load<u64>(address) ^ load<u64>(address, 8);
  return bswap<u32>(<u32>half ^ <u32>(half >> 32));
}

/** ff00::/8. */
export function isMulticast6(address: usize): bool {
  return load<u8>(address) == 0xff;
}

/** The scope of a multicast address (RFC 4291 §2.7): 1 is the interface itself, 2 the link. */
export function multicastScope6(address: usize): u32 {
  return load<u8>(address, 1) & 15;
}

/** ::. */
export function isUnspecified6(address: usize): bool {
  return !v128.any_true(v128.load(address));
}

/** ::1. */
export function isLoopback6(address: usize): bool {
  return load<u64>(address) == 0 && load<u64>(address, 8) == 0x0100000000000000;
}

/** fe80::/10. */
export function isLinkLocal6(address: usize): bool {
  return (load<u16>(address) & 0xc0ff) == 0x80fe;
}

/** ::ffff:0:0/96, which means an IPv4 address. */
export function isV4Mapped6(address: usize): bool {
  return load<u64>(address) == 0 && load<u32>(address, 8) == 0xffff0000;
}

/** How many bits the addresses have in common from the first on. */
export function commonBits6(a: usize, b: usize): u32 {
  const high = bswap<u64>(load<u64>(a) ^ load<u64>(b));
  return <u32>(high != 0 ? clz(high) : 64 + clz(bswap<u64>(load<u64>(a, 8) ^ load<u64>(b, 8))));
}

/** Whether the first `bits` bits (0…128) of the addresses are the same. */
export function matchesPrefix6(address: usize, prefix: usize, bits: u32): bool {
  const high = bswap<u64>(load<u64>(address) ^ load<u64>(prefix));
  if (bits < 64) return bits == 0 || high >> (64 - bits) == 0;
  if (high != 0) return false;
  const low = bswap<u64>(load<u64>(address, 8) ^ load<u64>(prefix, 8));
  return bits == 64 || low >> (128 - bits) == 0;
}
