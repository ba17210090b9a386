/**
 * The short way of known connections skips checks that were made once. These are the cases in which it must not.
 */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  judged,
  lab,
  NAT,
  NETWORK,
  request,
  SERVERS,
  TCP_KEY,
  VIP,
} from '../support/lab.js';
import { ACK, SYN, tcp } from '../support/packets.js';

const reply = (destination: string = CLIENT, source: string = SERVERS[0], flags = SYN | ACK) =>
  tcp({ source, destination, sport: 8080, dport: 40_000, flags });

describe.each(BINARIES)('%s', (binary) => {
  it("a VIP that was taken away is not ours again because of a server's reply", () => {
    const director = lab([NAT], { binary });
    director.send(fromClient(request('tcp')), 'cli', 0);
    const interfaces = NETWORK.interfaces.map((each) =>
      each.name === 'cli' ? { ...each, addresses: ['10.0.0.1/24', 'fd00::1/64'] } : each,
    );
    director.setNetwork({ ...NETWORK, interfaces });
    const ack = fromClient(request('tcp', { flags: ACK }));
    expect(judged(director.send(ack, 'cli', 1))).toEqual(['drop no-neighbour']);
    expect(judged(director.send(fromServer(reply()), 'srv', 2))).toEqual(['forward nat-out']);
    expect(judged(director.send(ack, 'cli', 3))).toEqual(['drop no-neighbour']);
  });

  it('a reply to the director as the client is translated, and opens nothing', () => {
    const director = lab([NAT], { binary });
    director.send(request('tcp', { source: '10.1.0.1' }), 'lo', 0);
    const [outcome] = director.send(fromServer(reply('10.1.0.1')), 'srv', 1);
    expect([outcome?.verdict, outcome?.reason]).toEqual(['local', 'local-client']);
    expect(outcome?.frame.slice(14)).toEqual(
      tcp({ source: VIP, destination: '10.1.0.1', sport: 80, dport: 40_000, flags: SYN | ACK }),
    );
    expect(director.connections(1)).toHaveLength(1);
    expect(director.services().find(({ protocol }) => protocol === 'tcp')?.stats.outPackets).toBe(1n);
  });

  it('the tuple of a local client is martian from outside, also once it has a connection', () => {
    const director = lab([NAT], { binary });
    director.send(request('tcp', { source: '10.0.0.1' }), 'lo', 0);
    const spoofed = fromClient(request('tcp', { source: '10.0.0.1', flags: ACK }));
    expect(judged(director.send(spoofed, 'cli', 1))).toEqual(['drop martian-source']);
  });

  it('a client that becomes the end of a NAT server is refused, with nat_icmp_send', () => {
    const director = lab([NAT], { binary, sysctl: { nat_icmp_send: 1 } });
    const send = () => judged(director.send(fromClient(request('tcp', { flags: SYN })), 'cli', 0));
    expect([send(), send()]).toEqual([['forward nat-in'], ['forward nat-in']]);
    director.addDest(TCP_KEY, { address: CLIENT, port: 40_000, method: 'nat' });
    expect(send()).toEqual(['drop no-connection', 'forward port-unreachable']);
    director.setSysctl({ nat_icmp_send: 0 });
    expect([send(), send()]).toEqual([['forward nat-in'], ['forward nat-in']]);
    director.setSysctl({ nat_icmp_send: 1 });
    expect(send()).toEqual(['drop no-connection', 'forward port-unreachable']);
  });

  it('a loopback source goes to no other host', () => {
    const director = lab([NAT], { binary });
    expect(judged(director.send(request('tcp', { source: '127.0.0.1' }), 'lo', 0))).toEqual(['drop local-boundary']);
  });

  it('a connection that is due does not hide the live one with the same reply tuple', () => {
    const director = lab([NAT], { binary });
    const other = { ...TCP_KEY, port: 81 };
    director.addService({ ...other, scheduler: 'rr' });
    director.addDest(other, NAT);
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0);
    director.send(fromClient(request('tcp', { dport: 81 })), 'cli', 1);
    // 60 s after its SYN the second is due, and the wheel has not come to it yet.
    const [outcome] = director.send(fromServer(reply(CLIENT, SERVERS[0], ACK)), 'srv', 60_001);
    expect(outcome?.reason).toBe('nat-out');
    expect(outcome?.connection).toMatchObject({ virtualPort: 80 });
  });

  it('traffic counts end with their service, whoever gets its record', () => {
    const director = lab([NAT], { binary });
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.deleteDest(TCP_KEY, NAT);
    director.deleteService(TCP_KEY);
    director.addService({ ...TCP_KEY, scheduler: 'rr' });
    director.addDest(TCP_KEY, NAT);
    const web = director.services().find(({ protocol }) => protocol === 'tcp');
    expect(web?.dests[0]).toMatchObject({ activeConnections: 1, stats: { connections: 0n, inPackets: 0n } });
  });
});
