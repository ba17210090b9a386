/** Explaining SNAT: why a packet goes out by which address, why not, and what comes back. */
import { expect, test } from 'vitest';
import type { Director } from '../../src/director.js';
import { explainPacket } from '../../src/explain.js';
import { fragmentsOf } from '../support/fragments.js';
import { NOW } from '../support/fullnat.js';
import { ACK, counting, icmp, type PacketWords } from '../support/packets.js';
import { atInner, atOuter, fromInner, fromOuter, MARK, opened, PLACES, SNAT_NETWORK, snat } from '../support/snat.js';

const { inner, outer, own, router } = PLACES[4];

/** What was found from that hook on, and the reason. */
function told(director: Director, packet: Uint8Array, wire: 'in' | 'out', from: string, mark = MARK): string[] {
  const notes = wire === 'in' ? { mark } : {};
  const { steps, fate } = explainPacket(director, packet, wire, NOW, notes);
  const lines = steps.flatMap(({ hook, lines }) =>
    lines.map(({ looked, found }) => ({ hook, text: `${looked}: ${found}` })),
  );
  const first = lines.findIndex(({ hook }) => hook === from);
  return [...lines.slice(first).map(({ text }) => text), fate.reason];
}

test('out by the address that the scheduler chose', () => {
  const director = snat({}, {}, [4], 2);
  expect(told(director, fromInner(4), 'in', 'FORWARD')).toEqual([
    'TTL 64: becomes 63',
    'length 40, MTU 1500: fits',
    'connection TCP 10.1.0.11:40001 > 198.51.100.9:443: none',
    'service mark 7: scheduler rr, 2 servers',
    'TCP flags [S]: may open a connection',
    'scheduler rr: 203.0.113.2: the next usable one of the list (newest first): 203.0.113.2:0, 203.0.113.1:0',
    'new connection: SYN_RECV, snat, expires in 60 s',
    'method snat: source 10.1.0.11:40001 becomes 203.0.113.2:1024, numbers of TCP and checksums updated',
    'out interface: out',
    'snat-in',
  ]);
  expect(told(director, fromInner(4, { flags: ACK }), 'in', 'FORWARD').slice(2, 4)).toEqual([
    'connection TCP 10.1.0.11:40001 > 198.51.100.9:443: SYN_RECV, server 198.51.100.9:443 (snat)',
    'TCP flags [A]: SYN_RECV becomes ESTABLISHED, expires in 900 s',
  ]);
});

test('and back in', () => {
  const director = snat();
  const { port } = opened(director, 4);
  const lines = told(director, fromOuter(4, port), 'out', 'INPUT');
  expect(lines[0]).toBe(
    'connection TCP reply 198.51.100.9:443 > 203.0.113.1:1024: SYN_RECV, service 198.51.100.9:443 (snat)',
  );
  expect(lines.slice(-3)).toEqual([
    'method snat: destination 203.0.113.1:1024 becomes 10.1.0.11:40001, numbers of TCP and checksums updated',
    'out interface: in',
    'snat-out',
  ]);
});

test('why not', () => {
  const director = snat();
  const ends = (packet: Uint8Array) => told(director, packet, 'in', 'FORWARD').slice(-2);
  const [line, reason] = ends(fromInner(4, { flags: ACK }));
  expect([line, reason]).toEqual([expect.stringMatching(/^TCP flags \[A\]: /), 'no-connection']);
  director.editDest({ fwmark: MARK }, { address: own[0], method: 'snat', weight: 0 });
  expect(ends(fromInner(4))).toEqual([expect.stringMatching(/^scheduler rr: /), 'no-dest']);
  expect(told(director, fromInner(4, { destination: own[0] }), 'in', 'INPUT').at(-1)).toBe('local-delivery');
  expect(told(director, fromInner(4), 'in', 'FORWARD', 0).at(-1)).toBe('routed');
});

test('its server gone', () => {
  const director = snat({}, {}, [4], 2);
  opened(director, 4);
  const used = director.connections(NOW)[0]!.localAddress!;
  director.deleteDest({ fwmark: MARK }, { address: used });
  const ends = (packet: Uint8Array) => told(director, packet, 'in', 'FORWARD').slice(2);
  const ended = ends(fromInner(4, { flags: ACK }));
  expect([ended.at(-2), ended.at(-1)]).toEqual([
    'its server: the server of its connection was deleted',
    'dest-unavailable',
  ]);
  director.setSysctl({ expire_nodest_conn: 1 });
  expect(ends(fromInner(4))).toEqual([
    expect.stringMatching(/^connection TCP 10.1.0.11:40001 > 198.51.100.9:443: /),
    'service mark 7: scheduler rr, 1 server',
    'TCP flags [S]: may open a connection',
    expect.stringMatching(/^scheduler rr: /),
    'new connection: SYN_RECV, snat, expires in 60 s',
    expect.stringMatching(/^method snat: source 10.1.0.11:40001 becomes /),
    'out interface: out',
    'snat-in',
  ]);
});

test('errors, both ways', () => {
  const director = snat();
  const { port } = opened(director, 4);
  const out = told(director, icmp({ source: router, destination: own[0] }, 11, 0, atOuter(4, port)), 'out', 'INPUT');
  expect(out.slice(-3)).toEqual([
    'method snat: quoted 203.0.113.1:1024 becomes 10.1.0.11:40001, ICMP checksum anew, from who sent it',
    'out interface: in',
    'icmp-out',
  ]);
  const back = told(director, icmp({ source: inner, destination: outer }, 3, 3, atInner(4)), 'in', 'FORWARD');
  expect(back.slice(-3)).toEqual([
    'method snat: source 10.1.0.11 becomes 203.0.113.1, quoted destination 10.1.0.11:40001 becomes 203.0.113.1:1024, ICMP checksum anew',
    'out interface: out',
    'icmp-in',
  ]);
});

/** An echo request of C with that identifier; of type 0 a reply. */
const echo = (identifier: number, type = 8, words: Partial<PacketWords> = {}): Uint8Array =>
  icmp({ source: inner, destination: outer, ...words }, type, 0, counting(64), identifier * 0x10000);

test('a query in fragments, by the one that makes it whole', () => {
  const director = snat();
  const [first, second] = fragmentsOf(echo(7, 8, { ttl: 64 }), [32]);
  expect(told(director, first!, 'in', 'FORWARD').at(-1)).toBe('fragment-held');
  director.send(first!, 'in', NOW, { mark: MARK });
  const lines = told(director, second!, 'in', 'FORWARD');
  expect(lines).toContain('connection ICMP 10.1.0.11:7 > 198.51.100.9:0: none');
  expect(lines).toContain('new connection: UDP, snat, expires in 300 s');
  expect(lines).toContain('method snat: source 10.1.0.11:7 becomes 203.0.113.1:1024, checksum updated');
});

test('and its reply', () => {
  const director = snat();
  director.send(echo(7), 'in', NOW, { mark: MARK });
  const [first, second] = fragmentsOf(echo(1024, 0, { source: outer, destination: own[0], ttl: 64 }), [32]);
  director.send(first!, 'out', NOW);
  const lines = told(director, second!, 'out', 'INPUT');
  expect(lines).toContain(
    'connection ICMP reply 198.51.100.9:0 > 203.0.113.1:1024: UDP, service 198.51.100.9:0 (snat)',
  );
  expect(lines).toContain('method snat: destination 203.0.113.1:1024 becomes 10.1.0.11:7, checksum updated');
});

test('a reply of a client, of a connection of its queries with the same ends or not, is routed as it is', () => {
  const director = snat();
  director.send(echo(0), 'in', NOW, { mark: MARK });
  expect(told(director, echo(0, 0), 'in', 'FORWARD')).toEqual([
    'TTL 64: becomes 63',
    'length 92, MTU 1500: fits',
    'out interface: out',
    'routed',
  ]);
});

test('a query without a mark is looked up nowhere', () => {
  expect(told(snat(), echo(7), 'in', 'FORWARD', 0).slice(2)).toEqual(['out interface: out', 'routed']);
});

test('a query to whom became the director', () => {
  const director = snat();
  director.send(echo(7), 'in', NOW, { mark: MARK });
  const interfaces = SNAT_NETWORK.interfaces.map((one) =>
    one.name === 'out' ? { ...one, addresses: [...one.addresses, `${outer}/32`] } : one,
  );
  director.setNetwork({ ...SNAT_NETWORK, interfaces });
  expect(told(director, echo(7), 'in', 'INPUT', 0)).toEqual([
    'connection ICMP 10.1.0.11:7 > 198.51.100.9:0: UDP, server 198.51.100.9:0 (snat)',
    'route to 198.51.100.9: the chosen server is this host',
    'local-dest',
  ]);
  // Nobody asked this one.
  expect(told(director, echo(8), 'in', 'INPUT', 0).at(-1)).toBe('local-delivery');
});
