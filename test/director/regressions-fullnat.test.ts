/** What comparing core and reference has brought to light about FullNAT, each as the shortest life that shows it. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig, SysctlConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { fixIpv4, hex, icmp, SYN, tcp, toHex, udp } from '../support/packets.js';
import { gue } from '../support/tunnels.js';

const network: NetworkConfig = {
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] },
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.100/32', '10.0.0.1/24', 'fd00::100/128', 'fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'tunl0', kind: 'ipip' },
  ],
  fou: [{ port: 6080 }],
};
const localPorts = { first: 1024, last: 1025 };
type Any = Director | ReferenceDirector;
const DIRECTORS: readonly [name: string, make: () => Any][] = [
  ['core', () => createDirector('release', { plan: { ...SMALL_PLAN, localAddresses: 1 }, network, localPorts })],
  ['reference', () => new ReferenceDirector({ network, localPorts })],
];

const CLIENT = { source: '10.0.0.2', destination: '10.0.0.100', sport: 1000, dport: 80 };
const KEY = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
const u32 = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);

describe.each(DIRECTORS)('%s', (_, make) => {
  /** With the PROXY protocol's header; its client has sent a SYN, which the server sees as the second of these. */
  const begun = (): [Any, Uint8Array] => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr', localAddresses: ['10.1.0.1'], carry: 'proxy-v2' });
    director.addDest(KEY, { address: '10.1.0.11', port: 80, method: 'fullnat' });
    const [syn] = director.send(tcp({ ...CLIENT, seq: 1000, flags: SYN }), 'cli', 0);
    return [director, syn!.frame];
  };

  it('what an error quotes from before the SYN has nothing of a header', () => {
    const [director, syn] = begun();
    const delta = (u32(syn, 24) - 1000) >>> 0;
    const quoted = syn.slice();
    new DataView(quoted.buffer).setUint32(24, (500 + delta) >>> 0);
    const error = icmp({ source: '10.1.0.11', destination: '10.1.0.1' }, 3, 1, quoted);
    const [told] = director.send(error, 'srv', 0);
    expect(told).toMatchObject({ reason: 'icmp-out' });
    expect(u32(told!.frame, 28 + 24)).toBe(500);
  });

  it('of two connections that end at once the older one gives its port back first', () => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr', localAddresses: ['10.1.0.1'] });
    director.addDest(KEY, { address: '10.1.0.11', port: 80, method: 'fullnat' });
    const ports = [0, 61_000].flatMap((now) =>
      [1000, 1001].map((sport) => {
        const [syn] = director.send(tcp({ ...CLIENT, sport, flags: SYN }), 'cli', now);
        return u32(syn!.frame, 20) >>> 16;
      }),
    );
    expect(ports).toEqual([1024, 1025, 1024, 1025]);
  });

  it('of connections whose time is over at once the one that was due first gives its port back first', () => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr', localAddresses: ['10.1.0.1'] });
    director.addDest(KEY, { address: '10.1.0.11', port: 80, method: 'fullnat' });
    const ports = [0, 2000, 200_000, 200_000].map((now, n) => {
      const [syn] = director.send(tcp({ ...CLIENT, sport: 1000 + n, flags: SYN }), 'cli', now);
      return u32(syn!.frame, 20) >>> 16;
    });
    expect(ports).toEqual([1024, 1025, 1024, 1025]);
  });

  it('a template that two services share leads to the local address of the one that has its dest', () => {
    const director = make();
    const every = { ...KEY, port: 0 } as const;
    const shared = { scheduler: 'rr', persistent: 300 } as const;
    director.addService({ ...every, ...shared, localAddresses: ['10.1.0.1'] });
    director.addDest(every, { address: '10.1.0.11', port: 0, method: 'fullnat' });
    director.addService({ fwmark: 7, ...shared, localAddresses: [] });
    director.addDest({ fwmark: 7 }, { address: '10.1.0.12', port: 0, method: 'fullnat' });
    const to0 = { ...CLIENT, dport: 0, flags: SYN };
    const said = [
      director.send(tcp(to0), 'cli', 0),
      director.send(tcp({ ...to0, sport: 1001 }), 'cli', 0, { mark: 7 }),
    ];
    expect(said.map(([outcome]) => [outcome!.reason, u32(outcome!.frame, 12), u32(outcome!.frame, 16)])).toEqual(
      [0, 1].map(() => ['fullnat-in', 0x0a01_0001, 0x0a01_000b]),
    );
  });

  it("a checksum that lies nowhere is found before data in a header's place", () => {
    const [director] = begun();
    const inner = tcp({ ...CLIENT, seq: 999, ack: 5, flags: 16, payload: new Uint8Array(6) });
    const ends = { source: '10.0.0.9', destination: '10.0.0.1', sport: 40_000, dport: 6080 };
    const [there] = director.send(inner, 'cli', 0);
    const nowhere = Uint8Array.of(0x80, 0, 0, 0, 0, 18, 0, 2);
    const [outcome] = director.send(gue(ends, inner, nowhere), 'cli', 0);
    expect([there?.reason, outcome?.reason]).toEqual(['tcp-option', 'tunnel-malformed']);
  });

  /** The numbers that the server of a connection gets of SYNs a second apart; words of others are a segment's flags. */
  const numbersOf = (sysctl: SysctlConfig, said: readonly ('a' | 'b' | 'reset' | 'ack')[]) => {
    const director = make();
    director.setSysctl(sysctl);
    director.addService({ ...KEY, scheduler: 'rr', localAddresses: ['10.1.0.1'] });
    director.addDest(KEY, { address: '10.1.0.11', port: 80, method: 'fullnat' });
    return said.flatMap((word, second) => {
      const isReset = word === 'reset';
      const ends = isReset ? { source: '10.1.0.11', destination: '10.1.0.1', sport: 80, dport: 1024 } : CLIENT;
      const says = {
        a: { seq: 1000, flags: SYN },
        b: { seq: 2000, flags: SYN },
        reset: { flags: 4 },
        ack: { flags: 16 },
      };
      const [there] = director.send(tcp({ ...ends, ...says[word] }), isReset ? 'srv' : 'cli', second * 1000);
      return says[word].flags === SYN ? [u32(there!.frame, 24)] : [];
    });
  };

  it('a SYN that comes again has its number, be it one that got none when the connection had ended', () => {
    const [first, second, again, a] = numbersOf({ conn_reuse_mode: 0 }, ['a', 'reset', 'b', 'b', 'a']) as number[];
    expect([(second! - first!) >>> 0, again]).toEqual([1000, second]);
    // Another one than the last, in SYN_RECV: by the clock of its own.
    expect((a! - first!) >>> 0).toBe(1_000_000);
  });

  it('a SYN that comes again has its number, be it that of a connection which did not begin with one', () => {
    const [first, again] = numbersOf({ sloppy_tcp: 1, conn_reuse_mode: 0 }, ['ack', 'reset', 'b', 'b']);
    expect([first, again]).toEqual([2000, 2000]);
  });

  it('a datagram by one-packet scheduling lives on by FullNAT, where a template of another service leads it there', () => {
    const director = make();
    const every = { protocol: 'udp', address: '10.0.0.100', port: 0 } as const;
    const marked = { fwmark: 7, family: 4 } as const;
    director.addService({ ...marked, scheduler: 'rr', ops: true, persistent: 300 });
    director.addService({ ...every, scheduler: 'rr', persistent: 300, localAddresses: ['10.1.0.1'] });
    director.addDest(every, { address: '10.1.0.11', port: 0, method: 'fullnat' });
    director.send(udp({ ...CLIENT, dport: 53 }), 'cli', 0);
    const [outcome] = director.send(udp({ ...CLIENT, dport: 0 }), 'cli', 0, { mark: 7 });
    expect(outcome?.reason).toBe('fullnat-in');
    const ports = director.connections(0).flatMap(({ template, virtualPort }) => (template ? [] : [virtualPort]));
    expect(ports.sort()).toEqual([0, 53]);
  });

  it('a datagram too short for UDP has to fit with the header that it would get', () => {
    const director = make();
    const key = { protocol: 'udp', address: '10.0.0.100', port: 53 } as const;
    const interfaces = network.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu: 80 } : each));
    director.setNetwork({ ...network, interfaces });
    director.addService({ ...key, scheduler: 'rr', localAddresses: ['10.1.0.1'], carry: 'proxy-v2' });
    director.addDest(key, { address: '10.1.0.11', port: 53, method: 'fullnat' });
    const options = new Uint8Array(40).fill(1);
    const whole = udp({ ...CLIENT, dport: 53, df: true, options, payload: new Uint8Array(0) });
    const short = whole.slice(0, -2);
    new DataView(short.buffer).setUint16(2, short.length);
    for (const packet of [whole, fixIpv4(short)]) {
      const reasons = director.send(packet, 'cli', 0).map(({ reason }) => reason);
      expect(reasons).toEqual(['too-big', 'fragmentation-needed']);
    }
  });

  it('an error by SNAT has the way out recorded, as the packets of its connection', () => {
    const director = make();
    const key = { fwmark: 7, family: 4 } as const;
    director.addService({ ...key, scheduler: 'rr' });
    director.addDest(key, { address: '10.1.0.1', port: 0, method: 'snat' });
    const inside = { source: '10.1.0.11', destination: '10.0.0.2' };
    const options = hex('0707040000000000');
    const given = { sport: 1000, dport: 80, options };
    const [out] = director.send(udp({ ...inside, ...given }), 'srv', 0, { mark: 7 });
    const sport = u32(out!.frame, 28) >>> 16;
    director.send(udp({ source: '10.0.0.2', destination: '10.1.0.1', sport: 80, dport: sport }), 'cli', 0);
    const quoted = udp({ source: '10.0.0.2', destination: '10.1.0.11', sport: 80, dport: 1000 });
    const error = icmp({ ...inside, options }, 3, 3, quoted);
    const [told] = director.send(error, 'srv', 0, { mark: 7 });
    expect([out!.reason, told!.reason]).toEqual(['snat-in', 'icmp-in']);
    for (const { frame } of [out!, told!]) expect(toHex(frame.subarray(20, 28))).toBe('0707080a00000100');
  });
});
