/** NAT64 in the words of ipvsadm, DPVS and keepalived, and in listings. */
import { describe, expect, it } from 'vitest';
import {
  applyRules,
  checkKeepalived,
  listConnections,
  listServices,
  parseKeepalived,
  parseRules,
  runIpvsadm,
  saveRules,
} from '../../src/rules/index.js';
import { NOW } from '../support/fullnat.js';
import { fromClient, nat64, send64 } from '../support/nat64.js';

const RULES = `-A -t [fd00::100]:80 -s rr --toa
--add-laddr -t [fd00::100]:80 --laddr fd00:1::1
--add-laddr -t [fd00::100]:80 --laddr 10.1.0.1
-a -t [fd00::100]:80 -r [fd00:1::11]:8080 --fullnat -w 0
-a -t [fd00::100]:80 -r 10.1.0.11:8080 --fullnat -w 1
`;

/** What runIpvsadm says, and its code. */
function ipvsadm(line: string): [code: number, err: string] {
  const director = nat64({}, {}, []);
  applyRules(director, parseRules('-A -t [fd00::100]:80\n-A -t 10.1.0.1:80'));
  let err = '';
  const io = {
    out: () => undefined,
    err: (text: string) => {
      err += text;
    },
    input: () => '',
  };
  return [runIpvsadm(line.split(' '), director, io), err];
}

describe('rules of NAT64', () => {
  const director = nat64({}, {}, []);
  applyRules(director, parseRules(RULES));
  send64(director, fromClient(), 'cli');

  it('come out as they went in', () => {
    expect(saveRules(director.services())).toBe(RULES);
  });

  it('are listed with either family', () => {
    expect(listServices(director.services()).split('\n').slice(3)).toEqual([
      'TCP  [fd00::100]:80 rr',
      '  -> [fd00:1::11]:8080            FullNat 0      0          0         ',
      '  -> 10.1.0.11:8080               FullNat 1      1          0         ',
      '',
    ]);
    const [, header, connection] = listConnections(director.connections(NOW)).split('\n');
    expect(header).toContain('local');
    expect(connection).toBe(
      'TCP 01:00  SYN_RECV    [fd00::2]:40001    [fd00::100]:80     10.1.0.1:1024      10.1.0.11:8080',
    );
  });

  it.each([
    ['-a -t [fd00::100]:80 -r 10.1.0.11:8080 -m', /Different address family is allowed only for tunneling servers/],
    [
      '-a -t 10.1.0.1:80 -r [fd00:1::11]:8080 --fullnat',
      /Different address family is allowed only for tunneling servers/,
    ],
    ['--add-laddr -t 10.1.0.1:80 --laddr fd00::1', /an address of the service's family/],
  ])('%s is refused', (line, why) => {
    const [code, err] = ipvsadm(line);
    expect(err).toMatch(why);
    expect(code).not.toBe(0);
  });

  it.each(['-a -t [fd00::100]:80 -r 10.1.0.11:8080 --fullnat', '--add-laddr -t [fd00::100]:80 --laddr 10.1.0.2'])(
    '%s is taken',
    (line) => expect(ipvsadm(line)).toEqual([0, '']),
  );
});

describe('keepalived.conf', () => {
  const config = (vip: string, method: string, server: string) => `local_address_group laddr_g1 {
  10.1.0.2 dpdk1
  fd00:1::2 dpdk1
}
virtual_server ${vip} 80 {
  lvs_sched rr
  lvs_method ${method}
  protocol TCP
  laddr_group_name laddr_g1
  real_server ${server} 8080 {
  }
}
`;

  it('has servers of IPv4 behind a service of IPv6 by FNAT', () => {
    const text = config('fd00::100', 'FNAT', '10.1.0.11');
    expect(checkKeepalived(text).problems).toEqual([]);
    expect(parseKeepalived(text).rules).toMatchObject([
      { command: 'add-service', service: { address: 'fd00::100' } },
      { command: 'add-laddr', address: '10.1.0.2' },
      { command: 'add-laddr', address: 'fd00:1::2' },
      { dest: { address: '10.1.0.11', method: 'fullnat' } },
    ]);
  });

  it('has no others', () => {
    for (const text of [config('fd00::100', 'NAT', '10.1.0.11'), config('10.1.0.100', 'FNAT', 'fd00:1::11')]) {
      const { problems } = checkKeepalived(text);
      expect(problems.map(({ text: why }) => why)).toContainEqual(expect.stringContaining('FNAT from IPv6 to IPv4'));
    }
  });
});
