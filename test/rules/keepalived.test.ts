// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are keepalived's own parameters
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import {
  applyRules,
  checkKeepalived,
  type KeepalivedOptions,
  keepalivedServices,
  parseKeepalived,
  parseRules,
  saveRules,
} from '../../src/rules/index.js';

const CONF = readFileSync(join(import.meta.dirname, 'keepalived.conf'), 'utf8');

/** What `ipvsadm -S -n` would print of a director with the rules of a text; thresholds, too. */
function saved(text: string, options: KeepalivedOptions = {}): string[] {
  const director = Director.createSync();
  applyRules(director, parseKeepalived(text, options).rules);
  return saveRules(director.services(), { lossless: true }).trimEnd().split('\n');
}

/** Problems as `check` prints them, without the name of the file. */
function problems(text: string, options: KeepalivedOptions = {}): string[] {
  return checkKeepalived(text, options).problems.map(({ at, severity, text }) => `${at.line}: ${severity}: ${text}`);
}

/** A virtual server for TCP with these lines, and one real server. */
const server = (...lines: string[]) =>
  `virtual_server 10.0.0.1 80 {\n${lines.join('\n')}\nreal_server 10.1.0.11 80 {\n}\n}`;

describe('a keepalived.conf as people write it', () => {
  it('becomes the rules that ipvsadm would save', () => {
    expect(saved(CONF)).toEqual([
      '-A -t 192.0.2.10:80 -s wrr -p 360 -M 255.255.255.0',
      '-a -t 192.0.2.10:80 -r 10.20.0.11:8080 -m -w 3',
      '-a -t 192.0.2.10:80 -r 10.20.0.12:8080 -m -w 1 -x 1000 -y 800',
      '-A -u 192.0.2.53:53 -s mh -o -b mh-port',
      '-a -u 192.0.2.53:53 -r 10.20.1.11:53 -g -w 1',
      '-A -u 192.0.2.54:53 -s mh -o -b mh-port',
      '-a -u 192.0.2.54:53 -r 10.20.1.11:53 -g -w 1',
      '-A -u 192.0.2.64:53 -s mh -o -b mh-port',
      '-a -u 192.0.2.64:53 -r 10.20.1.11:53 -g -w 1',
      '-A -u 192.0.2.65:53 -s mh -o -b mh-port',
      '-a -u 192.0.2.65:53 -r 10.20.1.11:53 -g -w 1',
      '-A -f 7 -6 -s wlc',
      '-a -f 7 -6 -r 10.20.2.12:0 -i -w 2 --tun-type ipip',
      '-a -f 7 -6 -r [2001:db8::11]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum',
      '-A -f 53 -s mh -o -b mh-port',
      '-a -f 53 -r 10.20.1.11:53 -g -w 1',
    ]);
  });

  it('says which lines were ignored', () => {
    expect(parseKeepalived(CONF, { file: 'shop.conf' }).warnings).toEqual([
      {
        at: { file: 'shop.conf', line: 5 },
        severity: 'warning',
        text: 'global_defs is not for IPVS, its block but lvs_timeouts is ignored',
      },
      {
        at: { file: 'shop.conf', line: 14 },
        severity: 'warning',
        text: 'vrrp_script is not for IPVS, its block is ignored',
      },
      {
        at: { file: 'shop.conf', line: 19 },
        severity: 'warning',
        text: 'vrrp_instance is not for IPVS, its block is ignored',
      },
    ]);
  });

  it('sets the timeouts of lvs_timeouts', () => {
    const director = Director.createSync();
    const before = director.getTimeouts();
    applyRules(director, parseKeepalived(CONF).rules);
    expect(director.getTimeouts()).toEqual({ ...before, tcp: 7200, udp: 60 });
  });

  it('keeps the checkers, and where they stand', () => {
    const [web] = parseKeepalived(CONF).services;
    expect(web!.realServers.map(({ checkers }) => checkers)).toMatchObject([
      [
        {
          kind: 'HTTP_GET',
          at: { line: 41 },
          settings: [
            { words: ['url'], block: [{ words: ['path', '/health'] }, { words: ['status_code', '200-299'] }] },
            { words: ['connect_timeout', '3'] },
            { words: ['retry', '2'] },
          ],
        },
      ],
      [{ kind: 'TCP_CHECK', settings: [{ words: ['connect_timeout', '3'] }] }],
    ]);
    expect(web!.realServers[1]!.settings).toMatchObject([
      { words: ['notify_down', '/usr/local/bin/tell "12 is down"'] },
    ]);
    expect(web!.health).toMatchObject([{ words: ['delay_loop', '6'] }]);
    expect(web).toMatchObject({ quorum: 3, hysteresis: 1 });
  });
});

describe('defaults', () => {
  it('the NAT trap: without a method keepalived means NAT, ipvsadm DR', () => {
    expect(saved(server())).toEqual(['-A -t 10.0.0.1:80 -s wlc', '-a -t 10.0.0.1:80 -r 10.1.0.11:80 -m -w 1']);
    const [, typed] = parseRules('-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.1.0.11:80');
    expect(typed).toMatchObject({ dest: { method: 'dr' } });
  });

  it('persistence_timeout without a value is 360 s, also when only the granularity is given', () => {
    expect(saved(server('persistence_timeout'))[0]).toBe('-A -t 10.0.0.1:80 -s wlc -p 360');
    expect(saved(server('persistence_timeout 50'))[0]).toBe('-A -t 10.0.0.1:80 -s wlc -p 50');
    expect(saved(server('persistence_granularity 255.255.0.0'))[0]).toBe(
      '-A -t 10.0.0.1:80 -s wlc -p 360 -M 255.255.0.0',
    );
  });

  it('those of the virtual server hold for its real servers, wherever they stand', () => {
    const text = 'virtual_server 10.0.0.1 80 {\nreal_server 10.1.0.11 {\n}\nlvs_method DR\nweight 5\n}';
    expect(saved(text)[1]).toBe('-a -t 10.0.0.1:80 -r 10.1.0.11:80 -g -w 5');
  });

  it('a mark has the family of its servers', () => {
    const text = (address: string) => `virtual_server fwmark 3 {\nreal_server ${address} 80 {\n}\n}`;
    expect(saved(text('fd00::11'))[0]).toBe('-A -f 3 -6 -s wlc');
    expect(saved(text('10.1.0.11'))[0]).toBe('-A -f 3 -s wlc');
  });
});

describe('ranges of a group', () => {
  const addresses = (range: string) =>
    parseKeepalived(
      `virtual_server_group g {\n${range} 80\n}\nvirtual_server group g {\nlvs_method TUN\nreal_server fd00::1 {\n}\n}`,
    ).services.map(({ key }) => ('address' in key ? key.address : undefined));

  it.each([
    ['192.0.2.9-11', ['192.0.2.9', '192.0.2.10', '192.0.2.11']],
    ['192.0.2.255-192.0.3.1', ['192.0.2.255', '192.0.3.0', '192.0.3.1']],
    ['192.0.2.8/30', ['192.0.2.8', '192.0.2.9', '192.0.2.10', '192.0.2.11']],
    ['2001:db8::fe-100', ['2001:db8::fe', '2001:db8::ff', '2001:db8::100']],
    ['2001:db8::/127', ['2001:db8::', '2001:db8::1']],
  ])('%s', (range, expected) => expect(addresses(range)).toEqual(expected));

  it.each([
    ['192.0.2.11-9', '192.0.2.11-9: the range ends before it starts'],
    ['192.0.2.9-300', 'expected a range such as 10.0.0.1-10 or fd00::1-ff, got "192.0.2.9-300"'],
    ['192.0.2.9/30', '192.0.2.9/30: there are bits of a host in the prefix'],
    ['2001:db8::/64', '2001:db8::/64: expected at most 65536 addresses, got 18446744073709551616'],
  ])('%s is refused', (range, text) => {
    expect(problems(`virtual_server_group g {\n${range} 80\n}`)).toEqual([`2: error: ${text}`]);
  });
});

describe('the grammar', () => {
  const one = (rest: string, options?: KeepalivedOptions) =>
    saved(`${rest}\nvirtual_server 10.0.0.1 80 {\nreal_server \${RS} 80 {\n}\n}`, options)[1]!.split(' ')[4];

  it('parameters are replaced when they are used, and what is not defined stays', () => {
    expect(one('$RS=10.2.${SUB}.11\n$SUB=0\n$SUB=10')).toBe('10.2.10.11:80');
    expect(problems(server('lvs_sched $NONE'))[0]).toContain('got "$NONE"');
  });

  it('a definition may have lines of its own', () => {
    const text = '$VS= \\\nvirtual_server 10.0.${N}.1 80 { \\\n  real_server 10.1.${N}.11 80 { \\\n  } \\\n}\n';
    expect(saved(`${text}\n$N=1\n$VS\n$N=2\n$VS`).filter((line) => line.startsWith('-A'))).toEqual([
      '-A -t 10.0.1.1:80 -s wlc',
      '-A -t 10.0.2.1:80 -s wlc',
    ]);
    expect(problems(`${text}$N=1\n$VS\n}`)).toEqual(['8: error: } without a { before it']);
  });

  it('lines with @id are for that id, with @^id for any other', () => {
    const text = '@left $RS=10.1.0.1\n@right $RS=10.1.0.2\n@^left $RS=10.1.0.3';
    expect(one(text, { id: 'left' })).toBe('10.1.0.1:80');
    expect(one(text, { id: 'right' })).toBe('10.1.0.3:80');
    expect(one(text)).toBe('10.1.0.3:80');
  });

  it('predefined parameters are the folder, the id, and the two marks of comments', () => {
    const text = server('virtualhost "${_PWD} ${_INSTANCE} ${_HASH}${_BANG}"');
    const { services } = parseKeepalived(text, { file: '/etc/keepalived/a.conf', id: 'left' });
    expect(services[0]!.health[0]!.words).toEqual(['virtualhost', '/etc/keepalived left #!']);
  });

  it('quotes keep blanks, braces and comments, and know escapes', () => {
    const words = (line: string) => parseKeepalived(server(line)).services[0]!.health[0]!.words;
    expect(words('virtualhost ab" {c} # d "ef! g')).toEqual(['virtualhost', 'ab {c} # d ef']);
    expect(words(`virtualhost '"x"'\\y`)).toEqual(['virtualhost', '"x"\\y']);
    expect(words('virtualhost "\\x41\\102\\t\\"\\\\\\cA"')).toEqual(['virtualhost', 'AB\t"\\\x01']);
  });

  it('include reads what the embedder gives for it, with names and lines of its own', () => {
    const files: Record<string, string> = {
      'vs.conf': server('lvs_sched what'),
      'loop.conf': 'include loop.conf\ninclude loop.conf',
    };
    const include = (file: string) => (Object.hasOwn(files, file) ? [{ file, text: files[file]! }] : []);
    expect(checkKeepalived('include vs.conf\n}', { include }).problems).toMatchObject([
      { at: { file: 'keepalived.conf', line: 2 }, severity: 'error' },
      { at: { file: 'vs.conf', line: 2 }, severity: 'error' },
    ]);
    expect(problems('include none.conf', { include })).toEqual(['1: warning: include: there is no file none.conf']);
    expect(problems('include loop.conf', { include })).toEqual([
      '1: error: include: loop.conf includes itself',
      '2: error: include: loop.conf includes itself',
    ]);
    expect(problems('include vs.conf')).toEqual(['1: error: include: no other files can be read here']);
  });
});

describe('a damaged file', () => {
  it('is refused with file and line of the first mistake', () => {
    expect(() => parseKeepalived(server('lvs_shed rr'), { file: 'a.conf' })).toThrow(
      'a.conf:2: unknown word "lvs_shed" in virtual_server',
    );
  });

  it('has all of its mistakes told', () => {
    const text = server('lvs_sched rrr', 'lvs_method nat', 'protocol ICMP', 'quorum 0', 'sh-port', 'TCP_CHECK {', '}');
    expect(problems(text).map((line) => line.slice(0, 50))).toEqual([
      '2: error: lvs_sched: expected one of rr, wrr, lc, ',
      '3: error: lvs_method: expected NAT, DR, TUN, FNAT ',
      '4: error: protocol: expected TCP, UDP or SCTP, got',
      '5: error: quorum: expected a number of 1 to 214748',
      '7: error: unknown block "TCP_CHECK" in virtual_ser',
      "6: error: incompatible scheduler flag `sh-port': t",
    ]);
  });

  it.each([
    ['virtual_servr 10.0.0.1 80 {\n}', '1: error: unknown word "virtual_servr"'],
    ['virtual_server 10.0.0.1 80 {', '1: error: virtual_server 10.0.0.1 80: the block has no }'],
    ['virtual_server 10.0.0.1 80', '1: error: virtual_server 10.0.0.1 80: the block is missing'],
    ['virtual_server 10.0.0.1 {\n}', '1: error: 10.0.0.1: only a persistent virtual server may be without a port'],
    ['virtual_server group g {\n}', '1: error: there is no virtual_server_group g'],
    ['{\n}', '1: error: { without a word before it'],
    ['$A=x $A\n$A', '2: error: the parameters in it come to too much, or to themselves'],
    ['$A=${A}${A}\n$A', '2: error: the parameters in it come to too much, or to themselves'],
    ['~SEQ(N, 1, 3) include', '1: error: ~SEQ and ~LST are not handled by this version'],
    [server('virtualhost "a'), '2: error: the quote " is not closed'],
    [server('persistence_timeout 0'), '2: error: persistence_timeout: expected a number of 1 to 2678400, got "0"'],
    [server('lvs_method TUN type gue'), '2: error: lvs_method: gue needs a port'],
    [server('lvs_method TUN type gre remcsum'), '2: error: lvs_method: gre has no remcsum'],
    [server('ops'), '1: error: ops is only for UDP and fwmark'],
    [server('persistence_granularity 64'), '1: error: a persistence_granularity of 64 is none of IPv4'],
    [server('quorum 2'), '2: warning: a quorum of 2 is more than all weights together, 1'],
    [server('nat_mask 255.255.255.255'), '2: warning: nat_mask is not handled, the line is ignored'],
    [
      server('real_server 10.1.0.12 80 {\nTCP_CHECK {\nconnect_timeout soon\n}\n}'),
      '4: error: connect_timeout: expected a number, got "soon"',
    ],
    [
      server('real_server 10.1.0.12 80 {\nPING_CHECK {\nretry\nalpha\ndelay_before_retry 0.5\n}\n}'),
      '4: error: retry: expected a number, got ""',
    ],
    [server('real_server 10.1.0.12 80 {\nHTTP_GET {\nulr {\n}\n}\n}'), '4: error: unknown word "ulr" in HTTP_GET'],
    [
      server('real_server 10.1.0.12 80 {\nweight 70000\n}'),
      '3: error: weight: expected a number of 0 to 65535, got "70000"',
    ],
    [
      server('real_server fd00::12 80 {\n}'),
      '2: error: fd00::12: the virtual server is IPv4, and only TUN leads to the other family, or FNAT from IPv6 to IPv4',
    ],
    [
      server('real_server 10.1.0.12 8080 {\nlvs_method DR\n}'),
      '2: warning: 10.1.0.12:8080: DR keeps the port, the server gets 80',
    ],
  ])('%j', (text, expected) => expect(problems(text)).toEqual([expected]));
});

it('whatever is damaged, only mistakes come of it', () => {
  const lines = CONF.split('\n');
  const noise = fc.constantFrom(
    '{',
    '}',
    '"',
    "'",
    '$VIP',
    '${',
    '@left',
    '!',
    '\\',
    'fwmark',
    '$A= \\',
    'include x',
    '\0',
  );
  const damage = fc.array(fc.tuple(fc.nat(lines.length - 1), fc.nat(3), noise), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(damage, (cuts) => {
      const damaged = [...lines];
      for (const [i, kind, text] of cuts) {
        const line = damaged[i]!;
        damaged[i] = [text, '', `${line} ${text}`, line.slice(0, line.length / 2) + text][kind]!;
      }
      expect(checkKeepalived(damaged.join('\n')).rules).toBeDefined();
    }),
    { numRuns: 300 },
  );
});

describe('which servers are alive', () => {
  const text = `virtual_server 10.0.0.1 80 {
    quorum 2
    sorry_server 10.1.0.99 8080
    sorry_server_lvs_method TUN
    real_server 10.1.0.11 80 {
      inhibit_on_failure
    }
    real_server 10.1.0.12 80 {
      weight 3
    }
  }`;
  /** `address weight` of each dest, while the servers `down` are. */
  const dests = (text: string, ...down: string[]) =>
    keepalivedServices(parseKeepalived(text), ({ address }) => !down.includes(address))[0]!.added.map(
      ({ address, weight }) => `${address} ${weight}`,
    );

  it('a dead server goes, or stays with weight 0 where failure inhibits it', () => {
    expect(dests(text)).toEqual(['10.1.0.11 1', '10.1.0.12 3']);
    expect(dests(text, '10.1.0.11')).toEqual(['10.1.0.11 0', '10.1.0.12 3']);
    expect(dests(text.replace('quorum 2', ''), '10.1.0.12')).toEqual(['10.1.0.11 1']);
  });

  it('below the quorum the sorry server stands in for all', () => {
    expect(dests(text, '10.1.0.12')).toEqual(['10.1.0.11 0', '10.1.0.99 1']);
    expect(dests(text, '10.1.0.11', '10.1.0.12')).toEqual(['10.1.0.11 0', '10.1.0.99 1']);
    const without = text.replace(/sorry_server.*\n/g, '');
    expect(dests(without, '10.1.0.12')).toEqual(['10.1.0.11 1']);
  });

  it('a director takes them at once', () => {
    const director = Director.createSync();
    const config = parseKeepalived(text);
    director.replaceRules(keepalivedServices(config));
    director.replaceRules(keepalivedServices(config, () => false));
    expect(director.services()[0]!.dests).toMatchObject([
      { address: '10.1.0.99', method: 'tun', weight: 1 },
      { address: '10.1.0.11', method: 'nat', weight: 0 },
    ]);
  });
});
