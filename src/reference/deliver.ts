/**
 * Packets that the host takes in: those that IPVS takes, and the rest, which is the host's own.
 *
 * @module
 */
import { type Connection, isOneWay, type Tuple } from './connections.js';
import { countRequest } from './counts.js';
import { hearExpected } from './expiry.js';
import { sendBack } from './fullnat/back.js';
import { hearSyn, initialNumber } from './fullnat/numbers.js';
import { drop, type Host, type Judgement, local, type Received } from './host.js';
import { ipLength } from './packet/ip.js';
import { isOpening, mayOpen, readTransport, type Transport } from './ports.js';
import { judgeOwnError } from './related.js';
import { passReply } from './reply.js';
import { endOnce, schedule } from './schedule.js';
import { hasEnded } from './states.js';
import { isStray } from './stray.js';
import { given, tell, transmit } from './transmit.js';
import { isIcmp, upperLayer } from './upper.js';

/** Judges a packet that is addressed to the director, or has the mark of a service. */
export function deliver(host: Host, received: Received): Judgement {
  const { packet } = received;
  const upper = upperLayer(packet);
  if (upper === undefined) return local('local-delivery');
  if (isIcmp(packet, upper)) return judgeOwnError(host, received, upper.bytes);
  const transport = readTransport(packet);
  if (transport === undefined) return local('local-delivery');
  if (transport.tuple === undefined) return drop('transport-truncated');
  const connection = host.connections.findRequest(transport.tuple);
  if (connection === undefined) {
    const answered = host.connections.findReply(transport.tuple);
    if (answered !== undefined) return reply(host, received, answered, transport);
  }
  if (isStray(host, transport)) return drop('no-connection', tell(host, received, 'port-unreachable', packet));
  const isAgain = connection !== undefined && beginsAgain(host, connection, transport);
  if (connection !== undefined && !isAgain) {
    if (connection.dest?.available !== false) return request(host, received, connection, transport);
    if (host.sysctl.expire_nodest_conn === 0) return drop('dest-unavailable');
  }
  const made = open(host, received, transport, transport.tuple);
  const judgement = 'verdict' in made ? made : request(host, received, made, transport);
  if (!('verdict' in made)) endOnce(host, made);
  // A timer ends the old one: until then its dest counts it, and what is told of its tuple may be of it.
  if (connection !== undefined && !(isAgain && connection.controlled.size > 0)) {
    host.connections.end(connection, received.now);
  }
  return judgement;
}

/** Whether a packet is the first of a new connection, although it has one: that has ended, or its dest takes no new ones. */
function beginsAgain(host: Host, connection: Connection, transport: Transport): boolean {
  if (!isOpening(transport)) return false;
  const { dest, state, control } = connection;
  const { expire_nodest_conn, conn_reuse_mode } = host.sysctl;
  if (expire_nodest_conn !== 0 && dest?.weight === 0) return true;
  // One that is under control waits for its timeout.
  if (conn_reuse_mode === 0 || control !== undefined) return false;
  const isHalfSeen = (conn_reuse_mode & 2) !== 0 && state === 'FIN_WAIT' && isOneWay(connection);
  return hasEnded(state) || isHalfSeen;
}

/** A packet of a connection from its client: counted, followed, sent on. */
function request(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  countRequest(ipLength(received.packet), connection);
  connection.inPackets += 1;
  listen(host, received, connection);
  const { state } = connection;
  host.connections.pass(connection, 'input', transport.event, received.now);
  hearExpected(host, received.packet, connection, 'input', state);
  if (connection.awaitsPort && connection.method === 'nat' && transport.tuple !== undefined) {
    host.connections.fillPort(connection, transport.tuple.sourcePort);
  }
  return transmit(host, received, connection, transport.truncated);
}

/** The numbers that FullNAT gives to a client's SYN. */
function listen({ key }: Host, { packet, now }: Received, { fullnat, state, destAddress, destPort }: Connection): void {
  if (fullnat === undefined) return;
  const server = { address: destAddress, port: destPort };
  hearSyn(packet, fullnat.numbers, state, () => initialNumber(fullnat.local, server, key, now));
}

/** A server's packet: by FullNAT to whoever the client is; else that is the director itself, and no hop is taken. */
function reply(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  if (connection.fullnat !== undefined) return sendBack(host, received, connection, transport);
  const passed = passReply(host, received, connection, transport);
  return 'verdict' in passed ? passed : { ...local('local-client'), frame: given(received, passed) };
}

/** A new connection for a packet that has none, or the verdict on a packet that may not open one. */
function open(host: Host, received: Received, transport: Transport, tuple: Tuple): Connection | Judgement {
  if (transport.isSecured) return local('local-delivery');
  const opens = mayOpen(transport, { tcp: host.sysctl.sloppy_tcp !== 0, sctp: host.sysctl.sloppy_sctp !== 0 });
  if (opens === undefined) return drop('transport-truncated');
  const service = host.services.find(received.mark, tuple.protocol, tuple.destination, tuple.destinationPort);
  if (service === undefined) return local('local-delivery');
  if (!opens) return local('not-opening');
  return schedule(host, received, service, tuple, tuple.destination, false);
}
