/**
 * AH and ESP, of clients with a connection of ISAKMP and without one.
 *
 * @module
 */
import { counting } from '../../support/packets.js';
import { AH, ESP, ip } from './bytes.js';
import type { Context, Kind, Move } from './context.js';
import type { Flow } from './flows.js';
import { request } from './requests.js';
import { ipWords, receivedLength } from './shapes.js';
import { HOSTS, type ServiceWorld } from './world.js';

/** Of ISAKMP, at both ends (RFC 2408 §2.5.1). */
const ISAKMP = 500;

/** A security association's packet: of AH the header that says what follows, of ESP nothing that anybody can read. */
function packetOf(context: Context, source: string, destination: string): Uint8Array {
  const { random, world } = context;
  const protocol = random.of([AH, ESP]);
  const length = random.of([0, 1, 3, 4, 7, 8, 24, 60, 200, 600, 1300, 1460, 1480, 1500]);
  const body = counting(Math.min(length, receivedLength(world, 'cli') - 40), random.below(256));
  if (protocol === AH) body.set([6, 4, 0, 0].slice(0, body.length));
  return ip({ ...ipWords(random), source, destination, protocol }, body);
}

function fromClient(context: Context, { client, service }: Flow): Move {
  return { step: context.frame('cli', packetOf(context, client, service.vip), 'ipsec') };
}

function fromServer(context: Context, { client, server }: Flow): Move[] {
  if (server === undefined || server.method !== 'nat') return [];
  return [{ step: context.frame(server.wire, packetOf(context, server.address, client), 'ipsec', server.mac) }];
}

/** From whom no key exchange is known, to a service or another address. */
function fromAnybody(context: Context, { vip, family }: ServiceWorld): Move {
  const { random } = context;
  const destination = random.of([vip, HOSTS[family].own, random.of(HOSTS[family].servers)]);
  return { step: context.frame('cli', packetOf(context, context.client(family), destination), 'ipsec') };
}

export const ipsec: Kind = {
  weight: 3,
  make(context) {
    const { random, world, flows } = context;
    const service = world.services.find(({ protocol, port }) => protocol === 'udp' && port === ISAKMP);
    if (service === undefined) return random.once(6) ? world.services.map((one) => fromAnybody(context, one)) : [];
    const flow = flows.of(service, context.client(service.family), ISAKMP);
    switch (random.below(6)) {
      case 0:
        return [request(context, flow, 'ipsec', { ttl: 64 })];
      case 1:
      case 2:
        return fromServer(context, flow);
      case 3:
        return [fromAnybody(context, service)];
      default:
        return [fromClient(context, flow)];
    }
  },
};
