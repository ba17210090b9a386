/**
 * Weighted failover, and overflow: the heaviest dest takes all, until it goes or is full; the earlier in the list wins ties.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isUsable } from './load';

/** The usable dest of the highest weight; 0 when none is usable. */
export function pickFo(service: Service): usize {
  return heaviest(service, false);
}

/** The same among those that have no more active connections than their weight. */
export function pickOvf(service: Service): usize {
  return heaviest(service, true);
}

function heaviest(service: Service, overflows: bool): usize {
  let found: usize = 0;
  let weight: i32 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (!isUsable(dest) || dest.weight <= weight) continue;
    if (overflows && dest.active > <u32>dest.weight) continue;
    found = at;
    weight = dest.weight;
  }
  return found;
}
