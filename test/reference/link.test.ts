import { describe, expect, it } from 'vitest';
import { ReferenceDirector, serialiseEthernet, serialiseIpv4 } from '../../src/reference/index.js';
import { director, frame, judged, MAC, NETWORK, networkWith, SERVER, SYN, TCP_SERVICE, tcp, VIP } from './builders.js';
import { toHex } from './support.js';

const PACKET = tcp(SYN, [40000, 80]);
const VLAN = { name: 'cli.7', mac: '02:00:00:00:00:07', vlan: { parent: 'cli', id: 7 }, addresses: ['10.7.0.1/24'] };

function ethernet(words: Partial<Parameters<typeof serialiseEthernet>[0]>): Uint8Array {
  return serialiseEthernet({
    destination: MAC.cli,
    source: MAC.client,
    tag: undefined,
    etherType: 0x0800,
    payload: serialiseIpv4(PACKET),
    ...words,
  });
}

describe('the link layer', () => {
  const made = director('nat', {
    network: networkWith(VLAN, { ...VLAN, name: 'down', up: false, vlan: { parent: 'cli', id: 8 } }),
  });

  it.each([
    ['drop link-truncated', ethernet({}).slice(0, 13)],
    ['drop link-truncated', ethernet({ tag: 7 }).slice(0, 17)],
    ['drop unknown-vlan', ethernet({ tag: 9 })],
    ['drop interface-down', ethernet({ tag: 8 })],
    ['drop other-host', ethernet({ destination: MAC.srv })],
    ['drop other-host', ethernet({ tag: 7, destination: MAC.cli })],
    ['drop other-host', ethernet({ destination: MAC.srv, etherType: 0x0806 })],
    ['local link-group', ethernet({ destination: 'ff:ff:ff:ff:ff:ff' })],
    ['local link-group', ethernet({ destination: '01:00:5e:00:00:01', etherType: 0x86dd })],
    ['local arp', ethernet({ destination: 'ff:ff:ff:ff:ff:ff', etherType: 0x0806 })],
    ['local arp', ethernet({ etherType: 0x0806 })],
    ['drop ipv6-version', ethernet({ etherType: 0x86dd, payload: new Uint8Array(40).fill(0x40) })],
    ['pass not-ip', ethernet({ etherType: 0x88cc })],
    ['pass not-ip', ethernet({ tag: 7, destination: VLAN.mac, etherType: 0x8100 })],
    ['pass not-ip', ethernet({ etherType: 0x88a8 })],
    ['forward nat-in', ethernet({})],
    ['forward nat-in', ethernet({ tag: 0xe000 })],
    ['forward nat-in', ethernet({ tag: 0x2007, destination: VLAN.mac })],
    ['drop ipv4-truncated', ethernet({ payload: new Uint8Array(0) })],
  ])('%s', (expected, bytes) => {
    expect(judged(made.send(bytes, 'cli', 0))).toEqual([expected]);
  });

  it('knows its interfaces', () => {
    expect(judged(made.send(ethernet({}), 'eth7', 0))).toEqual(['drop unknown-interface']);
    expect(judged(made.send(ethernet({ destination: VLAN.mac }), 'down', 0))).toEqual(['drop interface-down']);
    made.setNetwork(networkWith({ ...NETWORK.interfaces[1]!, up: false }));
    expect(judged(made.send(ethernet({}), 'cli', 0))).toEqual(['drop interface-down']);
  });

  it('reads MACs in either case', () => {
    const mac = '02:00:00:00:AB:CD';
    const upper = director('nat', { network: networkWith({ ...NETWORK.interfaces[1]!, mac }) });
    expect(judged(upper.send(ethernet({ destination: mac }), 'cli', 0))).toEqual(['forward nat-in']);
  });

  it('hands a frame that it does not forward back as it came', () => {
    const padded = Uint8Array.from([...ethernet({ tag: 0, etherType: 0x0806, payload: new Uint8Array(28) }), 1, 2]);
    const [outcome] = made.send(padded, 'cli', 0);
    expect(toHex(outcome!.frame)).toBe(toHex(padded));
    expect(outcome!.outInterface).toBeUndefined();
  });
});

describe('raw, loopback and tunnel interfaces', () => {
  const made = director('nat', {
    network: networkWith({ name: 'tun0', kind: 'raw', addresses: ['10.8.0.1/32'] }, { name: 'tunl0', kind: 'ipip' }),
  });

  it.each(['tun0', 'lo', 'tunl0'])('%s takes IP packets', (name) => {
    expect(judged(made.send(serialiseIpv4(PACKET), name, 0))).toEqual(['forward nat-in']);
    expect(judged(made.send(Uint8Array.of(0x60), name, 0))).toEqual(['drop ipv6-truncated']);
    expect(judged(made.send(new Uint8Array(0), name, 0))).toEqual(['drop ipv4-truncated']);
    expect(judged(made.send(new Uint8Array(20).fill(0x50), name, 0))).toEqual(['drop ipv4-version']);
  });

  it('loopback alone takes sources that nothing from outside may have', () => {
    const packet = serialiseIpv4(tcp(SYN, [40000, 81], { source: '127.0.0.1' }));
    expect(judged(made.send(packet, 'lo', 0))).toEqual(['local local-delivery']);
    expect(judged(made.send(packet, 'tun0', 0))).toEqual(['drop martian-source']);
  });
});

describe('the way out', () => {
  function to(network: ConstructorParameters<typeof ReferenceDirector>[0]['network']) {
    const made = new ReferenceDirector({ network });
    made.addService({ ...TCP_SERVICE, scheduler: 'rr' });
    made.addDest(TCP_SERVICE, { address: SERVER, method: 'dr' });
    return made.send(frame(PACKET), 'cli', 0);
  }

  it('puts the MACs of interface and neighbour in front', () => {
    const [outcome] = to(NETWORK);
    expect(outcome).toMatchObject({ verdict: 'forward', outInterface: 'srv', made: false });
    expect(toHex(outcome!.frame.slice(0, 14))).toBe('020000000111' + '020000000101' + '0800');
  });

  it('pushes the tag of a VLAN interface, which has its parent’s MAC by default', () => {
    const network = networkWith({ name: 'srv.300', vlan: { parent: 'srv', id: 300 } });
    const routes = [{ dst: '10.1.0.0/24', dev: 'srv.300', prefsrc: '10.1.0.1' }];
    const neighbours = [{ dst: SERVER, dev: 'srv.300', lladdr: MAC.server }];
    const [outcome] = to({ ...network, routes, neighbours });
    expect(outcome).toMatchObject({ outInterface: 'srv.300' });
    expect(toHex(outcome!.frame.slice(0, 18))).toBe('020000000111' + '020000000101' + '8100012c' + '0800');
  });

  it('needs no MAC for a raw interface', () => {
    const network = networkWith({ name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24'] });
    const [outcome] = to({ ...network, neighbours: [] });
    expect(outcome!.verdict).toBe('forward');
    expect(outcome!.frame[0]).toBe(0x45);
  });

  it('goes by the gateway where there is one', () => {
    const routes = [{ dst: '10.1.0.0/24', dev: 'srv', gateway: '10.1.0.12' }];
    const [outcome] = to({ ...NETWORK, routes });
    expect(toHex(outcome!.frame.slice(0, 6))).toBe('020000000112');
  });

  it.each([
    ['no-neighbour', { ...NETWORK, neighbours: [] }],
    ['no-neighbour', { ...NETWORK, neighbours: [{ dst: SERVER, dev: 'cli', lladdr: MAC.server }] }],
  ])('%s', (reason, network) => {
    expect(judged(to(network))).toEqual([`drop ${reason}`]);
  });

  it.each([
    ['the interface is down', { up: false }],
    ['its address implies no subnet', { addresses: ['10.1.0.1/32'] }],
  ])('is none when %s', (_, changes) => {
    const network = { ...networkWith({ ...NETWORK.interfaces[2]!, ...changes }), routes: [] };
    expect(judged(to(network))).toEqual(['drop no-route', 'forward host-unreachable']);
  });

  it('is implied by an address', () => {
    expect(judged(to({ ...NETWORK, routes: [] }))).toEqual(['forward direct-route']);
  });
});

describe('a network that cannot be', () => {
  it.each([
    ['an interface without a MAC', { interfaces: [{ name: 'eth0' }] }],
    ['a route to nowhere', { interfaces: [], routes: [{ dst: 'default', dev: 'eth0' }] }],
    ['a neighbour nowhere', { interfaces: [], neighbours: [{ dst: VIP, dev: 'eth0', lladdr: MAC.cli }] }],
    ['a prefix of 33 bits', { ...NETWORK, routes: [{ dst: '10.0.0.0/33', dev: 'cli' }] }],
    ['a MAC of 5 bytes', { ...NETWORK, neighbours: [{ dst: VIP, dev: 'cli', lladdr: '02:00:00:00:01' }] }],
  ])('%s is refused', (_, network) => {
    expect(() => new ReferenceDirector({ network })).toThrow(RangeError);
  });
});
