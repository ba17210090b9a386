import { describe, expect, it } from 'vitest';
import { applyRules, parseRule, parseRules, type RuleCommand } from '../../src/rules/ipvsadm.js';
import { fixture, kernelFile, listingsOf, RuleTable, SCENARIOS } from './model.js';

const at = { file: 'rules.txt', line: 7 };

function parse(line: string): unknown {
  const { at: _, ...command } = parseRule(line, at)!;
  return command;
}

const web = { protocol: 'tcp', address: '10.0.0.100', port: 80 };
const dest = { address: '10.1.0.11', port: 80, method: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0 };

describe('commands', () => {
  it('-A and -E take a service, by default wlc without flags', () => {
    expect(parse('-A -t 10.0.0.100:80')).toEqual({
      command: 'add-service',
      service: { ...web, scheduler: 'wlc', flags: [] },
    });
    expect(parse('-E -u 10.0.0.100:53 -s wrr')).toEqual({
      command: 'edit-service',
      service: { protocol: 'udp', address: '10.0.0.100', port: 53, scheduler: 'wrr', flags: [] },
    });
  });

  it('-b takes flags in any order and gives them in the order of ipvsadm', () => {
    const flags = (line: string) => (parse(line) as { service: { flags: string[] } }).service.flags;
    expect(flags('-A -t 10.0.0.100:80 -s sh -b sh-port,sh-fallback')).toEqual(['sh-fallback', 'sh-port']);
    expect(flags('-A -t 10.0.0.100:80 -b sh-port,sh-port -s sh')).toEqual(['sh-port']);
    expect(flags('-A -t 10.0.0.100:80 -s sh -b flag-1')).toEqual(['sh-fallback']);
    expect(flags('-A -t 10.0.0.100:80 -s sh -b flag-2')).toEqual(['sh-port']);
    expect(flags('-A -t 10.0.0.100:80 -s mh -b flag-1,mh-port')).toEqual(['mh-fallback', 'mh-port']);
  });

  it('-p, -M, --pe and -o say what is persistent, and -p takes the next word unless that is an option', () => {
    const given = (line: string) => (parse(line) as { service: object }).service;
    const service = { ...web, scheduler: 'wlc', flags: [] };
    expect(given('-A -t 10.0.0.100:80 -p')).toEqual({ ...service, persistent: 360 });
    expect(given('-A -t 10.0.0.100:80 -p -M 255.255.255.0')).toEqual({
      ...service,
      persistent: 360,
      netmask: '255.255.255.0',
    });
    expect(given('-A -t 10.0.0.100:80 --persistent=300')).toEqual({ ...service, persistent: 300 });
    expect(given('-A -t 10.0.0.100 -p 60')).toEqual({ ...service, port: 0, persistent: 60 });
    expect(given('-A -u 10.0.0.100:5060 -p 60 --pe sip -o')).toMatchObject({ persistent: 60, pe: 'sip', ops: true });
    expect(given('-A -t [fd00::100]:80 -p 60 -M 48')).toMatchObject({ persistent: 60, netmask: 48 });
    expect(given('-A -f 7 --ops')).toMatchObject({ fwmark: 7, ops: true });
  });

  it('-D takes a key, -C nothing', () => {
    expect(parse('-D -t 10.0.0.100:80')).toEqual({ command: 'delete-service', service: web });
    expect(parse('-C')).toEqual({ command: 'clear' });
  });

  it('-a and -e take a server, by default -g with weight 1', () => {
    expect(parse('-a -t 10.0.0.100:80 -r 10.1.0.11')).toEqual({ command: 'add-server', service: web, dest });
    expect(parse('-e -t 10.0.0.100:80 -r 10.1.0.11:8080 -m -w 0 -x 10 -y 5')).toEqual({
      command: 'edit-server',
      service: web,
      dest: { ...dest, port: 8080, method: 'nat', weight: 0, upperThreshold: 10, lowerThreshold: 5 },
    });
  });

  it('DR and TUN force the port of the service, NAT keeps its own', () => {
    const port = (line: string) => (parse(line) as { dest: { port: number } }).dest.port;
    expect(port('-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -g')).toBe(80);
    expect(port('-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -i')).toBe(80);
    expect(port('-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m')).toBe(8080);
    // A server that is named before the service inherits nothing from it.
    expect(port('-a -r 10.1.0.11 -m -t 10.0.0.100:80')).toBe(0);
    expect(port('-a -t 10.0.0.100:80 -r 10.1.0.11:0 -m')).toBe(0);
    expect(port('-d -t 10.0.0.100:80 -r 10.1.0.11:8080')).toBe(8080);
  });

  it.each([
    ['', { type: 'ipip', checksum: 'nocsum' }],
    ['--tun-type ipip', { type: 'ipip', checksum: 'nocsum' }],
    ['--tun-type gre', { type: 'gre', checksum: 'nocsum' }],
    ['--tun-type gre --tun-nocsum', { type: 'gre', checksum: 'nocsum' }],
    ['--tun-csum --tun-type=gre', { type: 'gre', checksum: 'csum' }],
    ['--tun-type gue --tun-port 6080', { type: 'gue', port: 6080, checksum: 'nocsum' }],
    ['--tun-type gue --tun-port=65535 --tun-csum', { type: 'gue', port: 65535, checksum: 'csum' }],
    ['--tun-remcsum --tun-port 1 --tun-type gue', { type: 'gue', port: 1, checksum: 'remcsum' }],
  ])('-i %s makes a tunnel', (options, tunnel) => {
    for (const [letter, command] of [
      ['-a', 'add-server'],
      ['-e', 'edit-server'],
    ]) {
      expect(parse(`${letter} -t 10.0.0.100:80 -r 10.1.0.11:8080 -i -w 1 ${options}`)).toEqual({
        command,
        service: web,
        dest: { ...dest, method: 'tun', tunnel },
      });
    }
  });

  it('IPv6 stands in brackets, or without them and without a port', () => {
    expect(parse('-A -t [fd00::100]:80')).toMatchObject({
      service: { protocol: 'tcp', address: 'fd00::100', port: 80 },
    });
    const server = (text: string) => (parse(`-a -u [FD00:0::100]:53 -r ${text} -m`) as { dest: object }).dest;
    expect(parse('-a -u [FD00:0::100]:53 -r [fd00:1::11]:5353 -m')).toEqual({
      command: 'add-server',
      service: { protocol: 'udp', address: 'fd00::100', port: 53 },
      dest: { ...dest, address: 'fd00:1::11', port: 5353, method: 'nat' },
    });
    expect(server('fd00:1::11')).toMatchObject({ address: 'fd00:1::11', port: 53 });
    expect(server('fd00:1::11:5353')).toMatchObject({ address: 'fd00:1::11:5353', port: 53 });
    expect(server('[::ffff:10.1.0.11]:53')).toMatchObject({ address: '::ffff:10.1.0.11', port: 53 });
  });

  it('SCTP has a long option only', () => {
    expect(parse('-A --sctp-service 10.0.0.100:3868 -s rr')).toMatchObject({
      service: { protocol: 'sctp', address: '10.0.0.100', port: 3868 },
    });
    expect(parse('-d --sctp-service=[fd00::100]:3868 -r fd00:1::11')).toEqual({
      command: 'delete-server',
      service: { protocol: 'sctp', address: 'fd00::100', port: 3868 },
      dest: { address: 'fd00:1::11', port: 3868 },
    });
  });

  it('-f takes a firewall mark, of IPv4 unless -6 follows', () => {
    expect(parse('-A -f 5 -s rr')).toEqual({
      command: 'add-service',
      service: { fwmark: 5, family: 4, scheduler: 'rr', flags: [] },
    });
    expect(parse('-D -f 4294967295 -6')).toEqual({
      command: 'delete-service',
      service: { fwmark: 4294967295, family: 6 },
    });
    expect(parse('-E --fwmark-service=1 --ipv6')).toMatchObject({ service: { fwmark: 1, family: 6 } });
  });

  it("a mark's servers have the port that they are given, by default 0", () => {
    const server = (options: string) => (parse(`-a ${options}`) as { dest: object }).dest;
    expect(server('-f 5 -r 10.1.0.21')).toEqual({ ...dest, address: '10.1.0.21', port: 0 });
    expect(server('-f 5 -r 10.1.0.21:0 -g')).toEqual({ ...dest, address: '10.1.0.21', port: 0 });
    expect(server('-f 5 -r 10.1.0.21:8080 -m')).toEqual({ ...dest, address: '10.1.0.21', port: 8080, method: 'nat' });
    expect(server('-f 1 -6 -r [fd00:1::21]:0 -g')).toEqual({ ...dest, address: 'fd00:1::21', port: 0 });
    expect(server('-f 5 -r 10.1.0.21:8080 -g')).toMatchObject({ port: 8080 });
    expect(parse('-d -f 5 -r 10.1.0.22')).toMatchObject({ dest: { address: '10.1.0.22', port: 0 } });
  });

  it('only tunnels lead through the other family', () => {
    const tunnel = { type: 'ipip', checksum: 'nocsum' };
    expect(parse('-a -t 10.0.0.100:80 -r [fd00:1::21]:80 -i')).toMatchObject({
      dest: { address: 'fd00:1::21', tunnel },
    });
    expect(parse('-a -t [fd00::100]:80 -r 10.1.0.22 -i')).toMatchObject({ dest: { address: '10.1.0.22', tunnel } });
    expect(parse('-a -f 1 -6 -r 10.1.0.22 -i')).toMatchObject({ dest: { address: '10.1.0.22', port: 0, tunnel } });
    // ipvsadm does not look at the families here either.
    expect(parse('-d -t 10.0.0.100:80 -r [fd00:1::21]:80')).toMatchObject({ dest: { address: 'fd00:1::21' } });
  });

  it('-d takes keys; the port is by default that of the service', () => {
    expect(parse('-d -t 10.0.0.100:80 -r 10.1.0.11')).toEqual({
      command: 'delete-server',
      service: web,
      dest: { address: '10.1.0.11', port: 80 },
    });
  });

  it('--set takes three times in seconds', () => {
    expect(parse('--set 900 0 2678400')).toEqual({ command: 'set', tcp: 900, tcpfin: 0, udp: 2678400 });
  });

  it.each([
    [
      '--add-service --tcp-service 10.0.0.100:80 --scheduler sh --sched-flags sh-port',
      '-A -t 10.0.0.100:80 -s sh -b sh-port',
    ],
    ['--edit-service --udp-service=10.0.0.100:80 --scheduler=rr', '-E -u 10.0.0.100:80 -s rr'],
    ['--delete-service --tcp-service 10.0.0.100:80', '-D -t 10.0.0.100:80'],
    ['--clear', '-C'],
    [
      '--add-server --tcp-service 10.0.0.100:80 --real-server 10.1.0.11 --masquerading --weight=3',
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -m -w 3',
    ],
    [
      '--edit-server --tcp-service 10.0.0.100:80 --real-server 10.1.0.11 --gatewaying',
      '-e -t 10.0.0.100:80 -r 10.1.0.11 -g',
    ],
    ['--add-server --tcp-service 10.0.0.100:80 --real-server 10.1.0.11 --ipip', '-a -t 10.0.0.100:80 -r 10.1.0.11 -i'],
    [
      '--add-server --tcp-service 10.0.0.100:80 --real-server 10.1.0.11 --u-threshold 9 --l-threshold=3',
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -x 9 -y 3',
    ],
    ['--delete-server --tcp-service 10.0.0.100:80 --real-server 10.1.0.11', '-d -t 10.0.0.100:80 -r 10.1.0.11'],
    ['-At 10.0.0.100:80 -srr', '-A -t 10.0.0.100:80 -s rr'],
    ['-at10.0.0.100:80 -mr 10.1.0.11 -w5', '-a -t 10.0.0.100:80 -r 10.1.0.11 -m -w 5'],
    ['-A -t 10.0.0.100:80 --scheduler=', '-A -t 10.0.0.100:80 -s wlc'],
    ['-A -t 10.0.0.100:80 -s=sh -b ,sh-port,', '-A -t 10.0.0.100:80 -s sh -b sh-port'],
    ['-A -t 012.0x0.100:+80', '-A -t 10.0.0.100:80'],
    ['-A -t 167772260:80 -p -M 24 -s rr', '-A -t 10.0.0.100:80 -p 360 -M 0.0.0.24 -s rr'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -w 010', '-a -t 10.0.0.100:80 -r 10.1.0.11 -w 10'],
    ['-A -t [fd00::100]:80 -p -M 64x', '-A -t [fd00::100]:80 -p -M 64'],
    ['-A -M 64 -t [fd00::100]:80 -p', '-A -t [fd00::100]:80 -p'],
    ['-A -f 5 -p -M 255.0.0.0 -6', '-A -f 5 -6 -p'],
    ['ipvsadm   -C\t# all', '-C'],
    ['-C\r', '-C'],
  ])('%j is the same as %j', (long, short) => {
    expect(parse(long)).toEqual(parse(short));
  });
});

describe('files', () => {
  it('skip empty lines and comments, and number the rest', () => {
    const text = '# web\n\n  \nipvsadm -C\n-A -t 10.0.0.100:80 # VIP\r\n';
    const commands = parseRules(text, 'a.rules');
    expect(commands.map(({ command, at: where }) => [command, where])).toEqual([
      ['clear', { file: 'a.rules', line: 4 }],
      ['add-service', { file: 'a.rules', line: 5 }],
    ]);
    expect(parseRules('')).toEqual([]);
  });

  it('name the file and line of a mistake', () => {
    expect(() => parseRules('-C\n\n-A -t 10.0.0.100:80 -s lc2\n', 'a.rules')).toThrow(/^a\.rules:3:24: .*"lc2"/);
  });

  it.each(SCENARIOS)('of the scenario %s parse', (scenario) => {
    const text = kernelFile(scenario, 'rules.txt');
    expect(parseRules(text)).toHaveLength(text.trimEnd().split('\n').length);
  });

  it.each(listingsOf('rules'))('%s parses', (file) => {
    const text = fixture(`listings/${file}`).replaceAll(/-s (dh|lblc)\n/g, '-s rr\n');
    expect(parseRules(text)).toHaveLength(text.trimEnd().split('\n').length);
  });
});

describe('applyRules', () => {
  const run = (text: string, table = new RuleTable()) => {
    applyRules(table, parseRules(text, 'a.rules'));
    return table;
  };

  it('calls what each command means', () => {
    const table = run(
      '-A -t 10.0.0.100:80 -s rr\n-A -u 10.0.0.100:53\n-a -t 10.0.0.100:80 -r 10.1.0.11 -m\n-a -t 10.0.0.100:80 -r 10.1.0.12\n' +
        '-E -t 10.0.0.100:80 -s sh -b sh-port\n-e -t 10.0.0.100:80 -r 10.1.0.12 -w 7\n-d -t 10.0.0.100:80 -r 10.1.0.11\n-D -u 10.0.0.100:53\n',
    );
    expect(table.rows).toEqual([
      { ...web, scheduler: 'sh', flags: ['sh-port'], dests: [{ ...dest, address: '10.1.0.12', weight: 7 }] },
    ]);
    run('-C', table);
    expect(table.rows).toEqual([]);
  });

  it('leaves out timeouts of 0, which ipvsadm leaves as they are', () => {
    expect(run('--set 0 0 60\n--set 1 2 3\n--set 0 0 0').timeouts).toEqual([
      { udp: 60 },
      { tcp: 1, tcpfin: 2, udp: 3 },
      {},
    ]);
  });

  it('names the line that was refused and keeps the cause', () => {
    const table = new RuleTable();
    const text = '# twice\n-A -t 10.0.0.100:80\n-A -t 10.0.0.100:80\n-C';
    expect(() => run(text, table)).toThrow(
      expect.objectContaining({
        message: 'a.rules:3: Service already exists',
        code: 'BAD_INPUT',
        line: 3,
        column: undefined,
        cause: expect.objectContaining({ code: 'SERVICE_EXISTS' }),
      }),
    );
    expect(table.rows).toHaveLength(1);
  });

  it('lets programming mistakes through', () => {
    const table = new RuleTable();
    table.clear = () => {
      throw new TypeError('broken');
    };
    expect(() => run('-C', table)).toThrow(new TypeError('broken'));
  });

  it.each(SCENARIOS)('every ipvsadm command of the scenario %s is taken', (scenario) => {
    const { events } = JSON.parse(kernelFile(scenario, 'scenario.json')) as { events: { kind: string; cmd: string }[] };
    const lines = events.filter(({ kind, cmd }) => kind === 'cmd' && cmd.startsWith('ipvsadm ')).map(({ cmd }) => cmd);
    expect(lines.length).toBeGreaterThan(0);
    const commands = lines
      .map((line) => parseRule(line))
      .filter((command): command is RuleCommand => command !== undefined);
    applyRules(new RuleTable(), commands);
    expect(commands).toHaveLength(lines.length);
  });
});
