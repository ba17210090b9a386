/**
 * What a connection by FullNAT has beside its record: a local address and port, in its extension.
 *
 * @module
 */
import { Carry, ConnState, Method, Profile, Protocol } from '../../src/abi/protocol';
import { SB_FULLNAT, SB_NAT64 } from '../../src/abi/superblock';
import { Dest } from '../service/dest';
import { freePort, hasPort, Local, nextLocal, poolOf, takePort } from '../service/local';
import { Service } from '../service/service';
import { field, setField } from '../superblock';
import { copyAddress6 } from '../wire/ipv6';
import { Conn } from './record';

/** Whether a local address of the dest's service, or by SNAT the dest itself, has a port for connections to that server. */
export function hasLocalPort(dest: Dest, server: usize, portBE: u32, protocol: u32): bool {
  const pool = poolOf(dest.isV6, server, portBE, protocol);
  if (dest.method == Method.Snat) return dest.local != 0 && hasPort(changetype<Local>(dest.local), pool);
  if (dest.service == 0) return false;
  const service = changetype<Service>(dest.service);
  return nextLocal(service, dest.family, pool) != service.localCount;
}

/** Gives a new connection its local address and port, which there are, in the extension that it gets. */
export function openLocal(conn: Conn, extension: usize): void {
  conn.extend(extension);
  const pool = poolOfServer(conn);
  const dest = changetype<Dest>(conn.dest);
  const service = changetype<Service>(dest.service);
  const local = conn.isSnat ? changetype<Local>(dest.local) : takeLocal(service, dest.family, pool);
  const own = conn.extension;
  own.local = changetype<usize>(local);
  own.lportBE = bswap<u16>(<u16>takePort(local, pool));
  copyAddress6(own.laddr, local.address);
  own.profile = service.profile;
  own.carry = carriedBy(conn.protocol, service.carry);
  count(conn, 1);
}

/** How packets of that protocol tell their server the client, of a service that has all do so that can. */
function carriedBy(protocol: u32, carry: u32): u32 {
  if (protocol == Protocol.Tcp) return carry <= <u32>Carry.ProxyV2 ? carry : <u32>Carry.None;
  return protocol == Protocol.Udp && carry >= <u32>Carry.ProxyV2 ? carry : <u32>Carry.None;
}

/** The service's next local address with a port of the pool. */
function takeLocal(service: Service, family: u32, pool: u32): Local {
  const place = nextLocal(service, family, pool);
  service.localNext = place + 1 == service.localCount ? 0 : place + 1;
  return service.localAt(place);
}

/** Gives the port back. */
export function closeLocal(conn: Conn): void {
  const own = conn.extension;
  freePort(changetype<Local>(own.local), poolOfServer(conn), bswap<u16>(<u16>own.lportBE));
  count(conn, -1);
}

function count(conn: Conn, more: i32): void {
  setField(SB_FULLNAT, field(SB_FULLNAT) + more);
  if (conn.isNat64) setField(SB_NAT64, field(SB_NAT64) + more);
}

function poolOfServer(conn: Conn): u32 {
  return poolOf(conn.isServerV6, conn.daddr, conn.dportBE, conn.protocol);
}

// Seconds by state of TCP, a byte each: NONE to CLOSE_WAIT, then LAST_ACK to SYNACK.
const FIRST: u64 = 0x07_03_07_07_1e_03_5a_02;
const SECOND: u64 = 0x1e_78_07;

/** How long a connection by FullNAT stays in a state, in milliseconds, if its profile says so; 0 when not. */
export function timeoutByProfile(conn: Conn, state: u32): u32 {
  if (conn.protocol != Protocol.Tcp || conn.extension.profile == Profile.Linux) return 0;
  const seconds =
    state < <u32>ConnState.LastAck ? FIRST >> (state << 3) : SECOND >> ((state - <u32>ConnState.LastAck) << 3);
  return (<u32>seconds & 0xff) * 1000;
}
