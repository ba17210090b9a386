/**
 * Fragments wait for the rest of their datagram; whole, it goes on as if it had come in with the last of them.
 *
 * @module
 */
import { answerProblem } from './answer.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { FRAGMENT_LENGTH } from './packet/ipv6-extensions.js';
import type { Unfinished } from './packet/partial.js';
import { given } from './transmit.js';

/** Takes a fragment in; `proceed` judges the datagram once it is whole. */
export function gather(host: Host, received: Received, proceed: (whole: Received) => Judgement): Judgement {
  const { packet, now, interface: device } = received;
  const taken = host.reassembly.take(packet, now, received);
  if (taken.state === 'held') return { verdict: 'held', reason: 'fragment-held' };
  if (taken.state === 'refused') {
    const { reason, problem } = taken;
    const isForUs = host.network.isLocal(packet.destination);
    const told =
      problem !== undefined && isForUs ? answerProblem(host, problem.code, problem.pointer, packet, device) : undefined;
    return drop(reason, told);
  }
  // Of the options only those of the first fragment count.
  const { givenOptions, addressSlots } = taken.attached;
  const { arrival } = taken;
  const whole: Received = {
    ...received,
    packet: taken.packet,
    arrival,
    givenOptions,
    addressSlots,
    interface: device,
    // Pieced together, it begins with its IP header.
    link: new Uint8Array(0),
    partialChecksum: arrival.rest.length === 0 ? withoutHeader(received.partialChecksum) : false,
  };
  const partialChecksum = whole.partialChecksum !== false;
  return { frame: given(whole, whole.packet), partialChecksum, ...proceed(whole) };
}

/** What is to be finished in a datagram that came in one fragment, whose header is gone. */
function withoutHeader(unfinished: Unfinished): Unfinished {
  if (typeof unfinished === 'boolean') return unfinished;
  const { start, offset } = unfinished;
  return { start: start - FRAGMENT_LENGTH, offset: offset - FRAGMENT_LENGTH };
}
