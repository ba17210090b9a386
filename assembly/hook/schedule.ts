/**
 * Which service a packet is for, and the connection that it opens.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { Protocol, ServiceFlag } from '../../src/abi/protocol';
import { SB_ANY_PORT_SERVICES, SB_ARG_ADDRESS, SB_FTP_SERVICES, SUPERBLOCK } from '../../src/abi/superblock';
import { Family } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { mustDropPacket } from '../conn/defence';
import { Conn } from '../conn/record';
import { endConnection, isConnection, makeConnection } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { pickDest } from '../sched/index';
import { Dest } from '../service/dest';
import { FTP_BE, findService, Service } from '../service/service';
import { countConnection } from '../service/stats';
import { field } from '../superblock';
import { isLinkLocal6, isUnspecified6 } from '../wire/ipv6';
import { connectPersistent } from './persist';

/** FTP's data port: connections from it belong to a control connection. */
export const FTP_DATA_BE: u32 = 20 << 8;
/** Linux: ip_unprivileged_port_start. */
const FIRST_UNPRIVILEGED: u16 = 1024;

/**
 * The service of packets to the address at `virtual`: that of the frame's firewall mark, else the one of address and
 * port; 0 for none.
 */
export function serviceOf(frame: Descriptor, v6: bool, virtual: usize, protocol: u32, portBE: u32): usize {
  const family: u32 = v6 ? Family.V6 : Family.V4;
  const mark = frame.mark;
  if (mark != 0) {
    const marked = markedService(v6, mark, false);
    if (marked != 0) return marked;
  }
  // One store: memory.fill and memory.copy are calls, and loads would wait for two.
  const key = <usize>SUPERBLOCK + SB_ARG_ADDRESS;
  v128.store(key, v6 ? v128.load(virtual) : v128.load32_zero(virtual));
  const found = findService(family, key, protocol, portBE, 0);
  return found != 0 ? found : otherService(family, key, protocol, portBE);
}

/** One of another port that takes this one, too: FTP's takes those of data connections, and port 0 all. */
function otherService(family: u32, key: usize, protocol: u32, portBE: u32): usize {
  if (protocol == Protocol.Tcp && field(SB_FTP_SERVICES) != 0) {
    const mayBeData = portBE == FTP_DATA_BE || bswap<u16>(<u16>portBE) >= FIRST_UNPRIVILEGED;
    const found = mayBeData ? findService(family, key, protocol, FTP_BE, 0) : 0;
    if (found != 0) return found;
  }
  return field(SB_ANY_PORT_SERVICES) != 0 ? findService(family, key, protocol, 0, 0) : 0;
}

/** Whether the frame has the firewall mark of a service: then it is taken in, wherever it was addressed. */
export function isMarked(frame: Descriptor, v6: bool): bool {
  const mark = frame.mark;
  return mark != 0 && markedService(v6, mark, false) != 0;
}

/** Whether an address to which packets are routed is no host's, or another one's on each link. */
function isNobody6(address: usize): bool {
  return isUnspecified6(address) || isLinkLocal6(address);
}

/** The service by SNAT that takes a packet with ports, or a query, which would be routed else; 0 for none. */
export function snatService(frame: Descriptor, packet: Scratch): usize {
  const mark = frame.mark;
  const v6 = packet.isV6;
  if (mark == 0 || (v6 && isNobody6(packet.destination))) return 0;
  return markedService(v6, mark, true);
}

/** The service of a mark, if it is by SNAT, or if it is not. */
function markedService(v6: bool, mark: u32, isSnat: bool): usize {
  const key = <usize>SUPERBLOCK + SB_ARG_ADDRESS;
  v128.store(key, i64x2.splat(0));
  const found = findService(v6 ? Family.V6 : Family.V4, key, 0, 0, mark);
  return found != 0 && changetype<Service>(found).isSnat == isSnat ? found : 0;
}

/** Whether a connection from these ports may be made now; judges the frame when not. */
export function mayConnect(frame: Descriptor, portsBE: u32): bool {
  if (mustDropPacket()) {
    frame.judge(Verdict.Drop, Reason.DropPacket);
    return false;
  }
  if ((portsBE & 0xffff) != FTP_DATA_BE) return true;
  frame.judge(Verdict.Local, Reason.FtpData);
  return false;
}

/** Whether the service schedules packets to that port: without persistence FTP's takes others only for its connections. */
export function isOwnPort(service: Service, portBE: u32): bool {
  return service.isPersistent || service.fwmark != 0 || portBE == service.portBE;
}

/** Whether the service's connections live for a packet only (`-o`). */
export function isOnce(service: Service, protocol: u32): bool {
  return protocol == Protocol.Udp && (service.flags & ServiceFlag.OnePacket) != 0;
}

/**
 * Makes the connection of a client's tuple, and counts it. The scheduler is told that `target` was called; `payload` up to
 * `end` is what a persistence engine may look at, 0 for none. Its address, or a Reason (below 256) why there is none.
 */
export function connect(
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
  if (service.isPersistent) {
    return connectPersistent(service, hash, v6, client, virtual, target, portsBE, protocol, payload, end);
  }
  const picked = pickDest(service, v6, client, target, portsBE & 0xffff);
  if (picked == 0) return Reason.NoDest;
  const dest = changetype<Dest>(picked);
  const dportBE = dest.portBE != 0 ? dest.portBE : portsBE >> 16;
  const once = isOnce(service, protocol);
  const made = makeConnection(hash, v6, client, virtual, portsBE, protocol, dest, dest.address, dportBE, once);
  if (isConnection(made)) countConnection(service, dest);
  return made;
}

/** Ends a connection for one packet: it has had it. */
export function endIfOnce(frame: Descriptor, conn: Conn): void {
  if (!conn.has(ConnFlag.Once)) return;
  if (conn.control != 0) changetype<Conn>(conn.control).inPackets += 1;
  endConnection(conn);
  frame.conn = 0;
}
