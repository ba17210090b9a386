import { describe, expect, it } from 'vitest';
import { Director } from '../../src/index.js';
import {
  applyRules,
  checkKeepalived,
  type IpvsadmOptions,
  keepalivedServices,
  listConnections,
  parseKeepalived,
  parseRule,
  parseRules,
  RuleError,
  runIpvsadm,
  saveRules,
} from '../../src/rules/index.js';

const NETWORK = {
  interfaces: [
    { name: 'cli', mac: '02:00:00:00:00:01', addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
    { name: 'srv', mac: '02:00:00:00:01:01', addresses: ['10.1.0.1/24', '10.1.0.2/32', '10.1.0.3/32'] },
  ],
  neighbours: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
    { dst: '10.1.0.11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
  ],
};

const RULES = `-A -t 10.0.0.100:80 -s rr --profile dpvs --toa
--add-laddr -t 10.0.0.100:80 --laddr 10.1.0.2
--add-laddr -t 10.0.0.100:80 --laddr 10.1.0.3
-a -t 10.0.0.100:80 -r 10.1.0.11:8080 --fullnat -w 1
`;

const made = (): Director =>
  Director.createSync({ network: NETWORK, plan: { connections: 64, connections6: 64, localAddresses: 8 }, seed: 0n });

function ipvsadm(
  director: Director,
  line: string,
  options?: IpvsadmOptions,
): { code: number; out: string; err: string } {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    input: () => '',
  };
  const code = runIpvsadm(line.split(' '), director, io, options);
  return { code, out, err };
}

describe('rules of FullNAT', () => {
  it('come out as they went in', () => {
    const director = made();
    applyRules(director, parseRules(RULES));
    expect(saveRules(director.services())).toBe(RULES);
  });

  it.each([
    ['--toa', 'toa'],
    ['--proxy-protocol v1', 'proxy-v1'],
    ['--proxy-protocol v2', 'proxy-v2'],
  ])('%s is how a server of TCP is told its client', (words, carry) => {
    const director = made();
    applyRules(director, parseRules(`-A -t 10.0.0.100:80 ${words}`));
    expect(director.services()[0]).toMatchObject({ carry });
    expect(saveRules(director.services())).toBe(`-A -t 10.0.0.100:80 -s wlc ${words}\n`);
  });

  it.each([
    ['--uoa option', 'uoa-option'],
    ['--uoa protocol', 'uoa-protocol'],
    ['--proxy-protocol v2', 'proxy-v2'],
  ])('%s is how a server of UDP is told its client', (words, carry) => {
    const director = made();
    applyRules(director, parseRules(`-A -u 10.0.0.100:53 ${words}`));
    expect(director.services()[0]).toMatchObject({ carry });
    expect(saveRules(director.services())).toBe(`-A -u 10.0.0.100:53 -s wlc ${words}\n`);
  });

  it.each([
    ['--add-laddr -t 10.0.0.100:80', /You need to supply the 'laddr' option for the 'add-laddr' command/],
    ['--add-laddr -t 10.0.0.100:80 --laddr 10.1', /illegal local address specified|10\.0\.0\.1/],
    ['--add-laddr -t 10.0.0.100:80 --laddr nowhere', /illegal local address specified: got "nowhere"/],
    ['-A -t 10.0.0.100:80 --toa --uoa option', /multiple 'client-address' options specified/],
    ['-A -t 10.0.0.100:80 --uoa header', /illegal uoa specified: expected option or protocol, got "header"/],
    [
      '-A -t 10.0.0.100:80 --profile linus',
      /illegal profile specified: expected linux or alibaba or dpvs, got "linus"/,
    ],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -m --fullnat', /multiple 'forwarding-method' options specified/],
    [
      '-a -t 10.0.0.100:80 -r 10.1.0.11 --fullnat --toa',
      /Illegal 'client-address' option with the 'add-server' command/,
    ],
    ['-A -t 10.0.0.100:80 --ifname eth0', /unknown option/],
  ])('%s is refused with a reason', (line, reason) => {
    if (/10\.1$/.test(line)) {
      // An IPv4 address of two parts, as everywhere in ipvsadm.
      expect(parseRule(line)).toMatchObject({ address: '10.0.0.1' });
      return;
    }
    expect(() => parseRule(line)).toThrow(RuleError);
    expect(() => parseRule(line)).toThrow(reason);
  });

  it('the short options of DPVS mean what they do there, if one asks for it', () => {
    const dpvs = parseRules(
      '-A -t 10.0.0.100:80 -s rr -j enable\n-P -z 10.1.0.2 -t 10.0.0.100:80 -F dpdk1\n-a -t 10.0.0.100:80 -r 10.1.0.11:80 -b',
      'rules',
      'dpvs',
    );
    expect(dpvs).toMatchObject([
      { command: 'add-service', service: { synproxy: true } },
      { command: 'add-laddr', address: '10.1.0.2' },
      { command: 'add-server', dest: { method: 'fullnat' } },
    ]);
    expect(() => parseRule('-P -z 10.1.0.2 -t 10.0.0.100:80')).toThrow(RuleError);
    expect(parseRule('-A -t 10.0.0.100:80 -s sh -b sh-port')).toMatchObject({ service: { flags: ['sh-port'] } });
  });

  it('a SYN proxy is one of them', () => {
    const director = made();
    const text = '-A -t 10.0.0.100:80 -s rr --synproxy enable\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m -w 1\n';
    applyRules(director, parseRules(text));
    expect(saveRules(director.services())).toBe(text);
    expect(ipvsadm(director, '-L -n').out).toContain('TCP  10.0.0.100:80 rr synproxy\n');
    applyRules(director, parseRules('-E -t 10.0.0.100:80 -s rr --synproxy disable'));
    expect(director.services()[0]).not.toHaveProperty('synproxy');
    const telling = '-A -t 10.0.0.100:81 -s rr --proxy-protocol v2 --synproxy enable\n';
    applyRules(director, parseRules(telling));
    expect(saveRules(director.services()).split('\n')).toContain(telling.trimEnd());
    expect(() => parseRule('-A -t 10.0.0.100:80 --synproxy on')).toThrow(/expected enable or disable, got "on"/);
  });

  it('a service that is edited keeps its local addresses', () => {
    const director = made();
    applyRules(director, parseRules(`${RULES}-E -t 10.0.0.100:80 -s wrr`));
    expect(director.services()[0]).toMatchObject({ scheduler: 'wrr', localAddresses: ['10.1.0.2', '10.1.0.3'] });
    applyRules(director, parseRules('--del-laddr -t 10.0.0.100:80 --laddr 10.1.0.2'));
    expect(director.services()[0]).toMatchObject({ localAddresses: ['10.1.0.3'] });
  });

  it.each([
    ['--add-laddr -t 10.0.0.100:80 --laddr 10.1.0.2', /10\.1\.0\.2/],
    ['--del-laddr -t 10.0.0.100:80 --laddr 10.1.0.9', /10\.1\.0\.9/],
    ['--add-laddr -t 10.0.0.100:81 --laddr 10.1.0.2', /10\.0\.0\.100:81|No such service/],
    ['--add-laddr -t 10.0.0.100:80 --laddr fd00::1', /fd00::1/],
  ])('%s is refused by the director', (line, reason) => {
    const director = made();
    applyRules(director, parseRules(RULES));
    expect(() => applyRules(director, parseRules(line))).toThrow(reason);
    expect(director.services()[0]).toMatchObject({ localAddresses: ['10.1.0.2', '10.1.0.3'] });
  });
});

describe('what the director refuses is told in the words of rules', () => {
  it.each([
    [
      '--add-laddr -t 10.0.0.100:80 --laddr 224.0.0.1',
      'local address (--laddr, local_address_group): expected the address of a host, got 224.0.0.1',
    ],
    [
      '-A -u 10.0.0.100:53 --toa',
      'expected one that udp has (--uoa option, --uoa protocol, --proxy-protocol v2), got --toa',
    ],
    [
      '-A -u [fd00::100]:53 --uoa option',
      'expected --uoa protocol or --proxy-protocol v2 for IPv6, which has no such option, got --uoa option',
    ],
    ['-A -u 10.0.0.100:53 --synproxy enable', '--synproxy: expected TCP or a firewall mark, got udp'],
  ])('%s', (line, text) => {
    const director = made();
    applyRules(director, parseRules(RULES));
    expect(() => applyRules(director, parseRules(line, 'rules.txt'))).toThrow(`rules.txt:1: ${text}`);
    expect(ipvsadm(director, line)).toMatchObject({ code: 255, err: `${text}\n` });
  });
});

describe('listings of FullNAT', () => {
  const SYN = Uint8Array.from(
    (
      '0200000000010200000000020800' +
      '45000028000140004006266a0a0000020a000064' +
      '9c410050000000010000000050020400faea0000'
    ).match(/../g)!,
    (hex) => Number.parseInt(hex, 16),
  );

  it('name the method, the local address of each connection, and how many have one', () => {
    const director = made();
    applyRules(director, parseRules(RULES));
    director.send(SYN, 'cli', 1000);
    expect(ipvsadm(director, '-L -n').out).toContain(
      '  -> 10.1.0.11:8080               FullNat 1      1          0         \n',
    );
    expect(listConnections(director.connections(1000))).toBe(
      'IPVS connection entries\n' +
        'pro expire state       source             virtual            local              destination\n' +
        'TCP 00:30  SYN_RECV    10.0.0.2:40001     10.0.0.100:80      10.1.0.2:1024      10.1.0.11:8080\n',
    );
    expect(ipvsadm(director, '--get-laddr -n').out).toBe(
      'VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n' +
        '10.0.0.100:80        2        10.1.0.2             0          1         \n' +
        '                              10.1.0.3             0          0         \n',
    );
    expect(ipvsadm(director, '-G -n', { dialect: 'dpvs' }).out).toBe(ipvsadm(director, '--get-laddr').out);
    expect(ipvsadm(director, '--get-laddr -t 10.0.0.100:81')).toMatchObject({
      code: 1,
      err: 'No such service\n',
    });
  });

  it('have no column for local addresses without any', () => {
    const director = made();
    applyRules(director, parseRules('-A -t 10.0.0.100:80\n-a -t 10.0.0.100:80 -r 10.1.0.11:80 -m'));
    director.send(SYN, 'cli', 1000);
    expect(listConnections(director.connections(1000))).not.toContain('local');
  });
});

describe('what the director refuses of it', () => {
  it.each([
    ['-A -u 10.0.0.100:53 --toa', /expected one that udp has/],
    ['--add-laddr -t 10.0.0.100:80 --laddr fd00::1', /an address of the service's family, got fd00::1/],
    ['-a -t 10.0.0.100:80 -r 10.1.0.12 -g --weight 1', /behind a SYN proxy/],
  ])('%s is said in words of its own: ipvsadm has none', (line, reason) => {
    const director = made();
    applyRules(director, parseRules('-A -t 10.0.0.100:80 --synproxy enable'));
    const { code, err } = ipvsadm(director, line);
    expect(err).toMatch(reason);
    expect(err).not.toContain('Invalid operation');
    expect(code).toBe(255);
  });
});

describe('keepalived.conf of DPVS', () => {
  const CONFIG = `local_address_group laddr_g1 {
  10.1.0.2 dpdk1
  10.1.0.4-6
}
virtual_server 10.0.0.100 80 {
  lvs_sched rr
  lvs_method FNAT
  protocol TCP
  syn_proxy
  laddr_group_name laddr_g1
  real_server 10.1.0.11 8080 {
    weight 2
  }
}
`;

  it('gives its services local addresses', () => {
    const config = parseKeepalived(CONFIG);
    const localAddresses = ['10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.6'];
    expect(config.rules).toMatchObject([
      { command: 'add-service', service: { synproxy: true } },
      ...localAddresses.map((address, i) => ({ command: 'add-laddr', address, at: { line: i === 0 ? 2 : 3 } })),
      { command: 'add-server', dest: { method: 'fullnat', port: 8080, weight: 2 } },
    ]);
    const director = made();
    applyRules(director, config.rules);
    expect(director.services()).toMatchObject([{ localAddresses }]);
    expect(keepalivedServices(config)).toMatchObject([{ service: { localAddresses } }]);
  });

  it('has a SYN proxy for TCP alone', () => {
    const { problems } = checkKeepalived(CONFIG.replace('protocol TCP', 'protocol UDP'));
    expect(problems).toMatchObject([
      { severity: 'error', at: { line: 5 }, text: 'syn_proxy is only for TCP and fwmark' },
    ]);
  });

  it('a group that is not there is an error with its line', () => {
    const { problems } = checkKeepalived(CONFIG.replace('name laddr_g1', 'name other'));
    expect(problems).toMatchObject([
      { severity: 'error', at: { line: 10 }, text: expect.stringContaining('there is no local_address_group other') },
    ]);
  });
});
