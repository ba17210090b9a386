/**
 * Fragments on their way: held back, or the one that makes its datagram whole.
 *
 * @module
 */
import type { IpFacts } from './packet.js';
import type { Teller } from './teller.js';

/**
 * Tells what became of a fragment. Gives the packet as it goes on: the whole datagram's ports where they can be told,
 * `undefined` when the way ends here.
 */
export function assembled(teller: Teller, ip: IpFacts): IpFacts | undefined {
  if (ip.fragment === undefined) return ip;
  const { id, offset } = ip.fragment;
  const looked = `fragment ${id} at ${offset}`;
  const { outcome } = teller.input;
  if (
    teller.is(
      'fragment-held',
      'fragment-overlap',
      'fragment-malformed',
      'fragment-limit',
      'fragment-duplicate',
      'fragment',
    )
  ) {
    return teller.end(looked);
  }
  const after = teller.isReplaced ? undefined : teller.factsOf(teller.own);
  // IPv6 fragments are put together only where there is a service of that family.
  if (ip.version === 6 && after?.fragment?.id === id && after.fragment.offset === offset) {
    teller.line(looked, 'goes on as it is');
    return ip;
  }
  teller.line(looked, 'the last one that was missing: the datagram is whole');
  const { connection } = outcome;
  const isRequest = connection?.clientAddress === ip.source;
  const [sourcePort, destinationPort] =
    connection === undefined
      ? [after?.sourcePort, after?.destinationPort]
      : isRequest
        ? [connection.clientPort, connection.virtualPort]
        : [connection.destPort, connection.localPort ?? connection.clientPort];
  const { tcpFlags, chunks, icmp = ip.icmp, message = ip.message } = after ?? ip;
  return { ...ip, sourcePort, destinationPort, tcpFlags, chunks, icmp, message };
}
