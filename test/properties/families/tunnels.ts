/**
 * Packets in tunnels to the director.
 *
 * @module
 */
import { hex } from '../../support/packets.js';
import { gre, gue, ipInIp } from '../../support/tunnels.js';
import type { Choices } from './choices.js';
import { type Family, GUE_PORT, HOSTS } from './hosts.js';
import { ipWords, type Made } from './packets.js';

/**
 * Options of GUE: none, remote checksums of IPv4 and IPv6 with TCP, of UDP, out of range, at odd places, before their start,
 * in the header, over it, and one that nobody knows.
 */
const GUE_OPTIONS = [
  ...['', '', '', '80000000 0014 0024', '80000000 0028 0038', '80000000 0014 001a', '80000000 0028 002e'],
  ...['80000000 0014 ffff', '80000000 0015 0025', '80000000 0014 0002', '80000000 0002 000a', '80000000 0008 0036'],
  ...['40000000 0000 0000', '80000000'],
].map(hex);

/** The packet in a tunnel of either family to one of the director's addresses. */
export function wrapped(choices: Choices, inner: Made): Made {
  const family = choices.of<Family>([4, 6]);
  const { own, inside, vips, clients, servers } = HOSTS[family];
  const source = choices.of([clients[0], servers[0], clients[2]] as string[]);
  const outer = ipWords(choices, source, choices.of([own, own, inside, vips[0]]), !choices.once(6));
  // Nobody leaves the checksum of a fragment to a card.
  const partial = inner.partial && !(outer.extensions ?? []).some(([number]) => number === 44);
  switch (choices.below(4)) {
    case 0:
      return { partial, packet: ipInIp(outer, inner.packet) };
    case 1: {
      const sum = choices.of(['right', undefined, undefined, 'wrong'] as const);
      const packet = gre({ ...outer, ...(sum && { sum }) }, inner.packet);
      // With routing, which nobody takes.
      if (choices.once(10)) packet[family === 4 ? 20 : 40] = 0x40;
      return { partial, packet };
    }
    default: {
      const dport = choices.once(8) ? GUE_PORT + 1 : GUE_PORT;
      const sum = choices.of([{}, {}, { checksum: 0 }, { checksum: 1 }]);
      const packet = gue({ ...outer, sport: 40_000, dport, ...sum }, inner.packet, choices.of(GUE_OPTIONS));
      return { packet, partial: false };
    }
  }
}
