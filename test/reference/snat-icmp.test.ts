/** ICMP errors about connections by SNAT, both ways, and the options of what passes. */
import { describe, expect, it } from 'vitest';
import { type IpPacket, internetChecksum, isIpv6, parseIcmp, parseIp, serialiseIp } from '../../src/reference/index.js';
import { judged } from './builders.js';
import { checksumIsRight, fragment4, frame, icmpError, tcp, udp } from './builders6.js';
import { ACK, addresses, endsOf, hopsOf, NOW, packetIn, SYN, segment } from './fullnat.js';
import { arrive, LOCALS, leave, MARK, markOf, snat, TALKERS } from './snat.js';
import { hex, toHex } from './support.js';

const UNREACHABLE = { 4: [3, 1, 0], 6: [1, 3, 0] } as const;

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { inside, outside, far } = TALKERS[family];
  const [local] = LOCALS[family];
  const header = family === 4 ? 20 : 40;

  function opened(words: Parameters<typeof snat>[0] = {}) {
    const made = snat(words);
    const [there] = leave(made, segment([inside, 40_001], [outside, 80], { flags: SYN, seq: 100 }));
    const { payload } = packetIn(there!);
    return { made, begun: new DataView(payload.buffer, payload.byteOffset).getUint32(4) };
  }

  const error = (from: string, to: string, about: IpPacket, cutAt?: number, damage = 0): IpPacket => {
    const [type, code, rest] = UNREACHABLE[family];
    const made = icmpError([from, to], [type, code, rest], serialiseIp(about).slice(0, cutAt), { ttl: 9 });
    made.payload[2]! ^= damage;
    return made;
  };

  /** The quoted addresses, ports and number. */
  const quoted = ({ payload }: IpPacket) => {
    const { payload: bytes } = parseIcmp(payload);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const [from, size] = family === 4 ? [12, 4] : [8, 16];
    const address = (at: number) => toHex(bytes.slice(at, at + size));
    const ports = [view.getUint16(header), view.getUint16(header + 2)];
    const number = bytes.length >= header + 8 ? view.getUint32(header + 4) : undefined;
    return [address(from), address(from + size), ...ports, number];
  };
  const ends = (from: [string, number], to: [string, number], number?: number) => {
    const whole = icmpError([far, far], [3, 1, 0], serialiseIp(segment(from, to, { seq: number ?? 0 })));
    return [...quoted(whole).slice(0, 4), number];
  };

  it('comes to the one who began from the one who sent it, a router or not', () => {
    const { made, begun } = opened();
    const about = segment([local, 1024], [outside, 80], { seq: (begun + 50) >>> 0 });
    for (const from of [outside, far]) {
      const [outcome] = arrive(made, error(from, local, about));
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'srv' });
      const told = packetIn(outcome!);
      expect([endsOf(told), hopsOf(told)]).toEqual([addresses(from, inside), 8]);
      expect(quoted(told)).toEqual(ends([inside, 40_001], [outside, 80], 150));
      if (isIpv6(told)) expect(checksumIsRight(told)).toBe(true);
    }
    const [short] = arrive(made, error(far, local, about, header + 4));
    expect(quoted(packetIn(short!))).toEqual(ends([inside, 40_001], [outside, 80]));
    expect(judged(arrive(made, error(far, local, about, undefined, 1)))).toEqual(['drop icmp-checksum']);
    expect(made.services().find((each) => 'fwmark' in each && each.family === family)?.stats.outPackets).toBe(3n);
  });

  it.each([0, 7])('goes out as from the local end, whoever sent it, with the mark %d', (mark) => {
    const { made } = opened();
    const about = segment([outside, 80], [inside, 40_001], { seq: 7000, ack: 101 });
    for (const from of [inside, family === 4 ? '10.1.0.254' : 'fd00:1::fe']) {
      const [outcome] = leave(made, error(from, outside, about), mark);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'cli' });
      const told = packetIn(outcome!);
      // Routed, and sent on: as by NAT.
      expect([endsOf(told), hopsOf(told)]).toEqual([addresses(local, outside), 7]);
      expect(quoted(told)).toEqual(ends([outside, 80], [local, 1024], 7000));
      if (isIpv6(told)) expect(checksumIsRight(told)).toBe(true);
    }
  });

  it('comes from no address that a mark alone makes the director’s; IPv6 has another to say it from', () => {
    const elsewhere = family === 4 ? '10.0.0.77' : 'fd00::77';
    const made = snat();
    made.deleteDest(markOf(family), { address: local });
    made.addDest(markOf(family), { address: elsewhere, method: 'snat' });
    leave(made, segment([inside, 40_001], [outside, 80], { flags: SYN, seq: 100 }));
    // Without any dest its mark brings a packet to the director.
    made.deleteDest(markOf(family), { address: elsewhere });
    const spent = segment([outside, 80], [elsewhere, 1024], { flags: SYN | ACK }, { ttl: 1 });
    const long = segment([outside, 80], [elsewhere, 1024], { data: new Uint8Array(1500) }, { flags: 2 });
    for (const [packet, ...reasons] of [
      [spent, 'drop ttl-exceeded', 'forward time-exceeded'],
      [long, 'drop too-big', 'forward fragmentation-needed'],
    ] as const) {
      const told = (mark: number) => judged(made.send(frame(packet, 'cli'), 'cli', NOW, { mark }));
      expect(told(0)).toEqual(reasons);
      expect(told(MARK)).toEqual(family === 4 ? reasons.slice(0, 1) : reasons);
    }
  });

  it('opens no connection (schedule_icmp)', () => {
    const made = snat({}, { sysctl: { schedule_icmp: 1 } });
    const about = tcp([outside, 80], [inside, 9], ACK);
    expect(judged(leave(made, error(inside, outside, about)))).toEqual(['forward routed']);
    expect(judged(leave(made, error(inside, local, about)))).toEqual(['local local-delivery']);
    expect(made.connections(NOW)).toEqual([]);
  });
});

it('quotes what comes back in fragments that must not be cut as it would have gone on, its checksum too', () => {
  const { inside, outside } = TALKERS[4];
  const made = snat();
  leave(made, udp([inside, 9], [outside, 53]));
  const whole = udp([outside, 53], [LOCALS[4][0], 1024], 100);
  const [, outcomes] = [fragment4(whole, 0, 56, true, 2), fragment4(whole, 56, 52, false, 2)].map((piece) =>
    arrive(made, piece),
  );
  expect(judged(outcomes!)).toEqual(['drop too-big', 'forward fragmentation-needed']);
  const quote = parseIcmp(packetIn(outcomes![1]!).payload).payload;
  expect(endsOf(parseIp(quote))).toEqual(addresses(outside, inside));
  expect(internetChecksum(quote.subarray(0, 20))).toBe(0);
});

it('has the addresses of the director recorded, as of what is routed', () => {
  const { inside, outside } = TALKERS[4];
  const made = snat();
  const options = hex('0707040000000000');
  const recorded = (outcomes: ReturnType<typeof leave>) => {
    const sent = packetIn(outcomes[0]!);
    return isIpv6(sent) ? undefined : toHex(sent.options);
  };
  const withOptions = (packet: IpPacket): IpPacket => ({ ...packet, options }) as IpPacket;
  const there = leave(made, withOptions(tcp([inside, 9], [outside, 80], SYN)));
  expect(recorded(there)).toBe('0707080a00000100');
  const back = arrive(made, withOptions(tcp([outside, 80], [LOCALS[4][0], 1024], ACK)));
  expect(recorded(back)).toBe('0707080a01000100');
});
