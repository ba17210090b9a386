/**
 * Rules and switches that change between packets.
 *
 * @module
 */
import type { Step } from '../case.js';
import type { Random } from '../random.js';
import { isSix } from './bytes.js';
import type { Context, Kind } from './context.js';
import {
  type DestWorld,
  deleteDestRule,
  deleteServiceRule,
  destRule,
  type Method,
  ownPort,
  randomDest,
  type ServiceWorld,
  serviceRule,
} from './world.js';

const command = (text: string): Step => ({ kind: 'command', text });

/** The same dest by another method, if it can have one. */
function otherwise(dest: DestWorld, service: ServiceWorld, random: Random): DestWorld {
  const isFixed = dest.port !== ownPort(service) || isSix(dest.address) !== (service.family === 6);
  return isFixed ? dest : { ...dest, method: random.of<Method>(['nat', 'dr', 'tun']) };
}

function ruleChange(context: Context, service: ServiceWorld): string[] {
  const { random, world } = context;
  const fresh = randomDest(random, service);
  const there = service.dests.length === 0 ? fresh : random.of(service.dests);
  switch (random.below(8)) {
    case 0:
    case 1:
      return [destRule('-a', service, random.once(2) ? there : fresh, random, world.zeroWeights)];
    case 2:
    case 3:
      return [deleteDestRule(service, there)];
    case 4:
    case 5:
      return [
        destRule('-e', service, random.once(2) ? there : otherwise(there, service, random), random, world.zeroWeights),
      ];
    case 6:
      return serviceRule(service, random, '-E');
    default:
      // Frames of a mark without a service would still be routed to the host.
      return random.once(3) && service.mark === undefined ? [deleteServiceRule(service)] : serviceRule(service, random);
  }
}

/** A switch that changes now and then. */
const SWITCHES = ['sloppy_tcp', 'sloppy_sctp', 'pmtu_disc', 'nat_icmp_send', 'schedule_icmp'];

export const control: Kind = {
  weight: 1,
  make(context) {
    const { random } = context;
    if (random.once(5)) {
      const text = random.once(8)
        ? `net/ipv4/ip_forward=${random.below(2)}`
        : `net/ipv4/vs/${random.of(SWITCHES)}=${random.below(2)}`;
      return [{ step: { kind: 'sysctl', text } }];
    }
    const service = context.service();
    return service === undefined ? [] : ruleChange(context, service).map((text) => ({ step: command(text) }));
  },
};
