/**
 * What a connection by FullNAT has beside its record: a local address and port, in its extension.
 *
 * @module
 */
import { ConnState, Profile, Protocol } from '../../src/abi/protocol';
import { SB_FULLNAT, SB_NAT64 } from '../../src/abi/superblock';
import { Family } from '../../src/abi/tables';
import { freePort, Local, nextLocal, poolOf, takePort } from '../service/local';
import { Service } from '../service/service';
import { field, setField } from '../superblock';
import { copyAddress6 } from '../wire/ipv6';
import { Conn } from './record';

/** Whether a local address of the service, 0 for none, has a port for connections to that server. */
export function hasLocalPort(service: usize, v6: bool, server: usize, portBE: u32, protocol: u32): bool {
  if (service == 0) return false;
  const owner = changetype<Service>(service);
  return nextLocal(owner, v6 ? Family.V6 : Family.V4, poolOf(v6, server, portBE, protocol)) != owner.localCount;
}

/** Gives a new connection of the service its local address and port, which there are, in the extension that it gets. */
export function openLocal(conn: Conn, service: Service, extension: usize): void {
  conn.extend(extension);
  const pool = poolOfServer(conn);
  const place = nextLocal(service, conn.isServerV6 ? Family.V6 : Family.V4, pool);
  const local = service.localAt(place);
  service.localNext = place + 1 == service.localCount ? 0 : place + 1;
  const own = conn.extension;
  own.local = changetype<usize>(local);
  own.lportBE = bswap<u16>(<u16>takePort(local, pool));
  copyAddress6(own.laddr, local.address);
  own.profile = service.profile;
  own.carry = service.carry;
  count(conn, 1);
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
