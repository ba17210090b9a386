/**
 * Traffic of services as it should be, mostly: clients' packets, servers' replies, and what belongs to no connection.
 *
 * @module
 */
import type { Context, Kind, Move } from './context.js';
import { replyEnds, requestEnds } from './context.js';
import { damaged, oddAddress } from './damage.js';
import type { Flow } from './flows.js';
import { ipOptions, transportPacket, type Wish } from './shapes.js';
import { HOSTS, type Protocol } from './world.js';

/** With some of servers, which a client may be, too. */
export const CLIENT_PORTS = [1000, 1000, 1001, 1002, 1003, 40_000, 20, 65_535, 80, 8080, 0];

/** A packet of a client to a service, as a move. */
export function request(context: Context, flow: Flow, label: string, wish: Wish = {}): Move {
  const packet = transportPacket(context.random, context.world, requestEnds(flow), wish);
  return { step: context.frame('cli', packet, label), flow, direction: 'request' };
}

/** A packet of a flow's server; nothing when it is not known. */
export function reply(context: Context, flow: Flow, label: string, wish: Wish = {}): Move[] {
  const ends = replyEnds(flow);
  if (ends === undefined || flow.server === undefined) return [];
  const packet = transportPacket(context.random, context.world, ends, { ...wish, wire: flow.server.wire });
  return [{ step: context.frame(flow.server.wire, packet, label, flow.server.mac), flow, direction: 'reply' }];
}

/** How a client begins. */
export function opening({ random }: Context, protocol: Protocol): Wish {
  if (protocol === 'udp' || random.once(6)) return {};
  return protocol === 'tcp' ? { flags: 0x02 } : { chunk: 1 };
}

const newFlow: Kind = {
  weight: 14,
  make(context) {
    const service = context.service();
    if (service === undefined) return [];
    const client = context.client(service.family);
    const flow = context.flows.of(service, client, context.random.of(CLIENT_PORTS));
    return [request(context, flow, 'new', opening(context, flow.protocol))];
  },
};

const again: Kind = {
  weight: 14,
  make(context) {
    const flow = context.flow();
    return flow === undefined ? [] : [request(context, flow, 'again')];
  },
};

const replies: Kind = {
  weight: 16,
  make(context) {
    const flow = context.flow();
    return flow === undefined ? [] : reply(context, flow, 'reply');
  },
};

/** A TCP connection from its start to its end, or as far as it gets. */
const handshake: Kind = {
  weight: 2,
  make(context) {
    const flow = context.flow();
    if (flow?.protocol !== 'tcp') return [];
    const ttl = 64;
    return [
      request(context, flow, 'handshake', { flags: 0x02, ttl }),
      ...reply(context, flow, 'handshake', { flags: 0x12, ttl }),
      request(context, flow, 'handshake', { flags: 0x10, ttl }),
      ...reply(context, flow, 'handshake', { flags: context.random.of([0x11, 0x10, 0x04]), ttl }),
      request(context, flow, 'handshake', { flags: context.random.of([0x11, 0x10, 0x04]), ttl }),
      ...reply(context, flow, 'handshake', { flags: 0x10, ttl }),
    ];
  },
};

const damage: Kind = {
  weight: 4,
  make(context) {
    const { random, world } = context;
    const flow = context.flow();
    const ends = flow === undefined ? undefined : random.once(2) ? requestEnds(flow) : replyEnds(flow);
    if (flow === undefined || ends === undefined) return [];
    const wire = ends.source === flow.client ? 'cli' : (flow.server?.wire ?? 'srv');
    const packet = damaged(random, transportPacket(random, world, ends, { wire }));
    return [{ step: context.frame(wire, packet, 'damaged') }];
  },
};

const odd: Kind = {
  weight: 2,
  make(context) {
    const { random, world } = context;
    const service = context.service();
    if (service === undefined) return [];
    const { protocol, family, vip, port: dport } = service;
    const ends = { protocol, source: context.client(family), destination: vip as string, sport: 1000, dport };
    if (random.once(2)) ends.source = oddAddress(random, family === 6, 'source');
    else ends.destination = oddAddress(random, family === 6, 'destination');
    const wire = random.of(['cli', 'cli', 'srv'] as const);
    const packet = transportPacket(random, world, ends, { ...opening(context, protocol), wire });
    return [{ step: context.frame(wire, packet, 'odd') }];
  },
};

const options: Kind = {
  weight: 3,
  make(context) {
    const flow = context.flow();
    if (flow === undefined || flow.service.family === 6) return [];
    const { length: _, ...wish } = { ip: { options: ipOptions(context.random) }, length: 0 };
    return context.random.once(2) ? [request(context, flow, 'options', wish)] : reply(context, flow, 'options', wish);
  },
};

/** To the director itself, through it, or from a server that nobody asked. */
const strange: Kind = {
  weight: 4,
  make(context) {
    const { random, world } = context;
    const family = context.family();
    const { own, inside, vips, servers } = HOSTS[family];
    const protocol = random.of<Protocol>(['tcp', 'udp']);
    const [client, server] = [context.client(family), random.of(servers)];
    const [sport, dport] = [random.of([80, 8080, 53, 4000, 1000]), random.of([81, 80, 1000, 1001, 40_000])];
    const send = (source: string, destination: string, wire: 'cli' | 'srv') => {
      const packet = transportPacket(random, world, { protocol, source, destination, sport, dport }, { wire });
      return [{ step: context.frame(wire, packet, 'strange') }];
    };
    switch (random.below(5)) {
      case 0:
        return send(client, random.of([...vips, own, inside]), 'cli');
      case 1:
        return send(client, server, 'cli');
      case 2:
        return send(server, client, 'srv');
      case 3:
        return send(server, random.of(servers), 'srv');
      default:
        return send(server, random.of(vips), 'srv');
    }
  },
};

export const requests: readonly Kind[] = [newFlow, again, replies, handshake, damage, odd, options, strange];
