/**
 * Connections of persistent services, which go where a client's template says.
 *
 * @module
 */
import type { Connection, Tuple } from './connection.js';
import { type FullNatRefusal, isPortless, takeLocalEnd } from './fullnat/open.js';
import type { Host } from './host.js';
import { type Address, familyOf } from './packet/address.js';
import { isOfQueries } from './queries.js';
import type { Dest, Persistence, Service } from './services.js';
import { readCallId } from './sip.js';
import type { Template, TemplateKey } from './templates.js';

/** FTP's control port: one template for it and all data connections. */
const FTP_PORT = 21;

/** Why there is no connection. */
export type Refusal = 'no-call-id' | 'no-dest' | 'table-full' | FullNatRefusal;

/**
 * The connection of a client's packet.
 *
 * @param message what the packet carries behind UDP, if that can be looked at
 * @param pick chooses a dest for a client without a template
 */
export function connectPersistently(
  host: Host,
  service: Service,
  persistence: Persistence,
  tuple: Tuple,
  message: Uint8Array | undefined,
  pick: () => Dest | undefined,
  now: number,
): Connection | Refusal {
  const { connections, templates } = host;
  const port = 'fwmark' in service.end ? 0 : service.end.port;
  // Who asks nobody's port asks by the mark.
  const isOwnPort = tuple.destinationPort === port && !isOfQueries(tuple.protocol);
  const usesPort = isOwnPort && port !== FTP_PORT;
  const callId = callIdOf(persistence, tuple, message);
  if (callId === null) return 'no-call-id';
  const key: TemplateKey = {
    ...(!isOwnPort && 'fwmark' in service.end
      ? { protocol: 'ip', virtual: markAddress(service.end.fwmark, tuple.source) }
      : { protocol: tuple.protocol, virtual: tuple.destination }),
    client: networkOf(tuple.source, persistence),
    port: usesPort ? tuple.destinationPort : 0,
    callId,
  };
  let template = findUsable(host, key);
  if (template === undefined) {
    const dest = pick();
    if (dest === undefined) return 'no-dest';
    if (connections.isFull(familyOf(tuple.source))) return 'table-full';
    template = templates.create(key, dest, usesPort ? dest.port : 0, persistence.timeout, now);
  }
  const { dest } = template;
  return under(host, service, template, tuple, isOwnPort && dest.port !== 0 ? dest.port : tuple.destinationPort, now);
}

/**
 * The connection that a server's own datagram opens to a client, of a service with an engine (`--pe`); `undefined` when it
 * opens none.
 *
 * @param tuple of the datagram: from the server to the client
 */
export function connectOutwards(
  host: Host,
  tuple: Tuple,
  message: Uint8Array | undefined,
  now: number,
): Connection | undefined {
  if (tuple.protocol !== 'udp' || tuple.sourcePort === 0) return undefined;
  const dest = host.services.ends.nat('udp', tuple.source, tuple.sourcePort);
  const service = dest?.service;
  if (dest === undefined || service?.engine !== 'sip' || 'fwmark' in service.end || service.end.port === 0)
    return undefined;
  const { address: virtual, port } = service.end;
  const request: Tuple = {
    protocol: 'udp',
    source: tuple.destination,
    sourcePort: tuple.destinationPort,
    destination: virtual,
    destinationPort: port,
  };
  const { persistence } = service;
  if (persistence === undefined) {
    if (host.connections.isFull(familyOf(tuple.source))) return undefined;
    return count(
      service,
      dest,
      host.connections.create(request, dest, now, { destPort: tuple.sourcePort, once: service.once }),
    );
  }
  const callId = callIdOf(persistence, tuple, message);
  if (callId === null) return undefined;
  const key: TemplateKey = {
    protocol: 'udp',
    client: networkOf(tuple.destination, persistence),
    virtual,
    port,
    callId,
  };
  let template = findUsable(host, key, dest);
  if (template === undefined) {
    if (host.connections.isFull(familyOf(tuple.source))) return undefined;
    template = host.templates.create(key, dest, tuple.sourcePort, persistence.timeout, now);
  }
  const made = under(host, service, template, request, tuple.sourcePort, now);
  return typeof made === 'string' ? undefined : made;
}

/** A connection under a template's control. */
function under(
  host: Host,
  service: Service,
  template: Template,
  tuple: Tuple,
  destPort: number,
  now: number,
): Connection | Refusal {
  const { connections, templates } = host;
  templates.use(template, now);
  const { dest } = template;
  if (isPortless(dest, tuple)) return 'client-port-zero';
  if (connections.isFull(familyOf(tuple.source))) return 'table-full';
  const taken = takeLocalEnd(host, dest, destPort, tuple);
  if (typeof taken === 'string') return taken;
  const once = service.once && tuple.protocol === 'udp';
  return count(service, dest, connections.create(tuple, dest, now, { destPort, once, control: template, ...taken }));
}

/** Counts a new connection. */
export function count(service: Service, dest: Dest, connection: Connection): Connection {
  dest.stats.connections += 1n;
  service.stats.connections += 1n;
  return connection;
}

/** The template, unless its dest takes nobody any more, or is not `wanted`: then the template is void. */
function findUsable({ templates, sysctl }: Host, key: TemplateKey, wanted?: Dest): Template | undefined {
  const template = templates.find(key);
  if (template === undefined) return undefined;
  const { dest } = template;
  const isQuiet = sysctl.expire_quiescent_template !== 0 && dest.weight === 0;
  if (dest.available && !isQuiet && (wanted === undefined || wanted === dest)) return template;
  templates.invalidate(template);
  return undefined;
}

/** `null`: there ought to be one. */
function callIdOf(
  { engine }: Persistence,
  { protocol }: Tuple,
  message: Uint8Array | undefined,
): string | undefined | null {
  if (engine === undefined) return undefined;
  return (protocol === 'udp' && message !== undefined ? readCallId(message) : undefined) ?? null;
}

/** What a service looks at of a client's address. */
function networkOf(client: Address, { mask }: Persistence): Address {
  if (typeof client === 'number') return (client & Number(mask)) >>> 0;
  return client & BigInt(mask);
}

/** A mark as an address of the family of `client`: its first four bytes. */
function markAddress(mark: number, client: Address): Address {
  return typeof client === 'number' ? mark : BigInt(mark) << 96n;
}
