/**
 * A frame's descriptor, and its scratch record (layouts in src/abi/memory.ts).
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
  DESC_OUT,
  DESC_VERDICT,
  DESCRIPTOR_SIZE,
  SB_DESCRIPTORS,
  SB_SCRATCH,
  SCR_BUCKET,
  SCR_HASH,
  SCR_IN,
  SCR_IP,
  SCR_L4,
  SCR_L4_LENGTH,
  SCR_REF,
  SCRATCH_SIZE,
} from '../src/abi/memory';
import { Reason, Verdict } from '../src/abi/verdict';
import { countReason, field } from './superblock';
import { Ipv4 } from './wire/ipv4';

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

  /** First byte that may be written. */
  get floor(): usize {
    return this.address - this.headroom;
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
    store<u16>(changetype<usize>(this), 0, DESC_FLAGS);
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
}
