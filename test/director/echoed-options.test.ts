/** The options that the director's ICMP errors take over from the packets that they are about, as Linux's do. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import { CLIENT, DR, fromClient, lab, NETWORK, networkWith, request, TCP_KEY } from '../support/lab.js';
import { hex, tcp, toHex } from '../support/packets.js';

/** 00:00:01 UT. */
const NOW = 1000;
const FAR = '192.0.2.1';

const twins: readonly (readonly [string, (mtu?: number) => Director | ReferenceDirector])[] = [
  ['core', (mtu = 1500) => lab([DR], { network: withMtu(mtu) })],
  [
    'reference',
    (mtu = 1500) => {
      const director = new ReferenceDirector({ network: withMtu(mtu) });
      director.addService({ ...TCP_KEY, scheduler: 'rr' });
      director.addDest(TCP_KEY, DR);
      return director;
    },
  ],
];

const withMtu = (mtu: number) => networkWith({ cli: { mtu } });

const VIP_HEX = '0a000064';
const CLIENT_HEX = '0a000002';

describe.each(twins)('%s', (_, make) => {
  /** The answer to a packet, without link header. */
  const answerTo = (packet: Uint8Array, director = make()): Uint8Array | undefined =>
    director.send(fromClient(packet), 'cli', NOW)[1]?.frame.slice(14);
  const dying = (options: string) => request('tcp', { ttl: 1, options: hex(options) });
  const optionsOf = (ip: Uint8Array | undefined) =>
    ip === undefined ? undefined : toHex(ip.subarray(20, ((ip[0] ?? 0) & 15) * 4));

  it.each([
    ['none', '01010101', ''],
    ['a router alert: none', '94040000', ''],
    ['a security label: none', '820b0000000000000000000000', ''],
    ['record route with room', '070b04 0000000000000000 00', `070b0c ${VIP_HEX}${VIP_HEX} 00`],
    ['record route with room for the first', '070704 00000000 00', `070708 ${VIP_HEX} 00`],
    ['record route that is full', '070708 01020304 00', '070708 01020304 00'],
    ['times', '440c05000000000000000000', '440c0d00000003e8000003e8'],
    ['a time in the last slot', '440805000000000000', '44080900000003e8'],
    ['times with addresses', `441405010000000000000000 0000000000000000`, `44141501${`${VIP_HEX}000003e8`.repeat(2)}`],
    ['no room for a time', '44040500', '44040510'],
    ['the time of a host that is another', `440c0503${CLIENT_HEX}00000000`, `440c0503${CLIENT_HEX}00000000`],
    ['times of this host', `44140503${`${VIP_HEX}00000000`.repeat(2)}`, `44141503${`${VIP_HEX}000003e8`.repeat(2)}`],
    [
      'times of which the second is another’s',
      `44140503${VIP_HEX}00000000${CLIENT_HEX}00000000`,
      `44140d03${VIP_HEX}000003e8${CLIENT_HEX}00000000`,
    ],
    [
      'times for which half a slot is left',
      `44100503${VIP_HEX}00000000${VIP_HEX}`,
      `44100d03${VIP_HEX}000003e8${VIP_HEX}`,
    ],
    ['first the route, then the times', '44040500 070704 00000000 00', `070708${VIP_HEX}44040510 00`],
  ])('%s', (_case, given, expected) => {
    const padded = given.replaceAll(' ', '').padEnd(Math.ceil(given.replaceAll(' ', '').length / 8) * 8, '0');
    const answer = answerTo(dying(padded));
    expect(optionsOf(answer)).toBe(expected.replaceAll(' ', ''));
    expect(toHex(answer?.subarray(12, 20) ?? new Uint8Array(0))).toBe(VIP_HEX + CLIENT_HEX);
  });

  it.each([
    ['route', '070904 000000000000 000000'],
    ['times', '440a0500 000000000000 0000'],
    ['times with addresses', `44100501 ${'00'.repeat(12)}`],
  ])('no answer where half a slot is left for the %s', (_case, options) => {
    const outcomes = make().send(fromClient(dying(options)), 'cli', NOW);
    expect(outcomes.map(({ reason }) => reason)).toEqual(['ttl-exceeded']);
  });

  it.each([
    ['what stands before the fault', '070704 00000000 07', `070708${VIP_HEX}00`],
    ['not what is wrong', '07000000', ''],
    ['a label that nobody knows', '860a0000000101040000 0000', '860a00000001010400000000'],
    ['a label that is too short', '8606000000010000', '8606000000010000'],
  ])('about options that are wrong: %s', (_case, options, expected) => {
    const outcomes = make().send(fromClient(request('tcp', { options: hex(options) })), 'cli', NOW);
    expect(outcomes.map(({ reason }) => reason)).toEqual(['ipv4-option', 'parameter-problem']);
    expect(optionsOf(outcomes[1]?.frame.slice(14))).toBe(expected);
  });

  it.each([
    ['the way it came', '830f10 0a000003 0a000004 0a00000b', '830f04 0a000004 0a000003 0a000002', '0a00000b'],
    ['as far as it came', '890f0c 0a000003 0a000004 0a00000b', '890b04 0a000003 0a000002', '0a000004'],
    ['without the source twice', '830b0c 0a000002 0a000003', '830704 0a000002', '0a000003'],
    ['from its only host, the source', '830708 0a000002', '', '0a000002'],
    ['from its start', '830b04 0a000002 0a000003', '', '0a000002'],
  ])('an error about a source route goes back %s', (_case, route, back, first) => {
    const given = `${route}07`.replaceAll(' ', '');
    const wrong = given.padEnd(Math.ceil(given.length / 8) * 8, '0');
    const neighbours = ['03', '04', '0b'].map((n) => ({
      dst: `10.0.0.${Number.parseInt(n, 16)}`,
      dev: 'cli',
      lladdr: `02:00:00:00:00:${n}`,
    }));
    const director = make();
    director.setNetwork({ ...NETWORK, neighbours: [...(NETWORK.neighbours ?? []), ...neighbours] });
    const answer = answerTo(request('tcp', { options: hex(wrong) }), director);
    const expected = back.replaceAll(' ', '');
    expect(optionsOf(answer)).toBe(expected.padEnd(Math.ceil(expected.length / 8) * 8, '0'));
    expect(toHex(answer?.subarray(16, 20) ?? new Uint8Array(0))).toBe(first);
  });

  it('about a packet that passes, the address that it is sent from', () => {
    const packet = tcp({
      source: CLIENT,
      destination: FAR,
      sport: 1,
      dport: 2,
      ttl: 1,
      options: hex('070b04 0000000000000000 00'),
    });
    const director = make();
    director.setNetwork({ ...NETWORK, routes: [...(NETWORK.routes ?? []), { dst: '192.0.2.0/24', dev: 'srv' }] });
    expect(optionsOf(answerTo(packet, director))).toBe('070b0c0a0000010a00000100');
  });

  it('leaves less room for the quotation, and none is sent that quotes no more than a header', () => {
    const long = `0727 04${'00'.repeat(36)}00`.replaceAll(' ', '');
    const fields = { ttl: 1, options: hex(long), payload: new Uint8Array(600) };
    expect(answerTo(request('tcp', fields))?.length).toBe(576);
    const short = request('tcp', { ttl: 1, options: hex(long) });
    expect(answerTo(short, make(100))?.length).toBe(100);
    expect(answerTo(short, make(88))).toBeUndefined();
  });
});
