/** Servers of NAT64 hear of clients by addresses of IPv6, in packets of IPv4. */
import { describe, expect, it } from 'vitest';
import { parseTcp, parseUdp, type ReferenceService, serialiseIp } from '../../src/reference/index.js';
import { addressBytes, parseAnyAddress } from '../../src/reference/packet/address.js';
import { judged } from './builders.js';
import { udp } from './builders6.js';
import { ACK, type Says, SYN, SYN_ACK, segment } from './fullnat.js';
import { answer, ask, CLIENT, FIRST, INNER, mtus, nat64, SERVER, VIP, wholeLeft } from './nat64.js';

const MSS = Uint8Array.of(2, 4, 5, 180);
const MOST_OPTIONS = Uint8Array.of(0xfc, 40, ...new Uint8Array(38));
const bytesOf = (address: string): number[] => [...addressBytes(parseAnyAddress(address))];
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** A connection that stands, with a server that has acknowledged no more than the SYN. */
function standing(words: Partial<ReferenceService>, srv = 1500) {
  const director = nat64(words, { network: mtus(1500, srv) });
  const client = (says: Says) => ask(director, segment([CLIENT, 7], [VIP, 80], says));
  const [first] = client({ flags: SYN, seq: 100 });
  const { sequence } = parseTcp(wholeLeft(first).payload);
  const [back] = answer(
    director,
    segment([SERVER, 8080], [INNER, FIRST], { flags: SYN_ACK, seq: 500, ack: sequence + 1, options: MSS }),
  );
  return { director, client, first, back: parseTcp(wholeLeft(back).payload), sequence };
}

const segmentsOf = (outcomes: ReturnType<typeof ask>) =>
  outcomes.map((outcome) => ({ packet: wholeLeft(outcome), segment: parseTcp(wholeLeft(outcome).payload) }));

describe('TOA', () => {
  it.each([
    ['linux', 254],
    ['alibaba', 253],
    ['dpvs', 254],
  ] as const)('has the client’s address, and room in what the server says it takes (%s)', (profile, kind) => {
    const { client, back } = standing({ carry: 'toa', profile });
    expect([...back.rest]).toEqual([2, 4, 1440 >> 8, 1440 & 0xff]);
    const [sent] = segmentsOf(client({ flags: ACK, seq: 101, ack: 501, data: new Uint8Array(9) }));
    expect([...sent!.segment.rest.slice(0, 20)]).toEqual([kind, 20, 0, 7, ...bytesOf(CLIENT)]);
    expect(serialiseIp(sent!.packet)).toHaveLength(20 + 20 + 20 + 9);
  });

  it('goes ahead alone, with DF and no number, where the way to the server has no room', () => {
    const { client, sequence } = standing({ carry: 'toa' }, 1300);
    const fits = client({ flags: ACK, seq: 101, ack: 501, data: new Uint8Array(1240) });
    expect(judged(fits)).toEqual(['forward nat64-in']);
    const both = client({ flags: ACK, seq: 101, ack: 501, data: new Uint8Array(1241) });
    expect(judged(both)).toEqual(['forward client-address', 'forward nat64-in']);
    const [ahead, own] = segmentsOf(both);
    expect(ahead!.packet).toMatchObject({ flags: 2, identification: 0, ttl: 63 });
    expect(ahead!.segment).toMatchObject({ sequence: sequence + 1, flags: ACK });
    expect(own!.segment).toMatchObject({ sequence: sequence + 1, rest: new Uint8Array(1241) });
  });

  it('goes ahead alone where the header has no room', () => {
    const { client } = standing({ carry: 'toa' });
    const both = client({ flags: ACK, seq: 101, ack: 501, options: MOST_OPTIONS });
    expect(judged(both)).toEqual(['forward client-address', 'forward nat64-in']);
  });

  it('decides on DF by the length that it makes', () => {
    const { client } = standing({ carry: 'toa' });
    const flags = [1200, 1201].map((length) =>
      wholeLeft(client({ flags: ACK, seq: 101, ack: 501, data: new Uint8Array(length) })[0]),
    );
    expect(flags).toMatchObject([{ flags: 0 }, { flags: 2 }]);
  });
});

describe('the PROXY protocol', () => {
  it('names both ends of IPv6 in a line', () => {
    const { client } = standing({ carry: 'proxy-v1' });
    const [sent] = segmentsOf(client({ flags: ACK, seq: 101, ack: 501, data: Uint8Array.of(65) }));
    expect(text(sent!.segment.rest)).toBe(`PROXY TCP6 ${CLIENT} ${VIP} 7 80\r\nA`);
  });

  it('names them in binary, of segments and of datagrams', () => {
    const ends = [...bytesOf(CLIENT), ...bytesOf(VIP), 0, 7, 0, 80];
    const { client, director } = standing({ carry: 'proxy-v2' });
    const [sent] = segmentsOf(client({ flags: ACK, seq: 101, ack: 501, data: Uint8Array.of(65) }));
    expect([...sent!.segment.rest.slice(12)]).toEqual([0x21, 0x21, 0, 36, ...ends, 65]);
    const datagram = parseUdp(wholeLeft(ask(director, udp([CLIENT, 7], [VIP, 80], 3))[0]).payload);
    expect(datagram.length).toBe(8 + 52 + 3);
    expect([...datagram.payload.slice(12)]).toEqual([0x21, 0x22, 0, 36, ...ends, 7, 7, 7]);
  });

  it('takes its bytes of what a datagram may have', () => {
    const director = nat64({ carry: 'proxy-v2' }, { network: mtus(1500, 1400) });
    expect(judged(ask(director, udp([CLIENT, 7], [VIP, 80], 1320)))).toEqual(['forward nat64-in']);
    const long = ask(director, udp([CLIENT, 7], [VIP, 80], 1321));
    expect(judged(long)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const told = 1400 - 52 + 20;
    expect([...wholeLeft(long[1]).payload.slice(6, 8)]).toEqual([told >> 8, told & 0xff]);
  });
});
