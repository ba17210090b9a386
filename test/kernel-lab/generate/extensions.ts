/**
 * Extension headers of IPv6, most of them well-formed.
 *
 * @module
 */
import { hex, join } from '../../support/packets.js';
import type { Random } from '../random.js';
import { DESTINATION, type Extension, HOP_BY_HOP, optionsHeader, ROUTING } from './bytes.js';
import { type Context, type Kind, replyEnds, requestEnds } from './context.js';
import { type Ends, transportPacket } from './shapes.js';
import { HOSTS } from './world.js';

const OPTIONS = [
  '',
  '00', // Pad1
  '0104 00000000', // PadN
  '0502 0000', // router alert
  '1e02 abcd', // unknown: to be skipped
  '5e02 abcd', // unknown: the packet is to be dropped
  '9e02 abcd', // unknown: and the sender told
  'de02 abcd', // unknown: and the sender told unless it was sent to a group
  'c204 00010000', // jumbo payload
  '0700', // CALIPSO, too short
  '0708 00000000 00000000', // and as long as it has to be
  '3102 0000', // IOAM
  '0100 3102 0000', // the same, aligned
  '3202 0000', // unknown
  'c910 fd000000000000000000000000000099', // home address
  '1eff abcd', // longer than its header
  '0104 00010000', // PadN that is not zero
  '0106 000000000000',
  '000000000000 000000000000', // Pad1 in a row
].map(hex);

/** Types of routing headers: source route, mobility, RPL, segments, one that nobody knows. */
const ROUTES = [0, 2, 3, 4, 253];

function options(random: Random, type: number): Extension {
  return optionsHeader(type, join(...Array.from({ length: random.of([1, 1, 2]) }, () => random.of(OPTIONS))));
}

/** A hop-by-hop header. */
export function hopByHop(random: Random): Extension {
  return options(random, HOP_BY_HOP);
}

function routing(random: Random): Extension {
  const left = random.of([0, 0, 0, 1]);
  const address = random.once(2) ? random.bytes(16) : hex('fd000001000000000000000000000011');
  return { type: ROUTING, rest: join(Uint8Array.of(2, random.of(ROUTES), left, 0, 0, 0, 0), address) };
}

/** One to three headers; the hop-by-hop header is the first, unless by chance. */
export function extensionHeaders(random: Random): Extension[] {
  const rest = Array.from({ length: random.of([0, 1, 1, 2]) }, () =>
    random.once(3) ? routing(random) : options(random, DESTINATION),
  );
  const first = rest.length === 0 || random.once(2) ? [hopByHop(random)] : [];
  const all = random.once(20) ? [...rest, ...first] : [...first, ...rest];
  return random.once(12) ? all.map((one) => damaged(random, one)) : all;
}

/** With another length than it has. */
function damaged(random: Random, { type, rest }: Extension): Extension {
  return { type, rest: join(Uint8Array.of(random.of([0, 1, 3, 200])), rest.subarray(1)) };
}

function ends(context: Context): { ends: Ends; wire: 'cli' | 'srv' } | undefined {
  const { random } = context;
  const flow = context.flow();
  // The kernel's state machines look for the other transports' headers where there is no extension header.
  if (flow?.service.family === 6 && flow.protocol === 'udp' && !random.once(4)) {
    const back = random.once(2) ? replyEnds(flow) : undefined;
    return back === undefined
      ? { ends: requestEnds(flow), wire: 'cli' }
      : { ends: back, wire: flow.server?.wire ?? 'srv' };
  }
  const { own, clients, servers } = HOSTS[6];
  const source = random.of(clients);
  return {
    // From no flow's port: errors of the host itself pass through IPVS, too, which does not verify them for one.
    ends: { protocol: 'udp', source, destination: random.of([own, ...servers]), sport: 1100, dport: 4000 },
    wire: 'cli',
  };
}

export const extensions: Kind = {
  weight: 3,
  make(context) {
    const { random, world } = context;
    if (!world.families.includes(6)) return [];
    const found = ends(context);
    if (found === undefined) return [];
    const wish = { wire: found.wire, ip: { extensions: extensionHeaders(random) }, length: random.of([0, 7, 64]) };
    const packet = transportPacket(random, world, found.ends, wish);
    return [{ step: context.frame(found.wire, packet, 'extensions') }];
  },
};
