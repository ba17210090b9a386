/**
 * IPv4 options (RFC 791 §3.1), as the host's IP layer treats them before anything else sees the packet.
 *
 * @module
 */

import type { Host } from './host.js';
import { isMulticast, isUnspecified, LIMITED_BROADCAST } from './packet/address.js';

/** Kinds of options. */
export const OPTION = {
  end: 0,
  noOperation: 1,
  recordRoute: 7,
  timestamp: 68,
  looseRoute: 131,
  cipso: 134,
  strictRoute: 137,
  routerAlert: 148,
} as const;

const MILLISECONDS_PER_DAY = 86_400_000;

/** What the host knows when a packet arrives. */
export interface OptionContext {
  /** Address to record. */
  address: number;
  /** Milliseconds since the Unix epoch. */
  now: number;
  /** Whether an address is one of the host's own. */
  isLocal(address: number): boolean;
  /** Whether an address is the broadcast address of a connected subnet. Default: none is. */
  isSubnetBroadcast?(address: number): boolean;
}

/** What `host` knows at `now` of a packet that is to have `address` recorded. */
export function optionContext({ network }: Host, address: number, now: number): OptionContext {
  return {
    address,
    now,
    isLocal: (one) => network.isLocal(one),
    isSubnetBroadcast: (one) => network.isSubnetBroadcast(one),
  };
}

/** The options after the host has filled in what is its part. */
export interface FilledOptions {
  options: Uint8Array;
  changed: boolean;
  /** Where in `options` the address was recorded: forwarding records it anew with the address of the way out. */
  addressSlots: number[];
}

/** Why a packet is dropped for its options. */
export interface OptionFault {
  reason: 'ipv4-option' | 'source-route';
  /** The byte of the options that is wrong, for a parameter problem; `undefined`: nobody is told. */
  pointer: number | undefined;
  /** The options with what was filled in before: so they are quoted. */
  options: Uint8Array;
}

/** Reads all options and fills in record route and timestamp. */
export function processOptions(options: Uint8Array, context: OptionContext): FilledOptions | OptionFault {
  const filled: FilledOptions = { options: options.slice(), changed: false, addressSlots: [] };
  const seen = new Set<number>();
  let at = 0;
  while (at < options.length && options[at] !== OPTION.end) {
    const type = options[at]!;
    if (type === OPTION.noOperation) {
      at += 1;
      continue;
    }
    const length = options[at + 1] ?? 0;
    const fits = length >= 2 && at + length <= options.length;
    const wrong = fits ? processOne(filled, at, length, seen, context) : 0;
    if (wrong !== undefined) return { reason: 'ipv4-option', pointer: at + wrong, options: filled.options };
    at += length;
  }
  if (options.subarray(at).some((byte) => byte !== OPTION.end)) {
    // Nothing counts behind the end of the list, and nothing is left there.
    filled.options.fill(OPTION.end, at);
    filled.changed = true;
  }
  if (!seen.has(OPTION.looseRoute)) return filled;
  return { reason: 'source-route', pointer: undefined, options: filled.options };
}

/** One option of `length` bytes at `at`; which byte of it is wrong, if one is. */
function processOne(
  filled: FilledOptions,
  at: number,
  length: number,
  seen: Set<number>,
  context: OptionContext,
): number | undefined {
  const type = filled.options[at]!;
  if (type === OPTION.routerAlert) return length >= 4 ? undefined : 1;
  // A label of a domain that the host was not taught.
  if (type === OPTION.cipso) return length < 8 ? 1 : 2;
  // Both source routes count as one kind.
  const kind = type === OPTION.strictRoute ? OPTION.looseRoute : type;
  if (kind !== OPTION.recordRoute && kind !== OPTION.timestamp && kind !== OPTION.looseRoute) return undefined;
  const isSecond = seen.has(kind);
  seen.add(kind);
  // A second source route is only noticed when it is well-formed.
  if (isSecond && kind !== OPTION.looseRoute) return 0;
  if (kind === OPTION.timestamp) return processTimestamp(filled, at, length, context);
  if (length < 3) return 1;
  if (filled.options[at + 2]! < 4) return 2;
  if (kind === OPTION.looseRoute) return isSecond ? 0 : undefined;
  return processRecordRoute(filled, at, length, context);
}

/** Record route: the pointer counts from 1, from the option's first byte; beyond the length the route is full. */
function processRecordRoute(
  filled: FilledOptions,
  at: number,
  length: number,
  context: OptionContext,
): number | undefined {
  const pointer = filled.options[at + 2]!;
  if (pointer > length) return undefined;
  if (pointer + 3 > length) return 2;
  recordAddress(filled, at + pointer - 1, context.address);
  filled.options[at + 2] = pointer + 4;
  return undefined;
}

/** Timestamp: its fourth byte holds an overflow count and a flag of 4 bits each. */
function processTimestamp(
  filled: FilledOptions,
  at: number,
  length: number,
  context: OptionContext,
): number | undefined {
  if (length < 4) return 1;
  const view = new DataView(filled.options.buffer);
  const pointer = view.getUint8(at + 2);
  const flag = view.getUint8(at + 3) & 0xf;
  const overflow = view.getUint8(at + 3) >>> 4;
  const time = Math.floor(context.now) % MILLISECONDS_PER_DAY;
  if (pointer < 5) return 2;
  if (pointer > length) {
    // Prespecified addresses: those who are not named have nothing to add.
    if (flag === 3) return undefined;
    if (overflow === 15) return 3;
    view.setUint8(at + 3, ((overflow + 1) << 4) | flag);
    filled.changed = true;
    return undefined;
  }
  if (pointer + 3 > length) return 2;
  const slot = at + pointer - 1;
  const size = flag === 0 ? 4 : 8;
  if (flag !== 0 && flag !== 1 && flag !== 3) return undefined;
  if (pointer + size - 1 > length) return 2;
  if (flag === 3 && isAnotherHost(view.getUint32(slot), context)) return undefined;
  // Unlike that of record route it stays when the packet is forwarded.
  if (flag === 1) view.setUint32(slot, context.address);
  view.setUint32(slot + size - 4, time);
  view.setUint8(at + 2, pointer + size);
  filled.changed = true;
  return undefined;
}

/** Whether a prespecified address is one host's, and not ours: Linux takes all others for itself. */
function isAnotherHost(address: number, context: OptionContext): boolean {
  if (isUnspecified(address) || isMulticast(address) || address === LIMITED_BROADCAST) return false;
  return !context.isLocal(address) && context.isSubnetBroadcast?.(address) !== true;
}

function recordAddress(filled: FilledOptions, slot: number, address: number): void {
  new DataView(filled.options.buffer).setUint32(slot, address);
  filled.addressSlots.push(slot);
  filled.changed = true;
}

/** The options with another address in the recorded slots. */
export function recordAgain(options: Uint8Array, slots: readonly number[], address: number): Uint8Array {
  const changed = options.slice();
  for (const slot of slots) new DataView(changed.buffer).setUint32(slot, address);
  return changed;
}
