/**
 * Packets that the host takes in: those that IPVS takes, and the rest, which is the host's own.
 *
 * @module
 */
import { tell } from './answer.js';
import type { Connection, Tuple } from './connection.js';
import { sendBack } from './fullnat/back.js';
import { drop, type Host, type Judgement, local, type Received } from './host.js';
import { mayOpen, readTransport, type Transport } from './ports.js';
import { judgeOwnError } from './related.js';
import { passReply } from './reply.js';
import { schedule } from './schedule.js';
import { follow, serve } from './serve.js';
import type { Service } from './services.js';
import { isStray } from './stray.js';
import { askServer } from './synproxy/asking.js';
import { hearStranger } from './synproxy/handshake.js';
import { isAsking } from './synproxy/proxied.js';
import { given, transmit } from './transmit.js';
import { isIcmp, upperLayer } from './upper.js';

/** Judges a packet that is addressed to the director, or has the mark of a service. */
export function deliver(host: Host, received: Received): Judgement {
  const { packet } = received;
  const upper = upperLayer(packet);
  if (upper === undefined) return local('local-delivery');
  const transport = readTransport(packet);
  if (transport === undefined) {
    return isIcmp(packet, upper) ? judgeOwnError(host, received, upper.bytes) : local('local-delivery');
  }
  if (transport.tuple === undefined) return drop('transport-truncated');
  const connection = host.connections.findRequest(transport.tuple);
  if (connection === undefined) {
    const answered = host.connections.findReply(transport.tuple);
    if (answered !== undefined) return reply(host, received, answered, transport);
  }
  if (isStray(host, transport)) return drop('no-connection', tell(host, received, 'port-unreachable', packet));
  return serve(
    host,
    received,
    connection,
    transport,
    () => open(host, received, transport, transport.tuple!),
    (own) => request(host, received, own, transport),
    proxyFor(host, received, transport),
  );
}

/** A packet of a connection from its client: counted, followed, sent on. */
function request(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  if (isAsking(connection)) return askServer(host, received, connection);
  follow(host, received, connection, transport);
  if (connection.awaitsPort && connection.method === 'nat' && transport.tuple !== undefined) {
    host.connections.fillPort(connection, transport.tuple.sourcePort);
  }
  return transmit(host, received, connection, transport.truncated);
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
  const service = serviceOf(host, received, tuple);
  if (service === undefined) return local('local-delivery');
  if (service.synproxy && tuple.protocol === 'tcp') return hearStranger(host, received, service, tuple);
  if (!opens) return local('not-opening');
  return schedule(host, received, service, tuple, tuple.destination, false);
}

function serviceOf({ services }: Host, { mark }: Received, tuple: Tuple): Service | undefined {
  return services.find(mark, tuple.protocol, tuple.destination, tuple.destinationPort);
}

/** The service that answers SYNs itself and that a segment is for. */
function proxyFor(host: Host, received: Received, { tuple, truncated }: Transport): Service | undefined {
  if (tuple?.protocol !== 'tcp' || truncated) return undefined;
  const service = serviceOf(host, received, tuple);
  return service?.synproxy ? service : undefined;
}
