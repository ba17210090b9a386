/**
 * Round robin: go on after the last pick, skip what is not usable.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isUsable } from './load';

/** The next usable dest after the cursor, around the list once; 0 when there is none. */
export function pickRr(service: Service): usize {
  const start = service.cursor;
  let at: usize = start == 0 ? 0 : changetype<Dest>(start).next;
  // To the end of the list, then from its head back to where it began.
  for (; at != 0; at = changetype<Dest>(at).next) {
    if (isUsable(changetype<Dest>(at))) return choose(service, at);
  }
  for (at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    if (isUsable(changetype<Dest>(at))) return choose(service, at);
    if (at == start) break;
  }
  return 0;
}

function choose(service: Service, dest: usize): usize {
  service.cursor = dest;
  return dest;
}

/** The cursor leaves a deleted dest for the one before it. */
export function rrDestDeleted(service: Service, deleted: usize, before: usize): void {
  if (service.cursor == deleted) service.cursor = before;
}
