/** Bursts: frames written in place, judged together, read where they lie; and the links they come and go by. */
import { describe, expect, it } from 'vitest';
import { BURST_MAX, HEADROOM } from '../../src/abi/memory.js';
import type { Director } from '../../src/director.js';
import { reasonName, verdictName } from '../../src/reasons.js';
import type { NetworkConfig } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import { CLIENT, fromClient, fromServer, judged, lab, MAC, NAT, NETWORK, request, SERVERS } from '../support/lab.js';
import { ACK, checksum, ethernet, SYN, tcp, toHex } from '../support/packets.js';

const full = expect.objectContaining({ code: 'BURST_FULL' });
const CLI = 1;

function put({ burst }: Director, frame: Uint8Array, cookie?: number): number {
  burst.reserve(frame.length, CLI).set(frame);
  return burst.commit(frame.length, cookie);
}

const reasons = ({ burst }: Director): (string | undefined)[] =>
  Array.from({ length: burst.length }, (_, i) => reasonName(burst.reason(i)));

describe.each(BINARIES)('%s', (binary) => {
  it('judges frames together, and keeps cookies and causes', () => {
    const director = lab([NAT], { binary });
    const { burst } = director;
    put(director, fromClient(request('tcp', { ttl: 1 })), 0xffff_fff0);
    put(director, fromClient(request('udp')), 7);
    put(director, fromClient(request('tcp', { dport: 81 })));
    expect(burst.length).toBe(3);
    expect(director.process(0)).toBe(4);
    expect(reasons(director)).toEqual(['ttl-exceeded', 'nat-in', 'local-delivery', 'time-exceeded']);
    expect([0, 1, 2].map((i) => burst.cookie(i))).toEqual([0xffff_fff0, 7, 0]);
    expect([0, 1, 2, 3].map((i) => burst.cause(i))).toEqual([-1, -1, -1, 0]);
    expect([burst.in(0), burst.out(1), burst.out(3)]).toEqual([CLI, 2, CLI]);
    expect(toHex(burst.frame(1))).toBe(toHex(director.outcome(1, 0).frame));
    expect(verdictName(burst.verdict(3))).toBe('forward');
    burst.reset();
    expect(burst.length).toBe(0);
    expect(director.process(0)).toBe(0);
  });

  it('holds 256 frames, and answers all of them', () => {
    const director = lab([NAT], { binary, plan: { connections: 300, arenaBytes: 1 << 20 } });
    const { burst } = director;
    for (let i = 0; i < BURST_MAX; i++) put(director, fromClient(request('tcp', { ttl: 1, sport: 1000 + i })));
    expect(burst.full).toBe(true);
    expect(burst.hasRoom(1)).toBe(false);
    expect(() => burst.reserve(1, CLI)).toThrow(full);
    expect(() => burst.place(0, 1, 0, CLI)).toThrow(full);
    expect(director.process(0)).toBe(2 * BURST_MAX);
    expect(new Set(reasons(director).slice(BURST_MAX))).toEqual(new Set(['time-exceeded']));
    for (let i = 0; i < BURST_MAX; i++) expect(burst.cause(BURST_MAX + i)).toBe(i);
  });

  it('goes without an answer where the arena has no room for it', () => {
    const director = lab([NAT], { binary, plan: { connections: 8, arenaBytes: 65_536 } });
    const { burst } = director;
    const frame = fromClient(request('tcp', { ttl: 1, payload: new Uint8Array(1000) }));
    while (burst.hasRoom(frame.length)) put(director, frame);
    while (burst.hasRoom(1)) put(director, frame.slice(0, 1));
    const given = burst.length;
    expect(given).toBeGreaterThan(40);
    expect(director.process(0)).toBe(given);
    expect(new Set(reasons(director))).toEqual(new Set(['ttl-exceeded', 'link-truncated']));
  });

  it('refuses what does not fit', () => {
    const director = lab([NAT], { binary, plan: { connections: 8, arenaBytes: 65_536 } });
    const { burst } = director;
    expect(() => burst.reserve(65_536, CLI)).toThrow(full);
    expect(() => director.send(new Uint8Array(65_536), 'cli', 0)).toThrow(full);
    expect(() => burst.commit(1)).toThrow(RangeError);
    burst.reserve(10, CLI);
    expect(() => burst.commit(11)).toThrow(RangeError);
    expect(burst.commit(10)).toBe(0);
    expect(() => burst.commit(1)).toThrow(RangeError);
    expect(() => director.outcome(0, 0)).toThrow(RangeError);
  });

  it('gives back what was reserved and not used', () => {
    const director = lab([NAT], { binary, plan: { connections: 8, arenaBytes: 65_536 } });
    const { burst } = director;
    for (let i = 0; i < 100; i++) {
      burst.reserve(60_000 - i * 300, CLI);
      burst.commit(60);
    }
    expect(burst.length).toBe(100);
  });

  it('judges frames where they lie, in memory that no reset takes', () => {
    const director = lab([NAT], { binary });
    const { burst } = director;
    const frame = fromClient(request('udp'));
    const held = burst.hold(1000);
    burst.bytes.fill(0xa5, held, held + 1000);
    burst.bytes.set(frame, held + 501);
    burst.reset();
    burst.place(held + 501, frame.length, 20, CLI, 3);
    director.process(0);
    expect(reasons(director)).toEqual(['nat-in']);
    expect(burst.address(0)).toBe(held + 501);
    burst.reset();
    put(director, frame);
    expect(burst.address(0)).toBeGreaterThanOrEqual(held + 1000 + HEADROOM);
    expect(() => burst.hold(1)).toThrow(full);
    burst.reset();
    expect(() => burst.hold(1 << 17)).toThrow(full);
  });
});

describe('links', () => {
  const VLAN: NetworkConfig = {
    interfaces: [
      { name: 'trunk', mac: MAC.cli, addresses: ['10.5.0.1/24'] },
      { name: 'trunk.7', mac: MAC.cli, vlan: { parent: 'trunk', id: 7 }, addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
      { name: 'trunk.8', mac: MAC.srv, vlan: { parent: 'trunk', id: 8 }, addresses: ['10.1.0.1/24'] },
      { name: 'trunk.9', mac: MAC.srv, vlan: { parent: 'trunk', id: 9 }, up: false },
      { name: 'raw', kind: 'raw', addresses: ['10.2.0.1/24'] },
    ],
    neighbours: [
      { dst: CLIENT, dev: 'trunk.7', lladdr: MAC.client },
      { dst: SERVERS[0], dev: 'trunk.8', lladdr: MAC.server },
    ],
  };

  it.each(BINARIES)('VLAN to VLAN: one tag goes, the other comes (%s)', (binary) => {
    const director = lab([NAT], { binary, network: VLAN });
    const packet = request('tcp');
    const [outcome] = director.send(ethernet(MAC.cli, MAC.client, packet, 0x0800, 0xe007), 'trunk', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat-in', outInterface: 'trunk.8' });
    expect(toHex(outcome?.frame.subarray(0, 18) as Uint8Array)).toBe(
      '020000000111' + '020000000101' + '81000008' + '0800',
    );
    const reply = tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags: SYN | ACK });
    const [back] = director.send(ethernet(MAC.srv, MAC.server, reply, 0x0800, 8), 'trunk', 0);
    expect(back).toMatchObject({ reason: 'nat-out', outInterface: 'trunk.7' });
    expect(toHex(back?.frame.subarray(12, 18) as Uint8Array)).toBe('810000070800');
  });

  it.each([
    ['a priority tag is no VLAN', 0xe000, 'trunk', 'local-delivery'],
    ['an unknown VLAN', 6, 'trunk', 'unknown-vlan'],
    ['a VLAN that is down', 9, 'trunk', 'interface-down'],
    ['a tag on another interface', 7, 'trunk.7', 'unknown-vlan'],
    ['the MAC of another VLAN', 8, 'trunk', 'other-host'],
    ['no tag', undefined, 'trunk', 'local-delivery'],
    ['a second tag', 7, 'trunk', 'not-ip', 0x8100],
  ] as [string, number | undefined, string, string, number?][])('%s', (_, tag, by, expected, type = 0x0800) => {
    const director = lab([NAT], { network: VLAN });
    const packet = request('tcp', { dport: 99 });
    expect(director.send(ethernet(MAC.cli, MAC.client, packet, type, tag), by, 0)[0]?.reason).toBe(expected);
  });

  it.each(BINARIES)('raw to Ethernet and back (%s)', (binary) => {
    const interfaces = NETWORK.interfaces.map((each) =>
      each.name === 'cli' ? { name: 'cli', kind: 'raw' as const, addresses: each.addresses ?? [] } : each,
    );
    const director = lab([NAT], { binary, network: { ...NETWORK, interfaces, routes: [] } });
    const [outcome] = director.send(request('tcp'), 'cli', 0);
    expect(outcome).toMatchObject({ reason: 'nat-in', outInterface: 'srv' });
    expect(outcome?.frame.length).toBe(14 + 40);
    const reply = tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags: SYN | ACK });
    const [back] = director.send(fromServer(reply), 'srv', 0);
    expect(back).toMatchObject({ reason: 'nat-out', outInterface: 'cli' });
    expect(back?.frame[0]).toBe(0x45);
    expect(checksum(back?.frame.subarray(0, 20) as Uint8Array)).toBe(0);
    expect(judged(director.send(Uint8Array.of(0x60), 'cli', 0))).toEqual(['drop ipv6-truncated']);
    expect(judged(director.send(new Uint8Array(0), 'cli', 0))).toEqual(['drop ipv4-truncated']);
  });

  it('padding of the link goes with it', () => {
    const director = lab([NAT]);
    const packet = request('tcp');
    const padded = new Uint8Array(60).fill(0xee);
    padded.set(fromClient(packet));
    expect(director.send(padded, 'cli', 0)[0]?.frame.length).toBe(14 + 40);
  });
});
