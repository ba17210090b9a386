/**
 * The client's address as a FullNAT director carries it to the server: in a TCP option (TOA), in an IP option or a header of
 * its own (UOA), or in front of the data (PROXY protocol). For the server's side: a frame in, the client's address out.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';
import { type Headers, locateHeaders } from '../decode/headers.js';
import { CARRIERS, type CarriedClient, type Carrier } from './client.js';
import { addressOption, type Found } from './option.js';
import { proxyHeader } from './proxy.js';

export type { LinkKind } from '../capture/link-type.js';
export type { CarriedClient, Carrier } from './client.js';

/** The protocol number that DPVS gives to its header in front of UDP ("opp"). */
const OPP = 248;
const TCP = 6;
const UDP = 17;
const TOA_KINDS = [254, 253];
const UOA_TYPE = 31;

/**
 * The client's address that a frame carries: `undefined` when it carries none, and for what is damaged or cut off where
 * one would be. Never throws for what is in the frame. @throws TypeError when not given bytes; RangeError for another link or carrier
 *
 * `carrier` is what the director's service has as `carry`: nothing else is looked at. Without it clients can name themselves, as
 * with a PROXY header where the director puts in TOA. Of the PROXY protocol over TCP believe only what begins a connection's
 * data: later a client may send what looks like one.
 *
 * TOA is told by kind and length together: DPVS has 254 for both families, alibaba/LVS 253 for IPv6. Both kinds are
 * free for experiments (RFC 4727 §4), so a frame that no such director sent may have an option of that form by chance.
 */
export function decodeClient(
  frame: Uint8Array,
  link: LinkKind = 'ether',
  carrier?: Carrier,
): CarriedClient | undefined {
  if (!(frame instanceof Uint8Array)) throw new TypeError('expected a frame as a Uint8Array');
  if (link !== 'ether' && link !== 'raw') throw new RangeError(`expected a link of ether or raw, got ${String(link)}`);
  if (carrier !== undefined && !CARRIERS.includes(carrier)) {
    throw new RangeError(`expected a carrier of ${CARRIERS.join(', ')}, got ${String(carrier)}`);
  }
  const headers = locateHeaders(frame, link);
  if (headers === undefined || !headers.isFirst) return undefined;
  return [uoaOption, uoaProtocol, toa, proxy]
    .map((look) => look(frame, headers))
    .find((found) => found !== undefined && (carrier === undefined || found.carrier === carrier));
}

function uoaOption(frame: Uint8Array, { optionsStart, optionsEnd }: Headers): CarriedClient | undefined {
  return named('uoa-option', addressOption(frame, optionsStart, optionsEnd, [UOA_TYPE]));
}

function uoaProtocol(frame: Uint8Array, { protocol, start, end }: Headers): CarriedClient | undefined {
  if (protocol !== OPP) return undefined;
  // Version and half a byte that is reserved, the real protocol, the length of header and options.
  const udp = start + ((frame[start + 2] ?? 0) << 8) + (frame[start + 3] ?? 0);
  if (udp < start + 4 || udp > end) return undefined;
  return named('uoa-protocol', addressOption(frame, start + 4, udp, [UOA_TYPE]));
}

function toa(frame: Uint8Array, headers: Headers): CarriedClient | undefined {
  const data = dataOfSegment(frame, headers);
  return data === undefined ? undefined : named('toa', addressOption(frame, headers.start + 20, data, TOA_KINDS));
}

function proxy(frame: Uint8Array, headers: Headers): CarriedClient | undefined {
  const data = headers.protocol === UDP ? headers.start + 8 : dataOfSegment(frame, headers);
  return data === undefined ? undefined : proxyHeader(frame, data, headers.end);
}

/** Where the options of a TCP segment end. */
function dataOfSegment(frame: Uint8Array, { protocol, start, end }: Headers): number | undefined {
  if (protocol !== TCP || start + 20 > end) return undefined;
  const data = start + (frame[start + 12]! >> 4) * 4;
  return data < start + 20 || data > end ? undefined : data;
}

function named(carrier: Carrier, found: Found | undefined): CarriedClient | undefined {
  return found && { carrier, ...found };
}
