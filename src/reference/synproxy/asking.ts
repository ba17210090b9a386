/**
 * Between a client's answer to its cookie and the server's to its SYN.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import { countReply, countRequest } from '../counts.js';
import { hearServersNumbers, initialNumber, noNumbers } from '../fullnat/numbers.js';
import { drop, type Host, type Judgement, type Received } from '../host.js';
import { type Leaving, leave, made, makeSegment, type SegmentEnds } from '../own.js';
import { type IpPacket, ipLength } from '../packet/ip.js';
import { hasFlag, TCP_FLAG, type TcpSegment } from '../packet/tcp.js';
import { segmentIn } from '../segment.js';
import { requestTuple } from '../tuples.js';
import type { ReferenceOutcome } from '../types.js';
import { clockFor } from './cookie.js';
import { become, isWhole } from './handshake.js';
import { keep } from './kept.js';
import { handshakeOptions, laterOptions, readOffer } from './options.js';
import { type Proxied, scaledWindow, windowForClient, windowForServer } from './proxied.js';
import { leaveInClientsName } from './telling.js';

const { syn, rst, ack } = TCP_FLAG;

/** The client has answered its cookie: its packet becomes a SYN to the server. */
export function askServer(host: Host, received: Received, connection: Connection): Judgement {
  const { packet, now } = received;
  const { fullnat, destAddress, destPort } = connection;
  const { isn } = connection.proxied!;
  countRequest(ipLength(packet), connection);
  connection.inPackets += 1;
  host.connections.ask(connection, now);
  if (fullnat !== undefined) {
    const begun = initialNumber(fullnat.local, { address: destAddress, port: destPort }, host.key, now);
    const numbers = { syn: isn, initial: isn, delta: (begun - isn) >>> 0 };
    Object.assign(fullnat.numbers, noNumbers(fullnat.numbers.header), numbers);
  }
  keep(host, received, connection);
  const leaving = sendSyn(host, connection);
  return typeof leaving === 'string' ? drop(leaving) : become('syn-proxied', leaving);
}

/** A server was silent for too long: it is asked again, or the client hears that there is none. */
export function askAgain(host: Host, connection: Connection, now: number): ReferenceOutcome[] {
  const proxied = connection.proxied!;
  if (proxied.retries === 0) {
    host.connections.remove(connection);
    return made('syn-proxy-reset', leave(host, resetForClient(connection)));
  }
  proxied.retries! -= 1;
  host.connections.ask(connection, now);
  return made('syn-proxied', sendSyn(host, connection));
}

/** A segment of a server that was asked. */
export function hearAsked(host: Host, received: Received, connection: Connection): Judgement {
  const { packet } = received;
  countReply(ipLength(packet), connection);
  const segment = segmentIn(packet);
  if (segment === undefined) return drop('syn-proxy-wait');
  if (!isWhole(received)) return drop('tcp-checksum');
  const isAnswer = hasFlag(segment, 'ack');
  const isReset = hasFlag(segment, 'rst');
  if (isAnswer && segment.acknowledgment !== (initialOf(connection) + 1) >>> 0) {
    if (isReset) return drop('syn-proxy-wait');
    const reset = makeSegment(endsToServer(connection), { sequence: segment.acknowledgment, flags: rst });
    return becomeOrDrop('syn-proxy-reset', leaveForServer(host, connection, reset));
  }
  if (isAnswer && isReset) {
    host.connections.remove(connection);
    return becomeOrDrop('syn-proxy-reset', leave(host, resetForClient(connection), connection.clientAddress));
  }
  if (!isAnswer || !hasFlag(segment, 'syn')) return drop('syn-proxy-wait');
  return hearSynAck(host, received, connection, segment);
}

function hearSynAck(host: Host, { now }: Received, connection: Connection, segment: TcpSegment): Judgement {
  const proxied = connection.proxied!;
  const offer = readOffer(segment);
  const { agreed, cookie, isn } = proxied;
  if (agreed.stamps && offer.stamps === undefined) {
    host.connections.remove(connection);
    const words = { sequence: initialOf(connection) + 1, acknowledgment: segment.sequence + 1, flags: rst | ack };
    const forServer = makeSegment(endsToServer(connection), words);
    const resets = [leave(host, resetForClient(connection)), leaveForServer(host, connection, forServer)];
    return {
      ...drop('syn-proxy-mismatch'),
      made: resets.flatMap((reset) => made('syn-proxy-reset', reset)),
    };
  }
  const clock = clockFor(host.key, requestTuple(connection), now);
  const serverStamp = agreed.stamps ? offer.stamps![0] : undefined;
  Object.assign(proxied, {
    retries: undefined,
    // What was not offered counts for nothing (RFC 7323 §2.2).
    serverScale: agreed.scale === undefined ? undefined : offer.scale,
    shift: (cookie - segment.sequence) >>> 0,
    stampShift: serverStamp === undefined ? 0 : (clock - serverStamp) >>> 0,
  } satisfies Partial<Proxied>);
  host.connections.establish(connection, now);
  if (host.sysctl.conn_expire_tcp_rst !== 0) {
    connection.expected = { server: segment.acknowledgment, client: (cookie + 1) >>> 0 };
  }
  if (connection.fullnat !== undefined) hearServersNumbers(segment, connection.fullnat.numbers);
  const third = makeSegment(endsToServer(connection), {
    sequence: isn + 1,
    acknowledgment: segment.sequence + 1,
    flags: ack,
    window: windowForServer(proxied.window, proxied),
    options: laterOptions(serverStamp === undefined ? undefined : [proxied.stamp, serverStamp]),
  });
  const update = makeSegment(endsToClient(connection), {
    sequence: cookie + 1,
    acknowledgment: isn + 1,
    flags: ack,
    window: windowForClient(segment.window, 0, proxied.scale),
    options: laterOptions(serverStamp === undefined ? undefined : [clock, proxied.stamp]),
  });
  const judgement = becomeOrDrop('syn-proxy-ack', leaveInClientsName(host, third, connection));
  return { ...judgement, made: made('syn-proxy-ack', leave(host, update)), again: proxied.kept };
}

function sendSyn(host: Host, connection: Connection): Leaving {
  const { isn, agreed, window, stamp } = connection.proxied!;
  const { mss, scale, sack, stamps } = agreed;
  const packet = makeSegment(endsToServer(connection), {
    sequence: isn,
    flags: syn,
    window: scaledWindow(window, scale),
    options: handshakeOptions({
      mss,
      sack,
      ...(scale !== undefined && { scale }),
      ...(stamps && { stamps: [stamp, 0] as const }),
    }),
  });
  return leaveInClientsName(host, packet, connection);
}

/** The number of the SYN that the server gets. */
function initialOf({ proxied, fullnat }: Connection): number {
  return (proxied!.isn + (fullnat?.numbers.delta ?? 0)) >>> 0;
}

function resetForClient(connection: Connection): IpPacket {
  const { cookie, isn } = connection.proxied!;
  return makeSegment(endsToClient(connection), { sequence: cookie + 1, acknowledgment: isn + 1, flags: rst | ack });
}

function becomeOrDrop(reason: string, leaving: Leaving): Judgement {
  return typeof leaving === 'string' ? drop(leaving) : become(reason, leaving);
}

function leaveForServer(host: Host, { destAddress }: Connection, packet: IpPacket): Leaving {
  return leave(host, packet, destAddress);
}

function endsToServer({ clientAddress, clientPort, destAddress, destPort, fullnat }: Connection): SegmentEnds {
  const { address: source, port: sourcePort } = fullnat?.local ?? { address: clientAddress, port: clientPort };
  return { source, sourcePort, destination: destAddress, destinationPort: destPort };
}

function endsToClient({ clientAddress, clientPort, virtualAddress, virtualPort }: Connection): SegmentEnds {
  const client = { destination: clientAddress, destinationPort: clientPort };
  return { source: virtualAddress, sourcePort: virtualPort, ...client };
}
