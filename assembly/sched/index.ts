/**
 * The schedulers: which dest a new connection goes to.
 *
 * All of them see the same thing: the service, whose list has the dest added last first, and a
 * key. None sees a packet. A dest is usable when it is not overloaded and its weight is above 0.
 *
 * @module
 */
import { Scheduler } from '../../src/abi/protocol';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { pickRr, rrDestDeleted } from './rr';
import { fillSh, pickSh } from './sh';
import { pickWlc } from './wlc';
import { pickWrr, wrrChanged, wrrStarts } from './wrr';

/**
 * The dest for a new connection of a client, 0 when none is usable. `client` is its address in host order, the words of
 * an IPv6 address folded into one.
 */
export function pickDest(service: Service, client: u32, clientPortBE: u32): usize {
  switch (service.scheduler) {
    case Scheduler.Rr:
      return pickRr(service);
    case Scheduler.Wrr:
      return pickWrr(service);
    case Scheduler.Wlc:
      return pickWlc(service);
    case Scheduler.Sh:
      return pickSh(service, client, clientPortBE);
    default:
      return 0;
  }
}

/** The scheduler begins anew: it was just set. */
export function schedulerStarts(service: Service): void {
  service.cursor = 0;
  switch (service.scheduler) {
    case Scheduler.Wrr:
      wrrStarts(service);
      break;
    case Scheduler.Sh:
      fillSh(service);
      break;
  }
}

/**
 * A dest was added, edited or deleted. For a deleted one, `deleted` is its address and `before`
 * the dest before it in the list (0: the head).
 */
export function schedulerChanged(service: Service, deleted: usize, before: usize): void {
  switch (service.scheduler) {
    case Scheduler.Rr:
      if (deleted != 0) rrDestDeleted(service, deleted, before);
      break;
    case Scheduler.Wrr:
      wrrChanged(service);
      break;
    case Scheduler.Sh:
      fillSh(service);
      break;
  }
}

/** Whether a dest may be given a new connection. */
export function isUsable(dest: Dest): bool {
  return !dest.isOverloaded && dest.weight > 0;
}
