/** Who sends malformed IPv4 options hears which byte is wrong (ICMP parameter problem, RFC 792), as from Linux. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import { CLIENT, fromClient, lab, NAT, NETWORK, request, SERVERS, TCP_KEY, VIP } from '../support/lab.js';
import { hex, tcp, toHex } from '../support/packets.js';

const judged = (outcomes: readonly { verdict: string; reason: string }[]) =>
  outcomes.map(({ verdict, reason }) => `${verdict} ${reason}`);
const REFUSED = ['drop ipv4-option', 'forward parameter-problem'];

function reference(): ReferenceDirector {
  const director = new ReferenceDirector({ network: NETWORK });
  director.addService({ ...TCP_KEY, scheduler: 'rr' });
  director.addDest(TCP_KEY, NAT);
  return director;
}

/** The IP packet of a frame, without its options. */
const withoutOptions = (frame: Uint8Array) =>
  Uint8Array.of(...frame.subarray(14, 34), ...frame.subarray(14 + ((frame[14] ?? 0) & 15) * 4));

const twins: readonly (readonly [string, () => Director | ReferenceDirector])[] = [
  ['core', () => lab([NAT])],
  ['reference', reference],
];

describe.each(twins)('%s', (_, make) => {
  /** The IP packet of the answer, without the options that it takes over. */
  const answerTo = (packet: Uint8Array): Uint8Array => {
    const outcomes = make().send(fromClient(packet), 'cli', 0);
    expect(judged(outcomes)).toEqual(REFUSED);
    return withoutOptions(outcomes[1]?.frame as Uint8Array);
  };

  it('nobody, of a packet from nobody to nobody: that is to all', () => {
    const packet = request('tcp', { source: '0.0.0.0', destination: '0.0.0.0', options: hex('0107070300000000') });
    const director = make();
    director.setNetwork({ ...NETWORK, routes: [{ dst: 'default', dev: 'cli', gateway: CLIENT }] });
    expect(judged(director.send(fromClient(packet), 'cli', 0))).toEqual(['drop ipv4-option']);
  });

  it.each([
    ['an option of no length', '07000000', 20],
    ['a record route that points into its own head', '0107070300000000', 23],
    ['a timestamp without room for what it asks', '440c0b010000000000000000', 22],
    ['an overflow that is full', '440405f0', 23],
    ['a second timestamp', '44040530 44040530', 24],
    ['a router alert without value', '94020000', 21],
    ['a source route that points into its own head', '83030301', 22],
  ])('%s', (_, options, pointer) => {
    const packet = request('tcp', { options: hex(options) });
    const answer = answerTo(packet);
    expect(toHex(answer.subarray(20, 22)), 'type and code').toBe('0c00');
    expect(toHex(answer.subarray(24, 28)), 'pointer').toBe(`${pointer.toString(16)}000000`);
    expect(toHex(answer.subarray(12, 20)), 'from whom to whom').toBe('0a0000640a000002');
  });

  it('the quotation has what was filled in before the fault, and the checksum of before', () => {
    const packet = request('tcp', { options: hex('070704 00000000 9e') });
    const quoted = answerTo(packet).subarray(28);
    expect(toHex(quoted.subarray(20, 28))).toBe('0707080a0000649e');
    expect(toHex(quoted.subarray(0, 20))).toBe(toHex(packet.subarray(0, 20)));
  });

  it('what passes through records the address on the way back', () => {
    const words = { source: CLIENT, destination: SERVERS[1], sport: 1, dport: 2 };
    const quoted = answerTo(tcp({ ...words, options: hex('070704 00000000 9e') })).subarray(28);
    expect(toHex(quoted.subarray(20, 28))).toBe('0707080a0000019e');
  });

  it.each(['255.255.255.255', '224.0.0.5', '10.0.0.255'])('nobody hears about what was sent to %s', (destination) => {
    const packet = tcp({ source: CLIENT, destination, sport: 1, dport: 2, options: hex('07000000') });
    expect(judged(make().send(fromClient(packet), 'cli', 0))).toEqual(['drop ipv4-option']);
  });

  it('a source route that is well-formed is refused without a word', () => {
    const packet = tcp({ source: CLIENT, destination: VIP, sport: 1, dport: 2, options: hex('8307040a00000200') });
    expect(judged(make().send(fromClient(packet), 'cli', 0))).toEqual(['drop source-route']);
  });

  it.each([
    ['record route', '070b04 0000000000000000 00', '070b0c0a0000640a00006400'],
    ['record route with room for one', '070704 00000000 00', '0707080a00006400'],
    ['an overflow', '440809d0 00000000', '440809f000000000'],
    ['an overflow that is nearly full', '440809e0 00000000', undefined],
  ])('where a dest has no route they are filled in twice: %s', (_case, options, quoted) => {
    const director = make();
    director.deleteDest(TCP_KEY, NAT);
    director.addDest(TCP_KEY, { ...NAT, address: '192.0.2.1' });
    const outcomes = director.send(fromClient(request('tcp', { options: hex(options) })), 'cli', 0);
    expect(judged(outcomes)).toEqual(['drop no-route', ...(quoted === undefined ? [] : ['forward host-unreachable'])]);
    if (quoted !== undefined)
      expect(toHex(withoutOptions(outcomes[1]?.frame as Uint8Array).subarray(48))).toMatch(new RegExp(`^${quoted}`));
  });
});
