/**
 * Persistent services: the template of a client, and the connections made by it.
 *
 * @module
 */
import { CALL_ID_MAX } from '../../src/abi/connections';
import { PersistenceEngine, Protocol } from '../../src/abi/protocol';
import { SB_EXPIRE_QUIESCENT_TEMPLATE } from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { control, hold, letLoose } from '../conn/control';
import { hashAny } from '../conn/hash';
import { Conn } from '../conn/record';
import { isConnection, makeConnection } from '../conn/table';
import { findTemplate, invalidate, makeTemplate } from '../conn/template';
import { TemplateKey, templateKey } from '../conn/template-key';
import { Scratch } from '../descriptor';
import { pickDest } from '../sched/index';
import { Dest, findNatDest } from '../service/dest';
import { FTP_BE, Service } from '../service/service';
import { countConnection } from '../service/stats';
import { field, now32 } from '../superblock';
import { copyAddress6 } from '../wire/ipv6';
import { hasPorts, portsBE } from '../wire/ports';
import { findCallId } from '../wire/sip';
import { UDP_SIZE } from '../wire/udp';
import { isOnce } from './schedule';

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
  // The port 0 of a query is none.
  const isOwnPort = portBE == service.portBE && hasPorts(protocol);
  const isFtp = service.portBE == FTP_BE;
  const key = templateKey();
  if (!nameClient(key, service, v6, client, protocol, payload, end)) return Reason.NoCallId;
  key.vportBE = isOwnPort && !isFtp ? portBE : ANY_PORT_BE;
  if (isOwnPort || service.fwmark == 0) nameService(key, virtual, protocol);
  else nameMark(key, service.fwmark);
  let template = findUsable(key, 0);
  if (template == null) {
    const picked = pickDest(service, v6, client, target, portsBE & 0xffff);
    if (picked == 0) return Reason.NoDest;
    const dest = changetype<Dest>(picked);
    template = makeTemplate(key, dest, isOwnPort && !isFtp ? dest.portBE : ANY_PORT_BE, service.timeout);
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
    const key = templateKey();
    const payload = packet.l4 + UDP_SIZE;
    if (!nameClient(key, service, v6, client, Protocol.Udp, payload, packet.l4 + packet.l4Length)) return null;
    key.vportBE = vportBE;
    nameService(key, virtual, Protocol.Udp);
    template = findUsable(key, found);
    if (template == null) template = makeTemplate(key, dest, dportBE, service.timeout);
    if (template == null) return null;
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
  if (template != null) hold(template);
  const made = makeConnection(hash, v6, client, virtual, portsBE, protocol, dest, dest.address, dportBE, once);
  if (template != null) {
    template.touched = now32();
    if (isConnection(made)) control(changetype<Conn>(made), template);
    letLoose(template);
  }
  if (isConnection(made)) countConnection(service, dest);
  return made;
}

/** The template of a key, to `dest` unless that is 0; one whose dest takes no connections says nothing any more. */
function findUsable(key: TemplateKey, dest: usize): Conn | null {
  const template = findTemplate(key);
  if (template == null || (isUsable(template) && (dest == 0 || template.dest == dest))) return template;
  invalidate(template);
  return null;
}

/** Whether the template's dest takes connections. */
function isUsable(template: Conn): bool {
  const dest = changetype<Dest>(template.dest);
  return dest.isAvailable && (field(SB_EXPIRE_QUIESCENT_TEMPLATE) == 0 || dest.weight != 0);
}

/**
 * Puts into a key what the service knows its client by: bits of the address, and its engine's Call-ID, for which it looks in
 * `payload` up to `end`. False when there ought to be one.
 */
function nameClient(
  key: TemplateKey,
  service: Service,
  v6: bool,
  client: usize,
  protocol: u32,
  payload: usize,
  end: usize,
): bool {
  key.isV6 = v6;
  if (v6) copyNetwork6(key.client, client, service.netmask);
  else store<u32>(key.client, load<u32>(client) & service.netmask);
  key.length = 0;
  if (service.engine != PersistenceEngine.Sip) return true;
  const found = protocol == Protocol.Udp && payload < end ? findCallId(payload, end, CALL_ID_MAX) : 0;
  key.callId = <usize>(found & 0xffffffff);
  key.length = <u32>(found >> 32);
  return found != 0;
}

/** Puts the first `bits` of an address to `to`, the rest 0. */
function copyNetwork6(to: usize, address: usize, bits: u32): void {
  copyAddress6(to, address);
  for (let i: u32 = 0; i < 16; i++) {
    const kept = bits <= i << 3 ? 0 : min<u32>(bits - (i << 3), 8);
    store<u8>(to + i, load<u8>(to + i) & (0xff00 >> kept));
  }
}

function nameService(key: TemplateKey, virtual: usize, protocol: u32): void {
  if (key.isV6) copyAddress6(key.virtual, virtual);
  else store<u32>(key.virtual, load<u32>(virtual));
  key.protocol = protocol;
}

/** A mark stands as an address, in network order, the rest 0. */
function nameMark(key: TemplateKey, mark: u32): void {
  v128.store(key.virtual, i64x2.splat(0));
  store<u32>(key.virtual, bswap<u32>(mark));
  key.protocol = ANY_PROTOCOL;
}
