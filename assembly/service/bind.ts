/**
 * What points to dests: connections, templates and schedulers' caches.
 *
 * @module
 */
import { DestFlag } from '../../src/abi/tables';
import { Dest } from './dest';
import { releaseTrashed } from './trash';

/** Counts a new connection, and closes an overfull dest to further ones. */
export function bindDest(dest: Dest): void {
  dest.inactive += 1;
  bindTemplate(dest);
}

/** The same for a template, which is neither active nor inactive. */
export function bindTemplate(dest: Dest): void {
  dest.conns += 1;
  const upper = dest.upperThreshold;
  if (upper != 0 && dest.active + dest.inactive >= upper) dest.flags = dest.flags | DestFlag.Overload;
}

/** Counts a connection out, and opens the dest again when it has fallen far enough. */
export function unbindDest(dest: Dest, wasActive: bool): void {
  if (wasActive) dest.active -= 1;
  else dest.inactive -= 1;
  unbindTemplate(dest);
}

/** The same for a template. */
export function unbindTemplate(dest: Dest): void {
  dest.conns -= 1;
  const total = dest.active + dest.inactive;
  const lower = dest.lowerThreshold;
  const upper = dest.upperThreshold;
  const reopens = lower != 0 ? total < lower : upper == 0 || <u64>total * 4 < <u64>upper * 3;
  if (reopens) dest.flags = dest.flags & ~DestFlag.Overload;
  if (dest.isForgotten) releaseTrashed(dest);
}

/** A scheduler's cache points to a dest from now on. */
export function holdDest(dest: Dest): void {
  dest.held += 1;
}

/** It does no more. */
export function releaseDest(dest: Dest): void {
  dest.held -= 1;
  if (dest.isForgotten) releaseTrashed(dest);
}
