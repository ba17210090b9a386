/**
 * What an ICMP error takes over of the options of the packet it is about, so that it records its own way, too, and goes back
 * by the route that the packet came (RFC 1812 §4.3.2.6).
 *
 * @module
 */
import { OPTION, type OptionContext, processOptions } from './options.js';

/** The options of an error, and where it goes. */
export interface Echo {
  options: Uint8Array;
  destination: number;
}

type Kind = 'recordRoute' | 'timestamp' | 'sourceRoute' | 'cipso';

/**
 * The options to take over, still without the error's own start.
 *
 * @param options as they were filled in
 * @param source of the packet
 * @param fault the byte of the options that is wrong: of that option and the rest only a wrong label counts
 */
export function echo(options: Uint8Array, source: number, fault = options.length): Echo {
  const found = findOptions(options, fault);
  const turned = turnRound(found.get('sourceRoute'), source);
  const parts = [found.get('recordRoute'), found.get('timestamp'), turned?.option, found.get('cipso')];
  const bytes = parts.flatMap((part) => [...(part ?? [])]);
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return { options: padded, destination: turned?.first ?? source };
}

function findOptions(options: Uint8Array, fault: number): Map<Kind, Uint8Array> {
  const found = new Map<Kind, Uint8Array>();
  let at = 0;
  while (at < fault && options[at] !== OPTION.end) {
    const length = options[at] === OPTION.noOperation ? 1 : options[at + 1]!;
    const kind = kindOf(options[at]!);
    const isWhole = at + length <= fault;
    if (kind !== undefined && (isWhole || kind === 'cipso')) found.set(kind, options.slice(at, at + length));
    if (!isWhole) break;
    at += length;
  }
  return found;
}

function kindOf(type: number): Kind | undefined {
  switch (type) {
    case OPTION.recordRoute:
      return 'recordRoute';
    case OPTION.timestamp:
      return 'timestamp';
    case OPTION.looseRoute:
    case OPTION.strictRoute:
      return 'sourceRoute';
    case OPTION.cipso:
      return 'cipso';
    default:
      return undefined;
  }
}

/** The part of a source route that lies behind the packet, from its last host on, and at the end its source. */
function turnRound(option: Uint8Array | undefined, source: number): { option: Uint8Array; first: number } | undefined {
  if (option === undefined) return undefined;
  const view = new DataView(option.buffer, option.byteOffset, option.byteLength);
  const passed: number[] = [];
  // The pointer counts from 1; beyond the end all of the route was gone.
  for (let end = Math.min(option[2]!, option.length + 1) - 1; end >= 7; end -= 4) passed.push(view.getUint32(end - 4));
  const [first, ...others] = passed;
  if (first === undefined) return undefined;
  const back = passed.at(-1) === source ? others.slice(0, -1) : others;
  // Its only host was the source itself.
  if (passed.length === 1 && first === source) return undefined;
  const turned = new Uint8Array(3 + 4 * (back.length + 1));
  turned.set([option[0]!, turned.length, 4]);
  for (const [i, address] of [...back, source].entries()) new DataView(turned.buffer).setUint32(3 + 4 * i, address);
  return { option: turned, first };
}

/**
 * The options with the address that the error leaves from, and the time; `undefined` when it cannot be sent because half a
 * slot is left.
 */
export function signEcho({ options }: Echo, context: OptionContext): Uint8Array | undefined {
  const signed = options.slice();
  let at = 0;
  for (const type of [OPTION.recordRoute, OPTION.timestamp]) {
    if (signed[at] !== type) continue;
    const length = signed[at + 1]!;
    const option = signed.subarray(at, at + length);
    at += length;
    const left = length + 1 - option[2]!;
    // What is full stays as it is, and a timestamp that has no room for another host's, but for an address.
    const isOthers = type === OPTION.timestamp && (option[3]! & 0xf) === 3;
    if (left <= 0 || (isOthers && left >= 4 && left < 8)) continue;
    const filled = processOptions(option, context);
    if ('reason' in filled) return undefined;
    option.set(filled.options);
  }
  return signed;
}
