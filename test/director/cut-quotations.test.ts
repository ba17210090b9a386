/** With a small MTU an ICMP error may have no room for the ports; schedule_icmp drops it then, the host's own, too. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import { CLIENT, fromClient, lab, NAT, networkWith, request, SERVERS, TCP_KEY } from '../support/lab.js';
import { ipv4, udp } from '../support/packets.js';

/** Room for 40 bytes of the packet. */
const NETWORK = networkWith({ cli: { mtu: 68 } });
const nops = (length: number) => new Uint8Array(length).fill(1);

type Sysctl = { schedule_icmp: number };

function reference(sysctl: Sysctl): ReferenceDirector {
  const director = new ReferenceDirector({ network: NETWORK, sysctl });
  director.addService({ ...TCP_KEY, scheduler: 'rr' });
  director.addDest(TCP_KEY, NAT);
  return director;
}

const twins: readonly (readonly [string, (sysctl: Sysctl) => Director | ReferenceDirector])[] = [
  ['core', (sysctl) => lab([NAT], { network: NETWORK, sysctl }, {}, [TCP_KEY])],
  ['reference', reference],
];

describe.each(twins)('%s', (_, make) => {
  const reasons = (director: Director | ReferenceDirector, packet: Uint8Array): string[] =>
    director.send(fromClient(packet), 'cli', 0).map(({ reason }) => reason);
  const EXPIRED = ['ttl-exceeded', 'time-exceeded'];
  const routed = { source: CLIENT, destination: SERVERS[1], ttl: 1 };
  const datagram = (options: number) => udp({ ...routed, sport: 1, dport: 2, options: nops(options) });

  it('the ports are there, just: sent', () => {
    expect(reasons(make({ schedule_icmp: 1 }), datagram(16))).toEqual(EXPIRED);
  });

  it('no ports: dropped', () => {
    expect(reasons(make({ schedule_icmp: 1 }), datagram(20))).toEqual(EXPIRED.slice(0, 1));
    const segment = request('tcp', { ttl: 1, options: nops(20) });
    expect(reasons(make({ schedule_icmp: 1 }), segment)).toEqual(EXPIRED.slice(0, 1));
  });

  it('without schedule_icmp, or a service: sent', () => {
    expect(reasons(make({ schedule_icmp: 0 }), datagram(20))).toEqual(EXPIRED);
    const director = make({ schedule_icmp: 1 });
    director.deleteService(TCP_KEY);
    expect(reasons(director, datagram(20))).toEqual(EXPIRED);
  });

  it('of a protocol without ports: sent', () => {
    const packet = ipv4({ ...routed, protocol: 99, options: nops(20) }, nops(40));
    expect(reasons(make({ schedule_icmp: 1 }), packet)).toEqual(EXPIRED);
  });
});
