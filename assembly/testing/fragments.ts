/**
 * For tests: reassembly and cutting, on descriptors that the test fills in.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { Descriptor, Scratch } from '../descriptor';
import { parsePacket } from '../flow/parse';
import { expireFragments, reassemble } from '../flow/reassembly';
import { sendCut } from '../forward/cut';
import { Hop } from '../net/hop';
import { Ipv4 } from '../wire/ipv4';

/** The fragment in frame `index`, a bare IP packet: true when it completes its datagram, which the frame then is. */
export function reassembleFrame(index: u32): bool {
  const frame = Descriptor.at(index);
  const packet = Scratch.at(index);
  const ip = frame.address;
  frame.clear();
  packet.flags = changetype<Ipv4>(ip).version == 6 ? <u32>ScratchFlag.V6 : 0;
  return parsePacket(frame, packet, ip) && reassemble(frame, packet);
}

/** Time is `now`. */
export function expireFragmentsAt(now: u32): void {
  expireFragments(now);
}

/** Sends the packet at `ip` in frame `index`. */
export function cutFrame(index: u32, ip: usize, hop: usize, mtu: u32, reassembled: bool, reason: u32): void {
  sendCut(Descriptor.at(index), ip, changetype<Hop>(hop), mtu, reassembled, reason);
}
