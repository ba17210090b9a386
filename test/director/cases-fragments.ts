/**
 * Frames and their reasons: fragments that come in, and packets that are cut.
 *
 * @module
 */
import type { Director } from '../../src/director.js';
import { fragmentsOf } from '../support/fragments.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  NAT,
  NAT6,
  networkWith,
  request,
  request6,
  SERVERS,
  TUN,
} from '../support/lab.js';
import { counting, fixIpv4, ipv4, ipv6, udp } from '../support/packets.js';
import type { Case } from './cases.js';

const payload = counting(64);
const datagram = request('udp', { payload });
const datagram6 = request6('udp', { payload });
/** The datagram in three: bytes 0 to 23, to 47, and the rest. */
const [first, second, third] = fragmentsOf(datagram, [24, 48]) as [Uint8Array, Uint8Array, Uint8Array];
const [first6, second6, third6] = fragmentsOf(datagram6, [24, 48]) as [Uint8Array, Uint8Array, Uint8Array];
const narrow = { network: networkWith({ srv: { mtu: 1400 } }) };
const big = new Uint8Array(1400);

const held =
  (...fragments: Uint8Array[]) =>
  (director: Director): void => {
    for (const fragment of fragments) director.send(fromClient(fragment), 'cli', 0);
  };

/** The same fragment with other words in its fragment field. */
function renumbered(fragment: Uint8Array, field: number): Uint8Array {
  const changed = fragment.slice();
  new DataView(changed.buffer).setUint16(6, field);
  return fixIpv4(changed);
}

export const CASES_FRAGMENTS: Record<string, Case> = {
  'a first fragment': { expect: ['fragment-held'], frame: fromClient(first) },
  'a last fragment before the others': { expect: ['fragment-held'], frame: fromClient(third) },
  'the fragment that completes its datagram': {
    expect: ['nat-in', 'fragment', 'fragment'],
    before: held(first, third),
    frame: fromClient(second),
  },
  'a first fragment of IPv6': { expect: ['fragment-held'], dests: [NAT6], frame: fromClient(first6) },
  'the fragment that completes its datagram of IPv6': {
    expect: ['nat-in', 'fragment', 'fragment'],
    dests: [NAT6],
    before: held(first6, third6),
    frame: fromClient(second6),
  },
  'a fragment to somebody else, without a service': {
    expect: ['routed'],
    services: [],
    dests: [],
    frame: fromClient(fragmentsOf(udp({ ...words(), payload }), [24])[0] as Uint8Array),
  },
  'a fragment to somebody else of IPv6, without a service of it': {
    expect: ['routed'],
    frame: fromClient(fragmentsOf(udp({ ...words6(), payload }), [24])[0] as Uint8Array),
  },
  'a fragment that is there already': {
    expect: ['fragment-duplicate'],
    before: held(first),
    frame: fromClient(first),
  },
  'a fragment that overlaps another': {
    expect: ['fragment-overlap'],
    before: held(first),
    frame: fromClient(renumbered(second, 0x2000 | 2)),
  },
  'a fragment that reaches beyond 65535 bytes': {
    expect: ['fragment-malformed'],
    frame: fromClient(renumbered(third, 0x1fff)),
  },
  'a fragment of IPv6 whose length is no multiple of 8': {
    expect: ['fragment-malformed', 'parameter-problem'],
    dests: [NAT6],
    frame: fromClient(shortened(first6)),
  },
  'a fragment for which there is no memory': {
    expect: ['fragment-limit'],
    options: { plan: { connections: 8, arenaBytes: 65_536, fragmentBytes: 512 } },
    frame: fromClient(
      ipv4({ source: CLIENT, destination: '10.0.0.100', protocol: 17, mf: true }, big.subarray(0, 800)),
    ),
  },

  'too big, without DF': {
    expect: ['nat-in', 'fragment'],
    options: narrow,
    frame: fromClient(request('tcp', { payload: big })),
  },
  'too big for its tunnel, without DF': {
    expect: ['tunnel-ipip', 'fragment'],
    dests: [TUN],
    options: { ...narrow, sysctl: { pmtu_disc: 0 } },
    frame: fromClient(request('tcp', { payload: big })),
  },
  'too big to be routed, without DF': {
    expect: ['routed', 'fragment'],
    options: narrow,
    frame: fromClient(udp({ ...words(), payload: big })),
  },
  'too big, without room for the pieces': {
    expect: ['no-room'],
    dests: [NAT],
    options: { ...narrow, plan: { connections: 8, arenaBytes: 65_536 } },
    frame: fromClient(request('tcp', { payload: new Uint8Array(40_000) })),
  },
};

function words() {
  return { source: CLIENT, destination: SERVERS[1], sport: 1, dport: 2 };
}

function words6() {
  return { source: CLIENT6, destination: 'fd00:1::12', sport: 1, dport: 2 };
}

/** A byte less, and more fragments to follow. */
function shortened(fragment: Uint8Array): Uint8Array {
  return ipv6({ source: CLIENT6, destination: 'fd00::100', protocol: 44 }, fragment.subarray(40, fragment.length - 1));
}
