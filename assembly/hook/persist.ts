/**
 * Persistent services: the template of a client, and the connections made by it.
 *
 * @module
 */
import {
  CALL_ID_MAX,
  SB_EXPIRE_QUIESCENT_TEMPLATE,
  SB_TEMPLATE_CLIENT,
  SB_TEMPLATE_MARK,
  SUPERBLOCK,
} from '../../src/abi/memory';
import { PersistenceEngine, Protocol } from '../../src/abi/protocol';
import { Reason } from '../../src/abi/verdict';
import { control } from '../conn/control';
import { hashAny } from '../conn/hash';
import { Conn } from '../conn/record';
import { makeConnection } from '../conn/table';
import { findTemplate, invalidate, makeTemplate, templateHash } from '../conn/template';
import { hang, unhang } from '../conn/wheel';
import { Scratch } from '../descriptor';
import { pickDest } from '../sched/index';
import { Dest, findNatDest } from '../service/dest';
import { FTP_BE, Service } from '../service/service';
import { countConnection } from '../service/stats';
import { field, now32 } from '../superblock';
import { copyAddress6 } from '../wire/ipv6';
import { portsBE } from '../wire/ports';
import { findCallId } from '../wire/sip';
import { UDP_SIZE } from '../wire/udp';
import { isConnection, isOnce } from './schedule';

/** Protocol of templates of a firewall mark. */
const ANY_PROTOCOL: u32 = 0;
/** The template for any of the ports. */
const ANY_PORT_BE: u32 = 0;

/**
 * Makes the connection of a client's tuple, to the dest of its template; without one, to one that is picked for `target`, and
 * a template for it. `payload` up to `end` is what an engine may look at. Its address, or a Reason why there is none.
 */
export function connectPersistent(
  service: Service,
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  target: usize,
  portsBE: u32,
  protocol: u32,
  payload: usize,
  end: usize,
): usize {
  const portBE = portsBE >> 16;
  const isOwnPort = portBE == service.portBE;
  const isFtp = service.portBE == FTP_BE;
  let kind = protocol;
  let address = virtual;
  if (!isOwnPort && service.fwmark != 0) {
    kind = ANY_PROTOCOL;
    address = markAddress(service.fwmark);
  }
  const vportBE = isOwnPort && !isFtp ? portBE : ANY_PORT_BE;
  const network = networkOf(service, v6, client);
  const id = callIdOf(service, protocol, payload, end);
  if (id == NO_CALL_ID) return Reason.NoCallId;
  const text = <usize>(id & 0xffffffff);
  const length = <u32>(id >> 32);
  const key = templateHash(v6, network, address, vportBE, kind, text, length);
  let template = findTemplate(key, v6, network, address, vportBE, kind, text, length);
  if (template != null && !isUsable(template)) {
    invalidate(template);
    template = null;
  }
  if (template == null) {
    const picked = pickDest(service, v6, client, target, portsBE & 0xffff);
    if (picked == 0) return Reason.NoDest;
    const dest = changetype<Dest>(picked);
    const dportBE = isOwnPort && !isFtp ? dest.portBE : ANY_PORT_BE;
    template = makeTemplate(key, v6, network, address, vportBE, kind, text, length, dest, dportBE, service.timeout);
    if (template == null) return Reason.TableFull;
  }
  const dest = changetype<Dest>(template.dest);
  const dportBE = isOwnPort && dest.portBE != 0 ? dest.portBE : portBE;
  return make(service, template, hash, v6, client, virtual, portsBE, protocol, dest, dportBE);
}

/**
 * The connection that a NAT server opens with a datagram of its own, to a client of its service that has SIP's engine; null
 * when it opens none.
 */
export function connectOut(packet: Scratch): Conn | null {
  if (packet.bucket == 0 || packet.protocol != Protocol.Udp) return null;
  const v6 = packet.isV6;
  const ports = rotl<u32>(portsBE(packet.l4), 16);
  const dportBE = ports >> 16;
  const found = findNatDest(v6, Protocol.Udp, packet.source, dportBE);
  if (found == 0 || dportBE == 0) return null;
  const dest = changetype<Dest>(found);
  const service = changetype<Service>(dest.service);
  if (service.engine != PersistenceEngine.Sip || service.fwmark != 0 || service.portBE == 0) return null;
  const vportBE = service.portBE;
  const client = packet.destination;
  const virtual = service.address;
  let template: Conn | null = null;
  if (service.isPersistent) {
    const id = callIdOf(service, Protocol.Udp, packet.l4 + UDP_SIZE, packet.l4 + packet.l4Length);
    if (id == NO_CALL_ID) return null;
    const text = <usize>(id & 0xffffffff);
    const length = <u32>(id >> 32);
    const network = networkOf(service, v6, client);
    const key = templateHash(v6, network, virtual, vportBE, Protocol.Udp, text, length);
    template = findTemplate(key, v6, network, virtual, vportBE, Protocol.Udp, text, length);
    if (template != null && (!isUsable(template) || template.dest != found)) {
      invalidate(template);
      template = null;
    }
    if (template == null) {
      template = makeTemplate(
        key,
        v6,
        network,
        virtual,
        vportBE,
        Protocol.Udp,
        text,
        length,
        dest,
        dportBE,
        service.timeout,
      );
      if (template == null) return null;
    }
  }
  const inPorts = (vportBE << 16) | (ports & 0xffff);
  const hash = hashAny(v6, client, virtual, inPorts, Protocol.Udp);
  const made = make(service, template, hash, v6, client, virtual, inPorts, Protocol.Udp, dest, dportBE);
  return isConnection(made) ? changetype<Conn>(made) : null;
}

/** Makes a connection under a template's control, whose timer starts anew. */
function make(
  service: Service,
  template: Conn | null,
  hash: u64,
  v6: bool,
  client: usize,
  virtual: usize,
  portsBE: u32,
  protocol: u32,
  dest: Dest,
  dportBE: u32,
): usize {
  const once = isOnce(service, protocol);
  // It must not make room for its own connection.
  if (template != null) unhang(template);
  const conn = makeConnection(hash, v6, client, virtual, portsBE, protocol, dest, dest.address, dportBE, once);
  if (template != null) {
    template.touched = now32();
    hang(template);
    if (conn != null) control(conn, template);
  }
  if (conn == null) return Reason.TableFull;
  countConnection(service, dest);
  return changetype<usize>(conn);
}

/** Whether the template's dest takes connections. */
function isUsable(template: Conn): bool {
  const dest = changetype<Dest>(template.dest);
  return dest.isAvailable && (field(SB_EXPIRE_QUIESCENT_TEMPLATE) == 0 || dest.weight != 0);
}

/** Where the bits of the client's address are that the service looks at. */
function networkOf(service: Service, v6: bool, client: usize): usize {
  const network = <usize>SUPERBLOCK + SB_TEMPLATE_CLIENT;
  if (!v6) {
    store<u32>(network, load<u32>(client) & service.netmask);
    return network;
  }
  copyAddress6(network, client);
  const bits = service.netmask;
  for (let i: u32 = 0; i < 16; i++) {
    const kept = bits <= i << 3 ? 0 : min<u32>(bits - (i << 3), 8);
    store<u8>(network + i, load<u8>(network + i) & (0xff00 >> kept));
  }
  return network;
}

/** Where a mark is as an address, in network order, the rest 0. */
function markAddress(mark: u32): usize {
  const address = <usize>SUPERBLOCK + SB_TEMPLATE_MARK;
  v128.store(address, i64x2.splat(0));
  store<u32>(address, bswap<u32>(mark));
  return address;
}

/** There ought to be one. */
const NO_CALL_ID: u64 = u64.MAX_VALUE;

/** The Call-ID as `findCallId` gives it: 0 where the service asks for none. */
function callIdOf(service: Service, protocol: u32, payload: usize, end: usize): u64 {
  if (service.engine != PersistenceEngine.Sip) return 0;
  const found = protocol == Protocol.Udp && payload < end ? findCallId(payload, end, CALL_ID_MAX) : 0;
  return found == 0 ? NO_CALL_ID : found;
}
