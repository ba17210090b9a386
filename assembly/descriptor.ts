/**
 * A frame's descriptor, and its scratch record (layouts in src/abi/frames.ts).
 *
 * @module
 */
import {
  CAUSE_NONE,
  DESC_ADDRESS,
  DESC_CAUSE,
  DESC_CONN,
  DESC_FLAGS,
  DESC_HEADROOM,
  DESC_IN,
  DESC_LENGTH,
  DESC_MARK,
  DESC_OUT,
  DESC_REASON,
  DESC_VERDICT,
  DESCRIPTOR_SIZE,
  DescriptorFlag,
  SCR_BUCKET,
  SCR_FLAGS,
  SCR_HASH,
  SCR_IN,
  SCR_IP,
  SCR_L4,
  SCR_L4_LENGTH,
  SCR_PROTOCOL,
  SCR_REF,
  SCRATCH_SIZE,
  ScratchFlag,
} from '../src/abi/frames';
import { SB_DESCRIPTORS, SB_SCRATCH } from '../src/abi/superblock';
import { Reason, Verdict } from '../src/abi/verdict';
import { countReason, field } from './superblock';
import { IPV4_DESTINATION, IPV4_MIN, IPV4_SOURCE, Ipv4 } from './wire/ipv4';
import { IPV6_SIZE, Ipv6 } from './wire/ipv6';

/** View of a descriptor. */
@unmanaged
@final
export class Descriptor {
  static at(index: u32): Descriptor {
    return changetype<Descriptor>(<usize>field(SB_DESCRIPTORS) + <usize>index * DESCRIPTOR_SIZE);
  }

  get address(): usize {
    return load<u32>(changetype<usize>(this), DESC_ADDRESS);
  }
  set address(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DESC_ADDRESS);
  }
  get length(): u32 {
    return load<u32>(changetype<usize>(this), DESC_LENGTH);
  }
  set length(value: u32) {
    store<u32>(changetype<usize>(this), value, DESC_LENGTH);
  }
  get inInterface(): u32 {
    return load<u16>(changetype<usize>(this), DESC_IN);
  }
  set inInterface(value: u32) {
    store<u16>(changetype<usize>(this), value, DESC_IN);
  }
  get outInterface(): u32 {
    return load<u16>(changetype<usize>(this), DESC_OUT);
  }
  set outInterface(value: u32) {
    store<u16>(changetype<usize>(this), value, DESC_OUT);
  }
  get conn(): u32 {
    return load<u32>(changetype<usize>(this), DESC_CONN);
  }
  set conn(value: u32) {
    store<u32>(changetype<usize>(this), value, DESC_CONN);
  }
  /** Bytes in front of the frame that may be written. */
  get headroom(): u32 {
    return load<u16>(changetype<usize>(this), DESC_HEADROOM);
  }
  set headroom(value: u32) {
    store<u16>(changetype<usize>(this), value, DESC_HEADROOM);
  }
  get flags(): u32 {
    return load<u16>(changetype<usize>(this), DESC_FLAGS);
  }
  set flags(value: u32) {
    store<u16>(changetype<usize>(this), value, DESC_FLAGS);
  }
  set cause(value: u32) {
    store<u16>(changetype<usize>(this), value, DESC_CAUSE);
  }
  /** Firewall mark that the host gave. */
  get mark(): u32 {
    return load<u32>(changetype<usize>(this), DESC_MARK);
  }
  set mark(value: u32) {
    store<u32>(changetype<usize>(this), value, DESC_MARK);
  }
  /** Whether the transport checksum holds the pseudo-header sum alone. */
  get isPartial(): bool {
    return (this.flags & DescriptorFlag.PartialChecksum) != 0;
  }

  /** First byte that may be written. */
  get floor(): usize {
    return this.address - this.headroom;
  }

  /** Verdict, once it is judged. */
  get verdict(): u32 {
    return load<u8>(changetype<usize>(this), DESC_VERDICT);
  }

  /** Why it was judged as it was. */
  get reason(): u32 {
    return load<u8>(changetype<usize>(this), DESC_REASON);
  }

  /** Passes judgement, and counts it. */
  judge(verdict: Verdict, reason: Reason): void {
    store<u16>(changetype<usize>(this), verdict | (reason << 8), DESC_VERDICT);
    countReason(reason);
  }

  /** What the core writes of a descriptor, as it is before judgement. */
  clear(): void {
    // Verdict, reason and cause in one store.
    store<u32>(changetype<usize>(this), CAUSE_NONE << 16, DESC_VERDICT);
    store<u32>(changetype<usize>(this), 0, DESC_CONN);
    this.flags = this.flags & DescriptorFlag.PartialChecksum;
  }
}

/** View of the scratch record of a frame that was given: what parsing found out. */
@unmanaged
@final
export class Scratch {
  static at(index: u32): Scratch {
    return changetype<Scratch>(<usize>field(SB_SCRATCH) + <usize>index * SCRATCH_SIZE);
  }

  get hash(): u64 {
    return load<u64>(changetype<usize>(this), SCR_HASH);
  }
  set hash(value: u64) {
    store<u64>(changetype<usize>(this), value, SCR_HASH);
  }
  /** Address of the IP header; 0 when the frame is judged already. */
  get ip(): usize {
    return load<u32>(changetype<usize>(this), SCR_IP);
  }
  set ip(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SCR_IP);
  }
  get header(): Ipv4 {
    return changetype<Ipv4>(this.ip);
  }
  get header6(): Ipv6 {
    return changetype<Ipv6>(this.ip);
  }
  /** Address of the transport header. */
  get l4(): usize {
    return load<u32>(changetype<usize>(this), SCR_L4);
  }
  set l4(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SCR_L4);
  }
  /** Bytes from the transport header to the end of the IP packet. */
  get l4Length(): u32 {
    return load<u32>(changetype<usize>(this), SCR_L4_LENGTH);
  }
  set l4Length(value: u32) {
    store<u32>(changetype<usize>(this), value, SCR_L4_LENGTH);
  }
  /** Entry of the connection index, 0 for none. */
  get ref(): u32 {
    return load<u32>(changetype<usize>(this), SCR_REF);
  }
  set ref(value: u32) {
    store<u32>(changetype<usize>(this), value, SCR_REF);
  }
  /** Home bucket of the hash; 0 when the packet has no tuple to look up. */
  get bucket(): usize {
    return load<u32>(changetype<usize>(this), SCR_BUCKET);
  }
  set bucket(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SCR_BUCKET);
  }
  /** Interface that the packet counts as received on: a VLAN's, a tunnel's. */
  get receivedOn(): u32 {
    return load<u16>(changetype<usize>(this), SCR_IN);
  }
  set receivedOn(value: u32) {
    store<u16>(changetype<usize>(this), value, SCR_IN);
  }
  /** Transport protocol, behind all extension headers. */
  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), SCR_PROTOCOL);
  }
  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, SCR_PROTOCOL);
  }
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), SCR_FLAGS);
  }
  set flags(value: u32) {
    store<u8>(changetype<usize>(this), value, SCR_FLAGS);
  }
  get isV6(): bool {
    return (this.flags & ScratchFlag.V6) != 0;
  }
  get isFragment(): bool {
    return (this.flags & ScratchFlag.Fragment) != 0;
  }
  get hasRemoteChecksum(): bool {
    return (this.flags & ScratchFlag.RemoteChecksum) != 0;
  }
  get isReassembled(): bool {
    return (this.flags & ScratchFlag.Reassembled) != 0;
  }

  /** Address of the source address. */
  get source(): usize {
    return this.isV6 ? this.header6.source : this.ip + IPV4_SOURCE;
  }
  /** Address of the destination address. */
  get destination(): usize {
    return this.isV6 ? this.header6.destination : this.ip + IPV4_DESTINATION;
  }
  /** Bytes of the IP packet. */
  get totalLength(): u32 {
    return <u32>(this.l4 - this.ip) + this.l4Length;
  }
  /** TTL or hop limit. */
  get ttl(): u32 {
    return this.isV6 ? this.header6.hopLimit : this.header.ttl;
  }
  /** Bytes of the IP header that any packet of the family has. */
  get headerMin(): u32 {
    return this.isV6 ? IPV6_SIZE : IPV4_MIN;
  }
  /** IPv4 with options: they are looked at on the way. */
  get hasOptions(): bool {
    return !this.isV6 && this.header.headerLength != IPV4_MIN;
  }
}
