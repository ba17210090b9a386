/**
 * Packets of a connection from its client, wherever they are looked for.
 *
 * @module
 */
import { type Connection, isOneWay } from './connection.js';
import { countRequest } from './counts.js';
import { hearExpected } from './expiry.js';
import { hearSyn, initialNumber } from './fullnat/numbers.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { ipLength } from './packet/ip.js';
import { isOpening, type Transport } from './ports.js';
import { endOnce } from './schedule.js';
import type { Service } from './services.js';
import { hasEnded } from './states.js';
import { type Answer, isPlainSyn, readAnswer } from './synproxy/handshake.js';
import { keep } from './synproxy/kept.js';
import { isAsking } from './synproxy/proxied.js';
import { isOfStorm } from './synproxy/storm.js';

/**
 * What becomes of a packet from a client.
 *
 * @param connection the packet's, if it has one
 * @param open makes one
 * @param pass sends the packet on in one
 * @param proxy the service that the packet is for, if that answers SYNs itself
 */
export function serve<Passed>(
  host: Host,
  received: Received,
  connection: Connection | undefined,
  transport: Transport,
  open: () => Connection | Judgement,
  pass: (connection: Connection) => Passed,
  proxy?: Service,
): Passed | Judgement {
  const answer = proxy && connection && readOtherAnswer(host, received, connection, transport);
  const isAgain =
    connection !== undefined && mayBeginAgain(host, connection) && (isOpening(transport) || answer !== undefined);
  if (connection !== undefined && !isAgain) {
    if (connection.dest?.available !== false) return stopped(host, received, connection) ?? pass(connection);
    if (host.sysctl.expire_nodest_conn === 0) return drop('dest-unavailable');
  }
  const made = open();
  // Anybody may send a SYN that is answered, and who answers a cookie may open nothing: neither ends anything.
  const isHarmless = answer !== undefined || (proxy !== undefined && isPlainSyn(received));
  if ('verdict' in made && isHarmless) return made;
  const judgement = 'verdict' in made ? made : pass(made);
  if (!('verdict' in made)) endOnce(host, made);
  // A timer ends the old one: until then its dest counts it, and what is told of its tuple may be of it.
  if (connection !== undefined && !(isAgain && connection.controlled.size > 0))
    host.connections.end(connection, received.now);
  return judgement;
}

/** What a packet of a connection says to a cookie that its client has got besides. */
function readOtherAnswer(
  host: Host,
  received: Received,
  { proxied }: Connection,
  { tuple }: Transport,
): Answer | undefined {
  const answer = tuple && readAnswer(host, received, tuple);
  return answer?.isn === proxied?.isn ? undefined : answer;
}

/** Why the SYN proxy lets a packet of a connection go no further. */
function stopped(host: Host, received: Received, connection: Connection): Judgement | undefined {
  if (isAsking(connection)) {
    return keep(host, received, connection) ?? drop('syn-proxy-wait');
  }
  return isOfStorm(host, received.packet, connection, received.now) ? drop('ack-storm') : undefined;
}

/** Whether another connection may begin in the place of this one: it has ended, or its dest takes no new ones. */
function mayBeginAgain(host: Host, connection: Connection): boolean {
  const { dest, state, control } = connection;
  const { expire_nodest_conn, conn_reuse_mode } = host.sysctl;
  if (expire_nodest_conn !== 0 && dest?.weight === 0) return true;
  // One that is under control waits for its timeout.
  if (conn_reuse_mode === 0 || control !== undefined) return false;
  const isHalfSeen = (conn_reuse_mode & 2) !== 0 && state === 'FIN_WAIT' && isOneWay(connection);
  return hasEnded(state) || isHalfSeen;
}

/** The packet is counted, and the connection follows it. */
export function follow(host: Host, received: Received, connection: Connection, transport: Transport): void {
  countRequest(ipLength(received.packet), connection);
  connection.inPackets += 1;
  listen(host, received, connection);
  const { state } = connection;
  host.connections.pass(connection, 'input', transport.event, received.now);
  hearExpected(host, received.packet, connection, 'input', state);
}

/** The numbers that FullNAT gives to a client's SYN. */
function listen({ key }: Host, { packet, now }: Received, connection: Connection): void {
  const { fullnat, proxied, state, destAddress, destPort } = connection;
  // Behind the SYN proxy they were given when its server was asked.
  if (fullnat === undefined || proxied !== undefined) return;
  const server = { address: destAddress, port: destPort };
  hearSyn(packet, fullnat.numbers, state, () => initialNumber(fullnat.local, server, key, now));
}
