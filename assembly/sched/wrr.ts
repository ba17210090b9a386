/**
 * Weighted round robin: rounds in which a dest is taken when its weight reaches the round's own,
 * which falls from round to round by the weights' greatest common divisor.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { commonDivisor } from './load';

/** Greatest common divisor of all weights above 0; 1 when there are none. */
function divisorOf(service: Service): i32 {
  let divisor: i32 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const weight = changetype<Dest>(at).weight;
    if (weight > 0) divisor = commonDivisor(weight, divisor);
  }
  return divisor == 0 ? 1 : divisor;
}

function highestWeight(service: Service): i32 {
  let highest: i32 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    highest = max(highest, changetype<Dest>(at).weight);
  }
  return highest;
}

function measure(service: Service): void {
  service.cursor = 0;
  service.weightStep = divisorOf(service);
  service.maxWeight = highestWeight(service) - (service.weightStep - 1);
}

/** Begins with the heaviest round. */
export function wrrStarts(service: Service): void {
  measure(service);
  service.currentWeight = service.maxWeight;
}

/** The list or a weight changed: back to the head, and the round's weight onto a step of the new divisor. */
export function wrrChanged(service: Service): void {
  measure(service);
  const step = service.weightStep;
  const current = service.currentWeight;
  if (current > service.maxWeight || current == 0) service.currentWeight = service.maxWeight;
  else if (step > 1) service.currentWeight = (current / step) * step + 1;
}

/** The next dest whose weight reaches the round's; 0 when none is usable. */
export function pickWrr(service: Service): usize {
  if (service.maxWeight == 0) return 0;
  const start = service.cursor;
  const step = service.weightStep;
  let weight = service.currentWeight;
  let at = start == 0 ? service.dests : changetype<Dest>(start).next;
  let restarted = false;
  let lowest = false;
  for (;;) {
    // Once the lowest round comes by again, every dest up to where it began has been refused.
    const last = lowest && restarted && start != 0;
    for (; at != 0; at = changetype<Dest>(at).next) {
      const dest = changetype<Dest>(at);
      const found = !dest.isOverloaded && dest.weight >= weight;
      if (found || (last && at == start)) {
        service.cursor = at;
        service.currentWeight = weight;
        return found ? at : 0;
      }
    }
    weight -= step;
    if (weight <= 0) {
      weight = service.maxWeight;
      if (lowest || start == 0) break;
      restarted = true;
    }
    lowest = weight <= step;
    at = service.dests;
  }
  service.cursor = 0;
  service.currentWeight = weight;
  return 0;
}
