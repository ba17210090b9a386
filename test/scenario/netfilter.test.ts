import { describe, expect, it } from 'vitest';
import { Netfilter } from '../../src/scenario/netfilter.js';
import { C0_MAC, CLI_MAC, ether, ipv4, RS1_MAC, SRV_MAC, tcp6Frame, tcpFrame, udp } from './packets.js';

const words = (text: string) => text.split(' ');
const addressOf = (name: string) => (name === 'srv' ? '10.1.0.1' : undefined);

function marking(...rules: string[]): Netfilter {
  const netfilter = new Netfilter();
  for (const rule of rules) netfilter.add(words(`-t mangle -A PREROUTING ${rule}`), addressOf);
  return netfilter;
}

const datagram = (src: string, dst: string, sport: number, dport: number, from = C0_MAC, to = CLI_MAC) =>
  ether(from, to, ipv4({ src, dst, protocol: 17, payload: udp(src, dst, sport, dport, [1, 2, 3]) }));

describe('marks', () => {
  const web = tcpFrame({ sport: 40000, dport: 80 });

  it('are set where all conditions hold', () => {
    const netfilter = marking('-i cli -d 10.0.0.0/24 -p tcp --dport 80 -j MARK --set-mark 7');
    expect(netfilter.markOf(web, 'cli')).toBe(7);
    expect(netfilter.markOf(web, 'srv')).toBe(0);
    expect(netfilter.markOf(tcpFrame({ sport: 80, dport: 81 }), 'cli')).toBe(0);
    expect(netfilter.markOf(tcpFrame({ sport: 1, dport: 80, dst: '10.0.1.100' }), 'cli')).toBe(0);
    expect(netfilter.markOf(datagram('10.0.0.2', '10.0.0.100', 1, 80), 'cli')).toBe(0);
    expect(netfilter.markOf(new Uint8Array(3), 'cli')).toBe(0);
  });

  it('know lists of ports, sources, and bare addresses', () => {
    const netfilter = marking('-s 10.0.0.2 -p tcp -m multiport --dports 80,443 -j MARK --set-mark 5');
    expect(netfilter.markOf(web, 'cli')).toBe(5);
    expect(netfilter.markOf(tcpFrame({ sport: 1, dport: 443 }), 'cli')).toBe(5);
    expect(netfilter.markOf(tcpFrame({ sport: 1, dport: 44 }), 'cli')).toBe(0);
    expect(netfilter.markOf(tcpFrame({ sport: 1, dport: 80, src: '10.0.0.3' }), 'cli')).toBe(0);
    const ports = marking('-p udp --sport 53 -j MARK --set-mark 1');
    expect(ports.markOf(datagram('10.0.0.2', '10.0.0.100', 53, 9), 'cli')).toBe(1);
    expect(ports.markOf(datagram('10.0.0.2', '10.0.0.100', 9, 53), 'cli')).toBe(0);
  });

  it('are those that tc gives by sender', () => {
    const netfilter = new Netfilter();
    netfilter.addFilter(words('qdisc add dev cli ingress'));
    netfilter.addFilter(
      words(`filter add dev cli ingress protocol all flower src_mac ${C0_MAC.toUpperCase()} action skbedit mark 7`),
    );
    expect(netfilter.markOf(web, 'cli')).toBe(7);
    expect(netfilter.markOf(web, 'srv')).toBe(0);
    expect(netfilter.markOf(datagram('10.0.0.2', '10.0.0.100', 1, 80, RS1_MAC), 'cli')).toBe(0);
    // Netfilter comes behind it.
    netfilter.add(words('-t mangle -A PREROUTING -p tcp -j MARK --set-mark 3'), addressOf);
    expect(netfilter.markOf(web, 'cli')).toBe(3);
    expect(netfilter.markOf(datagram('10.0.0.2', '10.0.0.100', 1, 80), 'cli')).toBe(7);
    expect(() => netfilter.addFilter(words('filter add dev cli ingress matchall action drop'))).toThrow(/not handled/);
  });

  it('are those of the last rule that matches, and of one family', () => {
    const netfilter = marking('-p tcp -j MARK --set-mark 1', '-d fd00::/32 -j MARK --set-mark 2');
    expect(netfilter.markOf(web, 'cli')).toBe(1);
    expect(netfilter.markOf(tcp6Frame({ sport: 1, dport: 80 }), 'cli')).toBe(2);
    expect(netfilter.markOf(tcp6Frame({ sport: 1, dport: 80, dst: 'fd01::1' }), 'cli')).toBe(1);
  });
});

describe('masquerading', () => {
  const rule = words('-t nat -A POSTROUTING -o srv -j MASQUERADE');
  const masquerading = () => {
    const netfilter = new Netfilter();
    netfilter.add(rule, addressOf);
    netfilter.tracksIpvs = true;
    return netfilter;
  };
  const tcpOut = (src: string, sport = 36000) =>
    tcpFrame({ src, dst: '10.1.0.11', sport, dport: 8080, from: SRV_MAC, to: RS1_MAC, data: [1, 2] });
  const reply = (dst: string) =>
    tcpFrame({ src: '10.1.0.11', dst, sport: 8080, dport: 36000, flags: 0x12, from: RS1_MAC, to: SRV_MAC });

  it('gives what leaves the address of its interface, and replies theirs back', () => {
    const netfilter = masquerading();
    expect(netfilter.leaving(tcpOut('10.0.0.2'), 'srv')).toEqual(tcpOut('10.1.0.1'));
    expect(netfilter.arriving(reply('10.1.0.1'))).toEqual(reply('10.0.0.2'));
    const out = datagram('10.0.0.2', '10.1.0.11', 5000, 53);
    expect(netfilter.leaving(out, 'srv')).toEqual(datagram('10.1.0.1', '10.1.0.11', 5000, 53));
    expect(netfilter.arriving(datagram('10.1.0.11', '10.1.0.1', 53, 5000))).toEqual(
      datagram('10.1.0.11', '10.0.0.2', 53, 5000),
    );
  });

  it('leaves alone what it was not asked about', () => {
    const netfilter = masquerading();
    expect(netfilter.leaving(tcpOut('10.0.0.2'), 'cli')).toEqual(tcpOut('10.0.0.2'));
    expect(netfilter.arriving(reply('10.1.0.1'))).toEqual(reply('10.1.0.1'));
    const six = tcp6Frame({ sport: 1, dport: 2 });
    expect(netfilter.leaving(six, 'srv')).toEqual(six);
    netfilter.tracksIpvs = false;
    expect(netfilter.leaving(tcpOut('10.0.0.2'), 'srv')).toEqual(tcpOut('10.0.0.2'));
  });

  it('ends where Linux would choose another port', () => {
    const netfilter = masquerading();
    netfilter.leaving(tcpOut('10.0.0.2'), 'srv');
    expect(() => netfilter.leaving(tcpOut('10.0.0.2'), 'srv')).not.toThrow();
    expect(() => netfilter.leaving(tcpOut('10.0.0.2', 36001), 'srv')).not.toThrow();
    expect(() => netfilter.leaving(tcpOut('10.0.0.3'), 'srv')).toThrow(/second source/);
  });
});

describe('rules', () => {
  it.each([
    '-F',
    '-t nat -A POSTROUTING -o cli -j MASQUERADE',
    '-t mangle -A PREROUTING -m connmark --mark 1 -j MARK --set-mark 1',
    '-t mangle -A PREROUTING -p icmp -j MARK --set-mark 1',
    '-A INPUT -m conntrack --ctstate INVALID -j DROP',
  ])('%s is refused', (rule) => {
    expect(() => new Netfilter().add(words(rule), addressOf)).toThrow(/not handled/);
  });

  it('may drop what is invalid: nothing that is compared is', () => {
    const netfilter = new Netfilter();
    netfilter.add(words('-A FORWARD -m conntrack --ctstate INVALID -j DROP'), addressOf);
    expect(netfilter.markOf(tcpFrame({ sport: 1, dport: 2 }), 'cli')).toBe(0);
  });
});
