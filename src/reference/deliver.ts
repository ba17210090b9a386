/**
 * Packets addressed to the director: those that IPVS takes, and the rest, which is the host's own.
 *
 * @module
 */
import { answer } from './answer.js';
import type { Connection, Tuple } from './connections.js';
import { drop, type Host, type Judgement, local, pass, type Received } from './host.js';
import { concatenate } from './packet/checksum.js';
import { ICMP_LENGTH, ICMP_TYPE } from './packet/icmp.js';
import { type Ipv4Packet, PROTOCOL, serialiseIpv4, totalLength } from './packet/ipv4.js';
import { TCP_FLAG } from './packet/tcp.js';
import { readTransport, type Transport } from './ports.js';
import { passReply } from './reply.js';
import { transmit } from './transmit.js';

/** Port from which an FTP server opens data connections: the FTP helper's business, never scheduled. */
const FTP_DATA_PORT = 20;

/** Judges a packet addressed to one of the director's own addresses. */
export function deliver(host: Host, received: Received): Judgement {
  const { packet } = received;
  if (packet.protocol === PROTOCOL.icmp) {
    return quotesTransport(packet) ? pass('icmp-error') : local('local-delivery');
  }
  const transport = readTransport(packet);
  if (transport === undefined) return local('local-delivery');
  if (transport.tuple === undefined) return drop('transport-truncated');
  let connection = host.connections.findRequest(transport.tuple);
  if (connection === undefined) {
    const answered = host.connections.findReply(transport.tuple);
    if (answered !== undefined) return reply(host, received, answered, transport);
  }
  if (connection !== undefined && !connection.dest.available) {
    if (host.sysctl.expire_nodest_conn === 0) return drop('dest-unavailable');
    host.connections.remove(connection);
    connection = undefined;
  }
  if (connection === undefined) {
    const made = open(host, received, transport);
    if ('verdict' in made) return made;
    connection = made;
  }
  return request(host, received, connection, transport);
}

/** A packet of a connection from its client: counted, followed, sent on. */
function request(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  const { dest } = connection;
  for (const stats of [dest.stats, dest.service.stats]) {
    stats.inPackets += 1n;
    stats.inBytes += BigInt(totalLength(received.packet));
  }
  connection.inPackets += 1;
  host.connections.pass(connection, 'input', transport.tcpFlags, received.now);
  // DR and TUN look no further than the ports, NAT has to rewrite the whole header.
  if (transport.truncated && connection.method === 'nat') return drop('transport-truncated');
  return transmit(host, received, connection);
}

/** A server's packet to a client that is the director itself: translated on the spot, for no hop is taken. */
function reply(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  // The options are the stack's: it fills them in when it gets the packet.
  const given = { ...received.packet, options: received.givenOptions };
  const packet = passReply(host, given, connection, transport, received.now);
  if (packet === undefined) return drop('transport-truncated');
  return { ...local('local-client'), frame: concatenate(received.link, serialiseIpv4(packet)) };
}

/** A new connection for a packet that has none, or the verdict on a packet that may not open one. */
function open(host: Host, received: Received, transport: Transport): Connection | Judgement {
  if (transport.truncated || transport.tuple === undefined) return drop('transport-truncated');
  const { tuple, tcpFlags } = transport;
  const service = host.services.find(tuple.protocol, tuple.destination, tuple.destinationPort);
  if (service === undefined) return local('local-delivery');
  if (tcpFlags !== undefined && !mayOpen(tcpFlags, host.sysctl.sloppy_tcp !== 0)) return local('not-opening');
  if (tuple.sourcePort === FTP_DATA_PORT) return local('ftp-data');
  const dest = service.scheduler.pick(service.dests, schedulerKey(tuple));
  if (dest === undefined) return drop('no-dest', answer(host, 'port-unreachable', received.packet));
  if (host.connections.full) return drop('table-full');
  const connection = host.connections.create(tuple, dest);
  dest.stats.connections += 1n;
  service.stats.connections += 1n;
  return connection;
}

function mayOpen(tcpFlags: number, sloppy: boolean): boolean {
  if ((tcpFlags & TCP_FLAG.rst) !== 0) return false;
  return sloppy || (tcpFlags & TCP_FLAG.syn) !== 0;
}

function schedulerKey(tuple: Tuple): { sourceAddress: number; sourcePort: number } {
  return { sourceAddress: tuple.source, sourcePort: tuple.sourcePort };
}

/** Whether an ICMP message is an error about a TCP or UDP packet. */
function quotesTransport(packet: Ipv4Packet): boolean {
  const [type] = packet.payload;
  const quoted = packet.payload.subarray(ICMP_LENGTH);
  const about = [ICMP_TYPE.destinationUnreachable, ICMP_TYPE.sourceQuench, ICMP_TYPE.timeExceeded];
  if (!about.some((each) => each === type) || quoted.length < 20) return false;
  return quoted[9] === PROTOCOL.tcp || quoted[9] === PROTOCOL.udp;
}
