/**
 * Virtual services: their records, found by (protocol, address, port), and their dests.
 *
 * @module
 */

import { Method, PersistenceEngine, ServiceFlag } from '../../src/abi/protocol';
import {
  SB_ANY_PORT_SERVICES,
  SB_FTP_SERVICES,
  SB_SERVICE_COUNT,
  SB_SERVICE_FREE,
  SB_SERVICE_HEAD_COUNT,
  SB_SERVICE_HEADS,
  SB_SERVICE_MAX,
  SB_SERVICE6_COUNT,
  SB_SERVICES,
  SB_SIP_SERVICES,
} from '../../src/abi/superblock';
import {
  Family,
  SERVICE_SIZE,
  SVC_ADDRESS,
  SVC_CARRY,
  SVC_CURSOR,
  SVC_DEST_COUNT,
  SVC_DESTS,
  SVC_ESTIMATOR,
  SVC_FAMILY,
  SVC_FLAGS,
  SVC_FWMARK,
  SVC_LOCAL_COUNT,
  SVC_LOCAL_NEXT,
  SVC_LOCALS,
  SVC_NETMASK,
  SVC_NEXT,
  SVC_PE,
  SVC_PORT_BE,
  SVC_PROFILE,
  SVC_PROTOCOL,
  SVC_SCHEDULER,
  SVC_STATS,
  SVC_TABLE,
  SVC_TIMEOUT,
  SVC_USED,
  SVC_WRR_CW,
  SVC_WRR_DI,
  SVC_WRR_MW,
} from '../../src/abi/tables';
import { field, setField } from '../superblock';
import { copyAddress6, foldAddress6, sameAddress6 } from '../wire/ipv6';
import { Dest } from './dest';
import { Local } from './local';

/** View of a service record. */
@unmanaged
@final
export class Service {
  /** Address of its VIP, all 0 for a firewall mark. */
  get address(): usize {
    return changetype<usize>(this) + SVC_ADDRESS;
  }
  get family(): u32 {
    return load<u8>(changetype<usize>(this), SVC_FAMILY);
  }
  set family(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_FAMILY);
  }
  get isV6(): bool {
    return this.family == Family.V6;
  }
  /** Firewall mark, 0 for a service of address and port. */
  get fwmark(): u32 {
    return load<u32>(changetype<usize>(this), SVC_FWMARK);
  }
  set fwmark(value: u32) {
    store<u32>(changetype<usize>(this), value, SVC_FWMARK);
  }
  get portBE(): u32 {
    return load<u16>(changetype<usize>(this), SVC_PORT_BE);
  }
  set portBE(value: u32) {
    store<u16>(changetype<usize>(this), value, SVC_PORT_BE);
  }
  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), SVC_PROTOCOL);
  }
  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_PROTOCOL);
  }
  get scheduler(): u32 {
    return load<u8>(changetype<usize>(this), SVC_SCHEDULER);
  }
  set scheduler(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_SCHEDULER);
  }
  get flags(): u32 {
    return load<u32>(changetype<usize>(this), SVC_FLAGS);
  }
  set flags(value: u32) {
    store<u32>(changetype<usize>(this), value, SVC_FLAGS);
  }
  get next(): usize {
    return load<u32>(changetype<usize>(this), SVC_NEXT);
  }
  set next(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SVC_NEXT);
  }
  /** Whether its clients of TCP are asked for a cookie first. */
  get isProxy(): bool {
    return (this.flags & ServiceFlag.SynProxy) != 0;
  }
  /** By SNAT, as all its dests are then. */
  get isSnat(): bool {
    return this.dests != 0 && changetype<Dest>(this.dests).method == Method.Snat;
  }
  /** The dest added last, 0 when there is none. */
  get dests(): usize {
    return load<u32>(changetype<usize>(this), SVC_DESTS);
  }
  set dests(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SVC_DESTS);
  }
  get destCount(): u32 {
    return load<u32>(changetype<usize>(this), SVC_DEST_COUNT);
  }
  set destCount(value: u32) {
    store<u32>(changetype<usize>(this), value, SVC_DEST_COUNT);
  }
  /** rr, wrr: the dest last picked; 0 stands before the first one. */
  get cursor(): usize {
    return load<u32>(changetype<usize>(this), SVC_CURSOR);
  }
  set cursor(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SVC_CURSOR);
  }
  /** wrr: the weight from which on a dest is taken in this round. */
  get currentWeight(): i32 {
    return load<i32>(changetype<usize>(this), SVC_WRR_CW);
  }
  set currentWeight(value: i32) {
    store<i32>(changetype<usize>(this), value, SVC_WRR_CW);
  }
  /** wrr: where `currentWeight` starts again. */
  get maxWeight(): i32 {
    return load<i32>(changetype<usize>(this), SVC_WRR_MW);
  }
  set maxWeight(value: i32) {
    store<i32>(changetype<usize>(this), value, SVC_WRR_MW);
  }
  /** wrr: what a round takes off `currentWeight`. */
  get weightStep(): i32 {
    return load<i32>(changetype<usize>(this), SVC_WRR_DI);
  }
  set weightStep(value: i32) {
    store<i32>(changetype<usize>(this), value, SVC_WRR_DI);
  }
  get stats(): usize {
    return changetype<usize>(this) + SVC_STATS;
  }
  get estimator(): usize {
    return changetype<usize>(this) + SVC_ESTIMATOR;
  }
  get isPersistent(): bool {
    return (this.flags & ServiceFlag.Persistent) != 0;
  }
  /** How long a template lives, in milliseconds. */
  get timeout(): u32 {
    return load<u32>(changetype<usize>(this), SVC_TIMEOUT);
  }
  set timeout(value: u32) {
    store<u32>(changetype<usize>(this), value, SVC_TIMEOUT);
  }
  /** Which bits of a client's address count: of IPv4 as loaded, of IPv6 their number. */
  get netmask(): u32 {
    return load<u32>(changetype<usize>(this), SVC_NETMASK);
  }
  set netmask(value: u32) {
    store<u32>(changetype<usize>(this), value, SVC_NETMASK);
  }
  /** PersistenceEngine. */
  get engine(): u32 {
    return load<u8>(changetype<usize>(this), SVC_PE);
  }
  set engine(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_PE);
  }
  /** Address of its list of local addresses, 0 when it has none. */
  get locals(): usize {
    return load<u32>(changetype<usize>(this), SVC_LOCALS);
  }
  set locals(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SVC_LOCALS);
  }
  get localCount(): u32 {
    return load<u8>(changetype<usize>(this), SVC_LOCAL_COUNT);
  }
  set localCount(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_LOCAL_COUNT);
  }
  /** Which of them is tried first for the next connection. */
  get localNext(): u32 {
    return load<u8>(changetype<usize>(this), SVC_LOCAL_NEXT);
  }
  set localNext(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_LOCAL_NEXT);
  }
  localAt(place: u32): Local {
    return changetype<Local>(<usize>load<u32>(this.locals + ((<usize>place) << 2)));
  }
  /** Carry. */
  get carry(): u32 {
    return load<u8>(changetype<usize>(this), SVC_CARRY);
  }
  set carry(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_CARRY);
  }
  /** Profile. */
  get profile(): u32 {
    return load<u8>(changetype<usize>(this), SVC_PROFILE);
  }
  set profile(value: u32) {
    store<u8>(changetype<usize>(this), value, SVC_PROFILE);
  }
  /** Address of its scheduler's table or cache, 0 when it has none. */
  get table(): usize {
    return load<u32>(changetype<usize>(this), SVC_TABLE);
  }
  set table(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, SVC_TABLE);
  }
}

/** Address of the list in which a service of this key is. */
function listHead(address: usize, protocol: u32, portBE: u32, fwmark: u32): usize {
  const folded = foldAddress6(address);
  const mixed = (folded ^ (portBE << 16) ^ protocol ^ fwmark) * 0x9e3779b1;
  const heads = field(SB_SERVICE_HEAD_COUNT);
  return <usize>field(SB_SERVICE_HEADS) + <usize>(((<u64>mixed * <u64>heads) >> 32) << 2);
}

/**
 * The service of this key, 0 when there is none. `address` is where ADDRESS_SIZE bytes are, an IPv4 address in the first
 * four; a firewall mark's service has the address 0.
 */
export function findService(family: u32, address: usize, protocol: u32, portBE: u32, fwmark: u32): usize {
  let at = <usize>load<u32>(listHead(address, protocol, portBE, fwmark));
  while (at != 0) {
    const service = changetype<Service>(at);
    if (
      service.portBE == portBE &&
      service.protocol == protocol &&
      service.fwmark == fwmark &&
      service.family == family &&
      sameAddress6(service.address, address)
    ) {
      return at;
    }
    at = service.next;
  }
  return 0;
}

/** Makes the record of a service that does not exist yet; 0 when all are in use. */
export function makeService(family: u32, address: usize, protocol: u32, portBE: u32, fwmark: u32): usize {
  let at = <usize>field(SB_SERVICE_FREE);
  const count = field(SB_SERVICE_COUNT);
  if (at != 0) {
    setField(SB_SERVICE_FREE, <u32>changetype<Service>(at).next);
  } else {
    if (count == field(SB_SERVICE_MAX)) return 0;
    at = <usize>field(SB_SERVICES) + <usize>count * SERVICE_SIZE;
  }
  setField(SB_SERVICE_COUNT, count + 1);
  if (family == Family.V6) setField(SB_SERVICE6_COUNT, field(SB_SERVICE6_COUNT) + 1);
  memory.fill(at, 0, SERVICE_SIZE);
  const service = changetype<Service>(at);
  service.family = family;
  copyAddress6(service.address, address);
  service.protocol = protocol;
  service.portBE = portBE;
  service.fwmark = fwmark;
  store<u8>(at, 1, SVC_USED);
  countKind(service, 1);
  linkService(service);
  return at;
}

/** Lets a service be found by its key. */
export function linkService(service: Service): void {
  const head = listHead(service.address, service.protocol, service.portBE, service.fwmark);
  service.next = load<u32>(head);
  store<u32>(head, <u32>changetype<usize>(service));
}

/** Takes a service without dests out of its list and frees the record. */
export function freeService(service: Service): void {
  const address = changetype<usize>(service);
  const head = listHead(service.address, service.protocol, service.portBE, service.fwmark);
  let at = <usize>load<u32>(head);
  if (at == address) {
    store<u32>(head, <u32>service.next);
  } else {
    while (changetype<Service>(at).next != address) at = changetype<Service>(at).next;
    changetype<Service>(at).next = service.next;
  }
  store<u8>(address, 0, SVC_USED);
  countKind(service, -1);
  if (service.family == Family.V6) setField(SB_SERVICE6_COUNT, field(SB_SERVICE6_COUNT) - 1);
  service.next = field(SB_SERVICE_FREE);
  setField(SB_SERVICE_FREE, <u32>address);
  setField(SB_SERVICE_COUNT, field(SB_SERVICE_COUNT) - 1);
}

/** FTP's control port: the kernel takes its service for that of data connections, too. */
export const FTP_BE: u32 = 21 << 8;

/** Services that are asked for ports which they do not have are counted, so that nobody looks for them in vain. */
function countKind(service: Service, one: i32): void {
  const portBE = service.portBE;
  if (portBE == FTP_BE) setField(SB_FTP_SERVICES, field(SB_FTP_SERVICES) + one);
  if (portBE == 0 && service.fwmark == 0) setField(SB_ANY_PORT_SERVICES, field(SB_ANY_PORT_SERVICES) + one);
}

/** Sets the persistence engine. */
export function setEngine(service: Service, engine: u32): void {
  const change = (engine == PersistenceEngine.Sip ? 1 : 0) - (service.engine == PersistenceEngine.Sip ? 1 : 0);
  setField(SB_SIP_SERVICES, field(SB_SIP_SERVICES) + change);
  service.engine = engine;
}

/** The dest of this address in the service's list, 0 when there is none. */
export function findDest(service: Service, family: u32, address: usize, portBE: u32): usize {
  let at = service.dests;
  while (at != 0) {
    const dest = changetype<Dest>(at);
    if (dest.portBE == portBE && dest.family == family && sameAddress6(dest.address, address)) return at;
    at = dest.next;
  }
  return 0;
}
