/**
 * A connection record: one cache line (layout in src/abi/connections.ts).
 *
 * @module
 */
import {
  CONN_CADDR_BE,
  CONN_CADDR6,
  CONN_CALL_ID,
  CONN_CONTROL,
  CONN_CPORT_BE,
  CONN_DADDR_BE,
  CONN_DADDR6,
  CONN_DEST,
  CONN_DPORT_BE,
  CONN_FLAGS,
  CONN_HOP_GENERATION,
  CONN_HOP_INTERFACE,
  CONN_HOP_MAC,
  CONN_HOP_MTU,
  CONN_IN_PACKETS,
  CONN_METHOD,
  CONN_NEXT,
  CONN_PREV,
  CONN_PROTOCOL,
  CONN_STATE,
  CONN_TIMEOUT,
  CONN_TOUCHED,
  CONN_VADDR_BE,
  CONN_VADDR6,
  CONN_VPORT_BE,
  ConnFlag,
  EXTENDED,
} from '../../src/abi/connections';
import { Method, Protocol } from '../../src/abi/protocol';
import { sameAddress6 } from '../wire/ipv6';
import { Extension } from './extension';

const KIND: u32 = ConnFlag.Used | ConnFlag.V6 | ConnFlag.Template;
const USED_V4: u32 = ConnFlag.Used;
const USED_V6: u32 = ConnFlag.Used | ConnFlag.V6;
/** Of the word at CONN_PROTOCOL what tells whose replies belong to a record: protocol, method, KIND. */
const REPLY_KIND: u32 = 0x00ff00ff | (KIND << 24);
const BY_FULLNAT: u32 = Method.FullNat << 16;
/** What SNAT's number has more than FullNAT's. */
const BY_SNAT: u32 = (Method.Snat ^ Method.FullNat) << 16;
/** What an IPv6 record has by whose replies are IPv4. */
const BY_NAT64: u32 = (Method.Nat64 << 16) | (USED_V6 << 24);

/** View of a connection record. */
@unmanaged
@final
export class Conn {
  get caddrBE(): u32 {
    return load<u32>(changetype<usize>(this), CONN_CADDR_BE);
  }
  set caddrBE(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_CADDR_BE);
  }
  get vaddrBE(): u32 {
    return load<u32>(changetype<usize>(this), CONN_VADDR_BE);
  }
  set vaddrBE(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_VADDR_BE);
  }
  get daddrBE(): u32 {
    return load<u32>(changetype<usize>(this), CONN_DADDR_BE);
  }
  set daddrBE(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_DADDR_BE);
  }
  get cportBE(): u32 {
    return load<u16>(changetype<usize>(this), CONN_CPORT_BE);
  }
  get vportBE(): u32 {
    return load<u16>(changetype<usize>(this), CONN_VPORT_BE);
  }
  get dportBE(): u32 {
    return load<u16>(changetype<usize>(this), CONN_DPORT_BE);
  }
  set dportBE(value: u32) {
    store<u16>(changetype<usize>(this), value, CONN_DPORT_BE);
  }

  /** Client and virtual port as a client's segment has them: source low, destination high. */
  get inPortsBE(): u32 {
    return load<u32>(changetype<usize>(this), CONN_CPORT_BE);
  }
  set inPortsBE(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_CPORT_BE);
  }

  /** The ports that a server's segment has: source low, destination high. */
  get outPortsBE(): u32 {
    return this.dportBE | ((this.isFull ? this.extension.lportBE : this.cportBE) << 16);
  }
  /** Address of the address that a server's packets go to. */
  get replyTo(): usize {
    return this.isFull ? this.extension.laddr : this.caddr;
  }

  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), CONN_PROTOCOL);
  }
  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, CONN_PROTOCOL);
  }
  /** TCP or SCTP: UDP, and queries of ICMP, have one state. */
  get hasStates(): bool {
    const protocol = this.protocol;
    return protocol == Protocol.Tcp || protocol == Protocol.Sctp;
  }
  get state(): u32 {
    return load<u8>(changetype<usize>(this), CONN_STATE);
  }
  set state(value: u32) {
    store<u8>(changetype<usize>(this), value, CONN_STATE);
  }
  get method(): u32 {
    return load<u8>(changetype<usize>(this), CONN_METHOD);
  }
  set method(value: u32) {
    store<u8>(changetype<usize>(this), value, CONN_METHOD);
  }
  /** By FullNAT, of one family, by NAT64 or by SNAT: it has an extension. Not of a template. */
  get isFull(): bool {
    return this.method >= <u32>Method.FullNat;
  }
  /** FullNAT of a client of IPv6 to a server of IPv4. */
  get isNat64(): bool {
    return this.method == Method.Nat64;
  }
  /** FullNAT whose server is the one that the client addressed; its dest is the local address. */
  get isSnat(): bool {
    return this.method == Method.Snat;
  }
  /** No packet of it, or of SNAT none before a reply, goes the short way. */
  get goesLong(): bool {
    return this.method > <u32>Method.FullNat;
  }
  /** By NAT or FullNAT: its replies come by way of the director. */
  get isTranslated(): bool {
    return this.method == Method.Masq || this.isFull;
  }
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), CONN_FLAGS);
  }
  set flags(value: u32) {
    store<u8>(changetype<usize>(this), value, CONN_FLAGS);
  }
  has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }

  /** Interface to the client, HOP_INTERFACE_NONE when there is no way. */
  get hopInterface(): u32 {
    return load<u16>(changetype<usize>(this), CONN_HOP_INTERFACE);
  }
  set hopInterface(value: u32) {
    store<u16>(changetype<usize>(this), value, CONN_HOP_INTERFACE);
  }
  /** Net generation for which the addresses were checked and the hop looked up. */
  get hopGeneration(): u32 {
    return load<u32>(changetype<usize>(this), CONN_HOP_GENERATION);
  }
  set hopGeneration(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_HOP_GENERATION);
  }
  get hopMac(): usize {
    return changetype<usize>(this) + CONN_HOP_MAC;
  }
  get hopMtu(): u32 {
    return load<u16>(changetype<usize>(this), CONN_HOP_MTU);
  }
  set hopMtu(value: u32) {
    store<u16>(changetype<usize>(this), value, CONN_HOP_MTU);
  }

  /** Address of the dest. */
  get dest(): usize {
    return load<u32>(changetype<usize>(this), CONN_DEST);
  }
  set dest(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, CONN_DEST);
  }
  get touched(): u32 {
    return load<u32>(changetype<usize>(this), CONN_TOUCHED);
  }
  set touched(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_TOUCHED);
  }
  get timeout(): u32 {
    return load<u32>(changetype<usize>(this), CONN_TIMEOUT);
  }
  set timeout(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_TIMEOUT);
  }
  get prev(): u32 {
    return load<u32>(changetype<usize>(this), CONN_PREV);
  }
  set prev(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_PREV);
  }
  get next(): u32 {
    return load<u32>(changetype<usize>(this), CONN_NEXT);
  }
  set next(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_NEXT);
  }
  get inPackets(): u32 {
    return load<u32>(changetype<usize>(this), CONN_IN_PACKETS);
  }
  set inPackets(value: u32) {
    store<u32>(changetype<usize>(this), value, CONN_IN_PACKETS);
  }

  /** The record that controls it, 0: none. Not of a template. */
  get control(): usize {
    return this.isExtended ? this.extension.control : load<u32>(changetype<usize>(this), CONN_CONTROL);
  }
  set control(value: usize) {
    if (this.isExtended) this.extension.control = value;
    else store<u32>(changetype<usize>(this), <u32>value, CONN_CONTROL);
  }
  /** Whether it has an extension. Not of a template. */
  get isExtended(): bool {
    return (load<u32>(changetype<usize>(this), CONN_CONTROL) & EXTENDED) != 0;
  }
  /** Whether its client answered a cookie. Not of a template. */
  get isProxied(): bool {
    return this.isExtended && this.extension.isProxied;
  }
  /** Its extension, if it has one. */
  get extension(): Extension {
    return changetype<Extension>(<usize>(load<u32>(changetype<usize>(this), CONN_CONTROL) & ~EXTENDED));
  }
  /** Gives it one that is new. */
  extend(extension: usize): void {
    changetype<Extension>(extension).control = this.control;
    store<u32>(changetype<usize>(this), <u32>extension | EXTENDED, CONN_CONTROL);
  }
  /** Of a template: its Call-ID, 0: none. */
  get callId(): usize {
    return load<u32>(changetype<usize>(this), CONN_CALL_ID);
  }
  set callId(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, CONN_CALL_ID);
  }

  get isV6(): bool {
    return this.has(ConnFlag.V6);
  }
  /** Whether its server, and with FullNAT its local address, are of IPv6. */
  get isServerV6(): bool {
    return this.isV6 && !this.isNat64;
  }
  // Addresses of the addresses, in records of IPv6.
  get caddr6(): usize {
    return changetype<usize>(this) + CONN_CADDR6;
  }
  get vaddr6(): usize {
    return changetype<usize>(this) + CONN_VADDR6;
  }
  get daddr6(): usize {
    return changetype<usize>(this) + CONN_DADDR6;
  }

  // The same in either family.
  get caddr(): usize {
    return changetype<usize>(this) + (this.isV6 ? CONN_CADDR6 : CONN_CADDR_BE);
  }
  get vaddr(): usize {
    return changetype<usize>(this) + (this.isV6 ? CONN_VADDR6 : CONN_VADDR_BE);
  }
  get daddr(): usize {
    return changetype<usize>(this) + (this.isServerV6 ? CONN_DADDR6 : CONN_DADDR_BE);
  }

  /** Whether a client's packet of this tuple belongs to it; `source` and `destination` are where the addresses are. */
  matchesIn(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): bool {
    if (this.inPortsBE != portsBE || this.protocol != protocol) return false;
    return v6
      ? (this.flags & KIND) == USED_V6 && sameAddress6(this.caddr6, source) && sameAddress6(this.vaddr6, destination)
      : this.caddrBE == load<u32>(source) && this.vaddrBE == load<u32>(destination) && (this.flags & KIND) == USED_V4;
  }

  /** Whether a server's packet of this tuple belongs to it. */
  matchesOut(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): bool {
    const kind = load<u32>(changetype<usize>(this), CONN_PROTOCOL) & REPLY_KIND;
    const wanted = protocol | ((v6 ? USED_V6 : USED_V4) << 24);
    if (kind != wanted) {
      const isLocal = (kind & ~BY_SNAT) == (wanted | BY_FULLNAT) || (!v6 && kind == (protocol | BY_NAT64));
      return isLocal && this.matchesLocal(v6, source, destination, portsBE);
    }
    if ((this.dportBE | (this.cportBE << 16)) != portsBE) return false;
    return v6
      ? sameAddress6(this.daddr6, source) && sameAddress6(this.caddr6, destination)
      : this.daddrBE == load<u32>(source) && this.caddrBE == load<u32>(destination);
  }

  /** The same of FullNAT. */
  private matchesLocal(v6: bool, source: usize, destination: usize, portsBE: u32): bool {
    const own = this.extension;
    if ((this.dportBE | (own.lportBE << 16)) != portsBE) return false;
    return v6
      ? sameAddress6(this.daddr6, source) && sameAddress6(own.laddr, destination)
      : this.daddrBE == load<u32>(source) && own.laddrBE == load<u32>(destination);
  }
}
