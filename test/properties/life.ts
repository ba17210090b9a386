/**
 * The life of two directors over IPv4, step by step.
 *
 * @module
 */
import type { DestConfig } from '../../src/types.js';
import { frameOf } from './frames.js';
import { flowsOf, type Step } from './steps.js';
import type { Twins } from './twins.js';
import { KEYS, networkOf } from './world.js';

/** Does the step to both. @throws Error that names the first difference. */
export function live(twins: Twins, step: Step): void {
  switch (step.kind) {
    case 'time':
      twins.pass(step.ms);
      break;
    case 'sysctl':
      twins.both('setSysctl', step.sysctl);
      break;
    case 'network':
      twins.setNetwork(networkOf(step.network));
      break;
    case 'timeouts':
      twins.both('setTimeouts', { tcp: step.tcp, tcpfin: step.tcpfin, udp: step.udp });
      break;
    case 'service':
      twins.both(`${step.what}Service`, step.service);
      break;
    case 'dest': {
      const key = KEYS[step.key] as (typeof KEYS)[number];
      const { dests = [] } =
        twins.reference
          .services()
          .find((each) => 'address' in each && each.address === key.address && each.port === key.port) ?? {};
      const { address, port } = (step.what === 'add' ? undefined : dests[step.there]) ?? step.dest;
      // A dest keeps its port only with NAT.
      const method = port === key.port ? step.dest.method : 'nat';
      twins.both(`${step.what}Dest`, key, { ...step.dest, address, port, method } as DestConfig);
      break;
    }
    default: {
      const arrival = frameOf(step, twins.network, flowsOf(twins.connections()));
      if (arrival !== undefined) twins.send(arrival);
    }
  }
}
