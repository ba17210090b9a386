/**
 * Datagrams under reassembly: found by what their fragments have in common, and by age.
 *
 * @module
 */
import {
  DATAGRAM_SIZE,
  DGM_BYTES,
  DGM_CHAIN,
  DGM_COUNT,
  DGM_DESTINATION,
  DGM_ECN,
  DGM_END,
  DGM_FAMILY,
  DGM_HAS_LAST,
  DGM_HEAD,
  DGM_HEADER,
  DGM_ID,
  DGM_LAST,
  DGM_LAST_RUN,
  DGM_MAX,
  DGM_MAX_DF,
  DGM_NEWER,
  DGM_OLDER,
  DGM_PROTOCOL,
  DGM_RUNS,
  DGM_SINCE,
  DGM_SOURCE,
} from '../../src/abi/frames';
import {
  SB_DATAGRAM_AGES,
  SB_DATAGRAM_COUNT,
  SB_DATAGRAM_FREE,
  SB_DATAGRAM_HIGH,
  SB_DATAGRAM_MAX,
  SB_DATAGRAMS,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import { Family } from '../../src/abi/tables';
import { freeChain } from '../block';
import { hashAny } from '../conn/hash';
import { field, now32, setField } from '../superblock';
import { copyAddress6, sameAddress6 } from '../wire/ipv6';
import { following, takeFirstRun } from './run';

/** View of a record. */
@unmanaged
@final
export class Datagram {
  /** When its first fragment came in: low half, in milliseconds. */
  get since(): u32 {
    return load<u32>(changetype<usize>(this), DGM_SINCE);
  }
  get isV6(): bool {
    return load<u8>(changetype<usize>(this), DGM_FAMILY) == Family.V6;
  }
  /** Identification, as loaded. */
  get id(): u32 {
    return load<u32>(changetype<usize>(this), DGM_ID);
  }
  /** 1 << ECN field of all fragments. */
  get ecn(): u32 {
    return load<u8>(changetype<usize>(this), DGM_ECN);
  }
  set ecn(value: u32) {
    store<u8>(changetype<usize>(this), value, DGM_ECN);
  }
  /** Whether `end` is where the datagram ends. */
  get hasLast(): bool {
    return load<u8>(changetype<usize>(this), DGM_HAS_LAST) != 0;
  }
  set hasLast(value: bool) {
    store<u8>(changetype<usize>(this), value ? 1 : 0, DGM_HAS_LAST);
  }
  /** Address of the root of its tree of runs. */
  get runs(): usize {
    return changetype<usize>(this) + DGM_RUNS;
  }
  get lastRun(): usize {
    return load<u32>(changetype<usize>(this), DGM_LAST_RUN);
  }
  set lastRun(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DGM_LAST_RUN);
  }
  /** The last fragment of the last run. */
  get last(): usize {
    return load<u32>(changetype<usize>(this), DGM_LAST);
  }
  set last(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DGM_LAST);
  }
  /** Payload bytes so far. */
  get bytes(): u32 {
    return load<u32>(changetype<usize>(this), DGM_BYTES);
  }
  set bytes(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_BYTES);
  }
  /** The highest end of a fragment so far. */
  get end(): u32 {
    return load<u32>(changetype<usize>(this), DGM_END);
  }
  set end(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_END);
  }
  /** Fragments so far. */
  get count(): u32 {
    return load<u32>(changetype<usize>(this), DGM_COUNT);
  }
  set count(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_COUNT);
  }
  /** Bytes in front of the payload of the first fragment, without an IPv6 fragment header. */
  get headerLength(): u32 {
    return load<u32>(changetype<usize>(this), DGM_HEADER);
  }
  set headerLength(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_HEADER);
  }
  /** Length of the longest fragment, as an IP packet; and of the longest with DF. */
  get longest(): u32 {
    return load<u32>(changetype<usize>(this), DGM_MAX);
  }
  set longest(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_MAX);
  }
  get longestDf(): u32 {
    return load<u32>(changetype<usize>(this), DGM_MAX_DF);
  }
  set longestDf(value: u32) {
    store<u32>(changetype<usize>(this), value, DGM_MAX_DF);
  }

  get chain(): usize {
    return load<u32>(changetype<usize>(this), DGM_CHAIN);
  }
  set chain(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DGM_CHAIN);
  }
  get older(): usize {
    return load<u32>(changetype<usize>(this), DGM_OLDER);
  }
  set older(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DGM_OLDER);
  }
  get newer(): usize {
    return load<u32>(changetype<usize>(this), DGM_NEWER);
  }
  set newer(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DGM_NEWER);
  }

  /** Whether it is the datagram of this family, these addresses, this protocol and this identification. */
  isOf(family: u32, source: usize, destination: usize, protocol: u32, id: u32): bool {
    const at = changetype<usize>(this);
    return (
      load<u32>(at, DGM_ID) == id &&
      load<u8>(at, DGM_FAMILY) == family &&
      load<u8>(at, DGM_PROTOCOL) == protocol &&
      sameAddress(family, at + DGM_SOURCE, source) &&
      sameAddress(family, at + DGM_DESTINATION, destination)
    );
  }
}

function sameAddress(family: u32, a: usize, b: usize): bool {
  return family == Family.V6 ? sameAddress6(a, b) : load<u32>(a) == load<u32>(b);
}

function copyAddress(family: u32, to: usize, from: usize): void {
  if (family == Family.V6) copyAddress6(to, from);
  else store<u32>(to, load<u32>(from));
}

/** Where the list of the records with this hash begins. */
function headOf(hash: u64): usize {
  const bucket = <u32>(hash >> 32) % field(SB_DATAGRAM_MAX);
  return <usize>field(SB_DATAGRAMS) + <usize>bucket * DATAGRAM_SIZE + DGM_HEAD;
}

/** Where the list by age begins for a family: the oldest, then the newest. */
function agesOf(v6: bool): usize {
  return SUPERBLOCK + SB_DATAGRAM_AGES + (v6 ? 8 : 0);
}

/** The datagram with this key; 0 when no fragment of it is held. The key is as loaded from the wire. */
export function findDatagram(family: u32, source: usize, destination: usize, protocol: u32, id: u32): usize {
  let at = <usize>load<u32>(headOf(hashAny(family == Family.V6, source, destination, id, protocol)));
  while (at != 0 && !changetype<Datagram>(at).isOf(family, source, destination, protocol, id)) {
    at = changetype<Datagram>(at).chain;
  }
  return at;
}

/** A record, of those given back or of those never used; 0 when all are in use. */
function takeRecord(): usize {
  const free = <usize>field(SB_DATAGRAM_FREE);
  if (free != 0) {
    setField(SB_DATAGRAM_FREE, <u32>changetype<Datagram>(free).chain);
    return free;
  }
  const high = field(SB_DATAGRAM_HIGH);
  if (high == field(SB_DATAGRAM_MAX)) return 0;
  setField(SB_DATAGRAM_HIGH, high + 1);
  return <usize>field(SB_DATAGRAMS) + <usize>high * DATAGRAM_SIZE;
}

/** A datagram with this key and no fragment yet; 0 when there is no room for one more. */
export function openDatagram(family: u32, source: usize, destination: usize, protocol: u32, id: u32): usize {
  const at = takeRecord();
  if (at == 0) return 0;
  setField(SB_DATAGRAM_COUNT, field(SB_DATAGRAM_COUNT) + 1);
  // All but the list of the hash, which is not this datagram's.
  memory.fill(at, 0, DGM_HEAD);
  store<u32>(at, now32(), DGM_SINCE);
  store<u8>(at, family, DGM_FAMILY);
  store<u8>(at, protocol, DGM_PROTOCOL);
  store<u32>(at, id, DGM_ID);
  copyAddress(family, at + DGM_SOURCE, source);
  copyAddress(family, at + DGM_DESTINATION, destination);

  const datagram = changetype<Datagram>(at);
  const head = headOf(hashAny(family == Family.V6, source, destination, id, protocol));
  datagram.chain = load<u32>(head);
  store<u32>(head, <u32>at);

  const ages = agesOf(family == Family.V6);
  const newest = <usize>load<u32>(ages, 4);
  datagram.older = newest;
  datagram.newer = 0;
  if (newest == 0) store<u32>(ages, <u32>at);
  else changetype<Datagram>(newest).newer = at;
  store<u32>(ages, <u32>at, 4);
  return at;
}

/** Forgets a datagram and all that is left of its fragments. */
export function closeDatagram(datagram: Datagram): void {
  for (let run = takeFirstRun(datagram.runs); run != 0; run = takeFirstRun(datagram.runs)) freeRun(run);

  const at = changetype<usize>(datagram);
  const hash = hashAny(
    datagram.isV6,
    at + DGM_SOURCE,
    at + DGM_DESTINATION,
    load<u32>(at, DGM_ID),
    load<u8>(at, DGM_PROTOCOL),
  );
  let link = headOf(hash);
  while (load<u32>(link) != <u32>at) link = <usize>load<u32>(link) + DGM_CHAIN;
  store<u32>(link, <u32>datagram.chain);

  const ages = agesOf(datagram.isV6);
  const older = datagram.older;
  const newer = datagram.newer;
  if (older == 0) store<u32>(ages, <u32>newer);
  else changetype<Datagram>(older).newer = newer;
  if (newer == 0) store<u32>(ages, <u32>older, 4);
  else changetype<Datagram>(newer).older = older;

  datagram.chain = field(SB_DATAGRAM_FREE);
  setField(SB_DATAGRAM_FREE, <u32>at);
  setField(SB_DATAGRAM_COUNT, field(SB_DATAGRAM_COUNT) - 1);
}

/** Gives the blocks of a run's fragments back. */
export function freeRun(run: usize): void {
  for (let fragment = run; fragment != 0; ) {
    const next = following(fragment);
    freeChain(fragment);
    fragment = next;
  }
}

/** The datagram of the family that waits longest; 0 when there is none. */
export function oldestDatagram(v6: bool): usize {
  return load<u32>(agesOf(v6));
}
