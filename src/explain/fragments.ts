/**
 * Fragments on their way: held back, or the one that makes its datagram whole.
 *
 * @module
 */
import type { LinkKind } from '../decode.js';
import { type IpFacts, packetFacts } from './packet.js';
import { interfaceOf, isEthernet } from './routes.js';
import type { Teller } from './teller.js';

/**
 * Tells what became of a fragment. Gives the packet as it goes on: the whole datagram's ports where they can be told,
 * `undefined` when the way ends here.
 */
export function assembled(teller: Teller, ip: IpFacts): IpFacts | undefined {
  if (ip.fragment === undefined) return ip;
  const { id, offset } = ip.fragment;
  const looked = `fragment ${id} at ${offset}`;
  const { outcome, network, interfaceName } = teller.input;
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
  const side = interfaceOf(network, outcome.outInterface ?? interfaceName);
  const link: LinkKind = side === undefined || isEthernet(side) ? 'ether' : 'raw';
  const after = packetFacts(outcome.frame, link).ip;
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
