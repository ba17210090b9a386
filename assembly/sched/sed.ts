/**
 * Shortest expected delay, and never queue: the fewest active connections for its weight, the new one counted in; the
 * earlier in the list wins ties.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { expected, isLess, isUsable } from './load';

/** The usable dest with the least (active + 1) / weight; 0 when none is usable. */
export function pickSed(service: Service): usize {
  return shortest(service, false);
}

/** The first usable dest without an active connection, else as sed. */
export function pickNq(service: Service): usize {
  return shortest(service, true);
}

function shortest(service: Service, takesIdle: bool): usize {
  let least: Dest | null = null;
  let leastExpected: i64 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (!isUsable(dest)) continue;
    if (takesIdle && dest.active == 0) return at;
    const load = expected(dest);
    if (least == null || isLess(load, dest, leastExpected, least)) {
      least = dest;
      leastExpected = load;
    }
  }
  return changetype<usize>(least);
}
