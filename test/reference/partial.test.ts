/** Checksums that a sender's network card was to finish (CHECKSUM_PARTIAL), through the director. */
import { describe, expect, it } from 'vitest';
import {
  finishChecksum,
  type IpPacket,
  internetChecksum,
  parseAnyAddress as parse,
  parseIp,
  partialChecksumOf,
  pseudoHeader,
  serialiseIp,
  translate,
} from '../../src/reference/index.js';
import { judged, SYN } from './builders.js';
import { checksumIsRight, ENDS, frame, NETWORK, packetOf, plainDirector, tcp, udp } from './builders6.js';

const PARTIAL = { partialChecksum: true };

/** The packet with no more than the sum of the pseudo header. */
function begun(whole: IpPacket): IpPacket {
  const protocol = 'hopLimit' in whole ? whole.nextHeader : whole.protocol;
  const sum = 0xffff - internetChecksum(pseudoHeader(whole.source, whole.destination, protocol, whole.payload.length));
  const payload = whole.payload.slice();
  payload.set([sum >>> 8, sum & 255], protocol === 6 ? 16 : 6);
  return { ...whole, payload };
}

/** As a network card finishes it. */
function finished(whole: IpPacket): IpPacket {
  const partial = partialChecksumOf(whole);
  if (partial === undefined) throw new Error('nothing to finish');
  return parseIp(finishChecksum(serialiseIp(whole), partial));
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, vip, server } = ENDS[family];

  function director(method: 'nat' | 'dr' | 'tun', tunnel = {}, mtu = 1500) {
    const interfaces = NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu } : each));
    const made = plainDirector({ network: { ...NETWORK, interfaces } });
    for (const protocol of ['tcp', 'udp'] as const) {
      const key = { protocol, address: vip, port: 80 };
      made.addService({ ...key, scheduler: 'rr' });
      made.addDest(key, { address: server, port: 8080, method, ...(method === 'tun' && { tunnel }) });
    }
    return made;
  }

  const requests = [tcp([client, 1], [vip, 80], SYN, 11), udp([client, 1], [vip, 80], 11)];

  it.each(requests)('goes on begun, by any method', (whole) => {
    for (const method of ['nat', 'dr'] as const) {
      const [outcome] = director(method).send(frame(begun(whole)), 'cli', 0, PARTIAL);
      expect(outcome).toMatchObject({ verdict: 'forward', partialChecksum: true });
      const sent = packetOf(outcome!.frame);
      expect(checksumIsRight(sent)).toBe(false);
      expect(checksumIsRight(finished(sent))).toBe(true);
    }
  });

  it('comes back begun', () => {
    const made = director('nat');
    made.send(frame(requests[0]!), 'cli', 0);
    const reply = begun(tcp([server, 8080], [client, 1], SYN));
    const [outcome] = made.send(frame(reply, 'srv'), 'srv', 0, PARTIAL);
    expect(outcome).toMatchObject({ reason: 'nat-out', partialChecksum: true });
    expect(checksumIsRight(finished(packetOf(outcome!.frame)))).toBe(true);
  });

  it('in a tunnel stays begun, but for remote checksum offload', () => {
    const state = (tunnel: object) => director('tun', tunnel).send(frame(begun(requests[0]!)), 'cli', 0, PARTIAL)[0]!;
    expect(state({})).toMatchObject({ reason: 'tunnel-ipip', partialChecksum: true });
    expect(state({ type: 'gre', checksum: 'csum' })).toMatchObject({ reason: 'tunnel-gre', partialChecksum: true });
    const remote = state({ type: 'gue', port: 6080, checksum: 'remcsum' });
    expect(remote).toMatchObject({ reason: 'tunnel-gue', partialChecksum: false });
    expect(remote.frame.length - state({ type: 'gue', port: 6080 }).frame.length).toBe(8);
  });

  it('only TCP and UDP have one', () => {
    const [outcome] = director('nat').send(frame(tcp([client, 1], [vip, 80], SYN)), 'cli', 0);
    expect(outcome).toMatchObject({ partialChecksum: false });
  });
});

it('a sum of zero is spelt 0xffff', () => {
  const { client, vip, server } = ENDS[4];
  const whole = begun(udp([client, 1], [vip, 80], 11));
  // What the new addresses and the length lack to a whole turn.
  const pseudo = (to: string) => 0xffff - internetChecksum(pseudoHeader(whole.source, parse(to), 17, 19));
  const sum = (2 * 0xffff - pseudo(server) + pseudo(vip)) % 0xffff;
  whole.payload.set([sum >>> 8, sum & 255], 6);
  const to = { destination: parse(server) };
  expect([...translate(whole, to, true).payload.subarray(6, 8)]).toEqual([255, 255]);
});

describe('what is cut is finished before', () => {
  const { client, vip, server } = ENDS[4];
  const whole = udp([client, 1], [vip, 80], 1400);

  it.each([
    ['nat', 0],
    ['dr', 0],
    ['tun', 20],
  ] as const)('%s', (method, skipped) => {
    const interfaces = NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu: 1000 } : each));
    const made = plainDirector({ network: { ...NETWORK, interfaces } });
    const key = { protocol: 'udp', address: vip, port: 80 } as const;
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: server, method });
    const outcomes = made.send(frame(begun(whole)), 'cli', 0, PARTIAL);
    expect(judged(outcomes)).toHaveLength(2);
    expect(outcomes.map(({ partialChecksum }) => partialChecksum)).toEqual([false, false]);
    const data = outcomes.flatMap((each) => [...packetOf(each.frame).payload]).slice(skipped);
    const to = method === 'nat' ? server : vip;
    const ends = udp([client, 1], [to, 80], 1400);
    expect(checksumIsRight({ ...ends, payload: Uint8Array.from(data) })).toBe(true);
  });
});
