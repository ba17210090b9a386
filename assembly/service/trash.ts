/**
 * Deleted dests wait here while connections or schedulers' caches point to them: packets are dropped, and a dest that is
 * added again under the same address comes back with its counts.
 *
 * @module
 */
import { SB_DEST_COUNT, SB_DEST_FREE, SB_DEST_TRASH } from '../../src/abi/superblock';
import { DEST_SIZE } from '../../src/abi/tables';
import { field, setField } from '../superblock';
import { sameAddress6 } from '../wire/ipv6';
import { Dest } from './dest';
import { Service } from './service';

/** Puts a dest that is in no list any more into the trash, or frees it when nothing points to it. */
export function discard(dest: Dest): void {
  if (dest.isForgotten) {
    release(dest);
    return;
  }
  dest.next = field(SB_DEST_TRASH);
  setField(SB_DEST_TRASH, <u32>changetype<usize>(dest));
}

/** Takes the dest of this service's key and of this address out of the trash; 0 when it is not there. */
export function recover(service: Service, family: u32, address: usize, portBE: u32): usize {
  let at = <usize>field(SB_DEST_TRASH);
  while (at != 0) {
    const dest = changetype<Dest>(at);
    if (
      dest.portBE == portBE &&
      dest.family == family &&
      dest.protocol == service.protocol &&
      dest.vportBE == service.portBE &&
      dest.vfamily == service.family &&
      dest.fwmark == service.fwmark &&
      sameAddress6(dest.address, address) &&
      sameAddress6(dest.vaddr, service.address)
    ) {
      unlink(dest);
      return at;
    }
    at = dest.next;
  }
  return 0;
}

/** Frees a dest of the trash that nothing points to any more. */
export function releaseTrashed(dest: Dest): void {
  unlink(dest);
  release(dest);
}

function unlink(dest: Dest): void {
  const address = changetype<usize>(dest);
  let at = <usize>field(SB_DEST_TRASH);
  if (at == address) {
    setField(SB_DEST_TRASH, <u32>dest.next);
    return;
  }
  while (at != 0) {
    const other = changetype<Dest>(at);
    if (other.next == address) {
      other.next = dest.next;
      return;
    }
    at = other.next;
  }
}

function release(dest: Dest): void {
  memory.fill(changetype<usize>(dest), 0, DEST_SIZE);
  dest.next = field(SB_DEST_FREE);
  setField(SB_DEST_FREE, <u32>changetype<usize>(dest));
  setField(SB_DEST_COUNT, field(SB_DEST_COUNT) - 1);
}
