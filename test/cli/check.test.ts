/** The command check. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kernel, run, scenarioWords, scratch } from './support.js';

const CONF = join(import.meta.dirname, '../rules/keepalived.conf');

/** A file of these lines. */
function file(name: string, ...lines: string[]): string {
  const path = join(scratch(), name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

describe('ipvs-wasm check', () => {
  it('says nothing of good rules', async () => {
    const rules = file('rules.txt', '-A -t 10.0.0.1:80 -s rr', '-a -t 10.0.0.1:80 -r 10.1.0.11:80 -m');
    expect(await run('check', rules)).toEqual({ code: 0, out: '', err: '' });
  });

  it('tells all mistakes of rules, by line', async () => {
    const rules = file('rules.txt', '# mine', '-A -t 10.0.0.1:80 -s nix', '', '-A -t 10.0.0.2:80 --what');
    const { code, out, err } = await run('check', rules);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out.split('\n')).toEqual([
      expect.stringContaining(`${rules}:2: error: Scheduler or persistence engine not found`),
      expect.stringContaining(`${rules}:4: error: `),
      '',
    ]);
  });

  it('tells what a director refuses', async () => {
    const rules = file('rules.txt', '-A -t 10.0.0.1:80', '-A -t 10.0.0.1:80', '-a -t 10.0.0.2:80 -r 10.1.0.11:80 -m');
    const { code, out } = await run('check', rules);
    expect(code).toBe(1);
    expect(out.split('\n').map((line) => /^.*:(\d+: error: )/.exec(line)?.[1])).toEqual([
      '2: error: ',
      '3: error: ',
      undefined,
    ]);
  });

  it('has room for all services that a kernel has room for', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `-A -t 10.0.0.1:${i + 1} -s mh`);
    expect(await run('check', file('rules.txt', ...many))).toEqual({ code: 0, out: '', err: '' });
  });

  it('tells what SNAT cannot be with', async () => {
    const rules = file(
      'snat.txt',
      ...['-A -f 7', '-a -f 7 -r 203.0.113.1 --snat', '-a -f 7 -r 10.1.0.11 -m'],
      ...['-A -t 10.0.0.1:80', '-a -t 10.0.0.1:80 -r 203.0.113.1 --snat'],
    );
    const { code, out } = await run('check', rules);
    expect(code).toBe(1);
    expect(out.split('\n').map((line) => /^.*:(\d+: error: )/.exec(line)?.[1])).toEqual([
      '3: error: ',
      '5: error: ',
      undefined,
    ]);
  });

  it('says one thing of a server by SNAT with a port', async () => {
    const server = '-a -t 10.0.0.1:80 -r 203.0.113.1:8080 --snat';
    const { out } = await run('check', file('snat.txt', '-A -t 10.0.0.1:80', server));
    expect(out).toMatch(/^\S+:2: error: .* expected a service by firewall mark for the method snat\n$/);
  });

  it('says nothing of what hangs on a service that is refused', async () => {
    const lines = [
      '-A -u 10.0.0.1:53 --toa',
      '-a -u 10.0.0.1:53 -r 10.1.0.11 -m',
      '-A -f 7',
      '-A -f 7',
      '-d -f 7 -r 10.1.0.9',
    ];
    const { code, out } = await run('check', file('rules.txt', ...lines));
    expect(code).toBe(1);
    expect(out.match(/:\d+: error: \S+ \S+/g)).toEqual([
      ':1: error: expected one',
      ':4: error: fwmark 7:',
      ':5: error: fwmark 7',
    ]);
  });

  it('tells of local addresses that cannot be, where they stand', async () => {
    const service = (port: number) => [
      `virtual_server 10.0.0.100 ${port} {`,
      ...['lvs_method FNAT', 'laddr_group_name g', 'real_server 10.1.0.11 80 {', '}', '}'],
    ];
    const group = ['local_address_group g {', '10.1.0.2', '224.0.0.1', '}'];
    const conf = file('a.conf', ...group, ...service(80), ...service(81));
    const text = 'error: local address (--laddr, local_address_group): expected the address of a host, got 224.0.0.1';
    expect(await run('check', conf)).toEqual({ code: 1, out: `${conf}:3: ${text}\n`, err: '' });
    const laddr = '--add-laddr -t 10.0.0.1:80 --laddr';
    const lines = ['-A -t 10.0.0.1:80', `${laddr} 10.1.0.2`, `${laddr} 224.0.0.1`];
    const rules = file('rules.txt', ...lines, '-a -t 10.0.0.1:80 -r 10.1.0.11 --fullnat');
    expect(await run('check', rules)).toEqual({ code: 1, out: `${rules}:3: ${text}\n`, err: '' });
  });

  it('refuses a capture in place of rules', async () => {
    const capture = kernel('nat-tcp', 'cli-in');
    const err = `ipvs-wasm: ${capture}: this is no text file; captures are for -i\n`;
    expect(await run('check', capture)).toEqual({ code: 2, out: '', err });
    const words = ['-i', `cli=${capture}`, '--network', 'none', '-o', join(scratch(), 'out.pcap')];
    expect(await run('rewrite', ...words, '--rules', capture)).toEqual({ code: 2, out: '', err });
  });

  it('warns of ports that ipvsadm passes over', async () => {
    const servers = ['10.0.0.11:8080 -g', '10.0.0.12:80 -g', '10.0.0.13 -g', '10.0.0.14:8080 -m', '10.0.0.15:8080 -i'];
    const rules = file('ports.txt', '-A -t 10.0.0.100:80', ...servers.map((each) => `-a -t 10.0.0.100:80 -r ${each}`));
    expect(await run('check', rules)).toMatchObject({
      code: 0,
      out:
        `${rules}:2: warning: DR keeps the port: the server gets 80, not 8080\n` +
        `${rules}:6: warning: TUN keeps the port: the server gets 80, not 8080\n`,
    });
    const six = ['fd00::12', '[fd00::13]:80', '[fd00::14]:8080'].map((each) => `-a -t [fd00::100]:80 -r ${each} -g`);
    const rules6 = file('ports6.txt', '-A -t [fd00::100]:80', ...six);
    const out = `${rules6}:4: warning: DR keeps the port: the server gets 80, not 8080\n`;
    expect(await run('check', rules6)).toMatchObject({ code: 0, out });
  });

  it('warns of servers by FullNAT that no local address leads to', async () => {
    const rules = file('laddr.txt', '-A -t 10.0.0.100:80', '-a -t 10.0.0.100:80 -r 10.1.0.11 --fullnat');
    const { code, out } = await run('check', rules);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^${rules}:2: warning: its service has no local address .*\\n$`));
    const whole = file(
      'laddrs.txt',
      '-A -t 10.0.0.100:80',
      '--add-laddr -t 10.0.0.100:80 --laddr 10.1.0.1',
      '-a -t 10.0.0.100:80 -r 10.1.0.11 --fullnat',
    );
    expect(await run('check', whole)).toMatchObject({ code: 0, out: '' });
  });

  it('warns of servers by NAT64 without a local address of their own family', async () => {
    const service = '[fd00::100]:80';
    const rules = (laddr: string) =>
      file(
        `nat64-${laddr.length}.txt`,
        `-A -t ${service}`,
        `--add-laddr -t ${service} --laddr ${laddr}`,
        `-a -t ${service} -r 10.1.0.11:8080 --fullnat`,
        `-a -t ${service} -r 10.1.0.12:8080 --fullnat`,
        `-a -t ${service} -r [fd00:1::11]:8080 --fullnat`,
      );
    const lines = async (laddr: string) => {
      const { code, out } = await run('check', rules(laddr));
      expect(code).toBe(0);
      return out.match(/:\d+: warning: its service has no local address of IPv\d/g);
    };
    expect(await lines('fd00:1::1')).toEqual([':3: warning: its service has no local address of IPv4']);
    expect(await lines('10.1.0.1')).toEqual([':5: warning: its service has no local address of IPv6']);
  });

  it('warns of what it ignores in a keepalived.conf, which is no error', async () => {
    const { code, out } = await run('check', CONF);
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      `${CONF}:5: warning: global_defs is not for IPVS, its block but lvs_timeouts is ignored`,
      `${CONF}:14: warning: vrrp_script is not for IPVS, its block is ignored`,
      `${CONF}:19: warning: vrrp_instance is not for IPVS, its block is ignored`,
      '',
    ]);
  });

  it('tells mistakes of a keepalived.conf, also those between its blocks', async () => {
    const server = ['virtual_server 10.0.0.1 80 {', 'lvs_sched rr', 'real_server 10.1.0.11 80 {', '}', '}'];
    const conf = file('a.conf', ...server, ...server);
    const { code, out } = await run('check', conf);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`^${conf}:6: error: .*\n`));
    const wrong = file('b.conf', ...server.map((line) => line.replace('lvs_sched', 'lvs_shed')));
    expect(await run('check', wrong)).toEqual({
      code: 1,
      out: `${wrong}:2: error: unknown word "lvs_shed" in virtual_server\n`,
      err: '',
    });
  });

  it('reads what is included, by patterns beside the file', async () => {
    const conf = file('keepalived.conf', 'include conf.d/*.conf', 'include none.conf');
    const folder = join(conf, '../conf.d');
    mkdirSync(folder);
    for (const name of ['b.conf', 'a.conf', 'c.txt']) writeFileSync(join(folder, name), `what is ${name}\n`);
    expect((await run('check', conf)).out).toBe(
      `${conf}:2: warning: include: there is no file none.conf\n` +
        `${folder}/a.conf:1: error: unknown word "what"\n${folder}/b.conf:1: error: unknown word "what"\n`,
    );
  });

  it('takes a file for one of keepalived when it is told, and the lines of an id', async () => {
    const conf = file('a.conf', 'virtual_server');
    expect((await run('check', '--keepalived', conf)).out).toContain(`${conf}:1: error: virtual_server`);
    const lines = file('b.conf', '@left what', '@right which');
    expect((await run('check', '-i', 'left', lines)).out).toBe(`${lines}:1: error: unknown word "what"\n`);
  });

  it('needs files that are there', async () => {
    expect(await run('check')).toMatchObject({ code: 2, err: 'ipvs-wasm: a FILE is needed\n' });
    const none = join(scratch(), 'none');
    expect(await run('check', none)).toMatchObject({ code: 2, err: expect.stringContaining(none) });
  });
});

it('rewrite --rules takes a keepalived.conf', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const at = words.indexOf('--rules') + 1;
  const server = 'virtual_server 10.0.0.100 80 {\n lvs_sched rr\n real_server 10.1.0.11 8080 {\n }\n}';
  const conf = file('keepalived.conf', server);
  const given = words.map((word, i) => (i === at ? conf : word));
  expect(await run('rewrite', '-q', ...given, '-o', join(folder, 'o.pcapng'))).toMatchObject({ code: 0, err: '' });
  writeFileSync(conf, server.replace('rr', 'rrr'));
  expect(await run('rewrite', '-q', ...given, '-o', join(folder, 'p.pcapng'))).toMatchObject({
    code: 2,
    err: expect.stringContaining(`${conf}:2: lvs_sched: expected one of`),
  });
});
