import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRule, parseRules, RuleError } from '../../src/rules/ipvsadm.js';

const IN_DPVS = ": in DPVS's words, which --dialect dpvs takes";

const at = { file: 'rules.txt', line: 7 };

function refusal(line: string): RuleError {
  try {
    parseRule(line, at);
  } catch (error) {
    if (error instanceof RuleError) return error;
    throw error;
  }
  throw new Error(`taken: ${line}`);
}

describe('refusals', () => {
  it.each([
    // [line, column, text]
    ['-t 10.0.0.100:80 -A', 1, 'expected a command such as -A or -a first, got "-t"'],
    ['ipvsadm', undefined, 'expected a command such as -A or -a first, got nothing'],
    ['web -A -t 10.0.0.100:80', 1, 'unexpected argument web'],
    ['-A', 1, "You need to supply the 'service-address' option for the 'add-service' command"],
    ['-a -t 10.0.0.100:80', 1, "You need to supply the 'real-server' option for the 'add-server' command"],
    ['-A -C -t 10.0.0.100:80', 4, "invalid option `-C'"],
    ['-A -t 10.0.0.100:80 rr', 21, 'unexpected argument rr'],
    ['-A -t', 4, '-t: missing argument'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 --ipip=1', 34, '--ipip=1: option does not take an argument'],
    ['-A -t 10.0.0.100:80 -q', 21, '-q: unknown option'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -b', 34, `-b: missing argument${IN_DPVS}`],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -b -w 1', 40, `unexpected argument 1${IN_DPVS}`],
    ['-P -z 10.1.0.1 -t 10.0.0.100:80', 1, `expected a command such as -A or -a first, got "-P"${IN_DPVS}`],
    ['-A -f 7 -J', 9, '-J: unknown option'],
    [
      '-A -t fd00:0:0:0:0:0:0:1:80',
      7,
      'illegal virtual server address[:port] specified: got "fd00:0:0:0:0:0:0:1:80": write [fd00:0:0:0:0:0:0:1]:80',
    ],
    [
      '-A -t www.example.org:80',
      7,
      'illegal virtual server address[:port] specified: got "www.example.org:80": names are not resolved here, ipvsadm -S -n writes numbers',
    ],
    ['-A -t 10.0.0.100:80 --wheight 3', 21, '--wheight: unknown option'],
    ['-a -t 10.0.0.100:80 -mq', 21, '-mq: unknown option'],
    ['-A -t 10.0.0.100:80 -', 21, 'unexpected argument -'],
    ['-A -t 10.0.0.100:80 -w 3', 21, "Illegal 'weight' option with the 'add-service' command"],
    ['-D -t 10.0.0.100:80 -s rr', 21, "Illegal 'scheduler' option with the 'delete-service' command"],
    ['-C -t 10.0.0.100:80', 4, "Illegal 'service-address' option with the 'flush' command"],
    ['-d -t 10.0.0.100:80 -r 10.1.0.11 -m', 34, "Illegal 'forwarding-method' option with the 'delete-server' command"],
    ['--set 900 120 300 -w 1', 19, "Illegal 'weight' option with the 'set' command"],
    ['-A -t 10.0.0.100:80 -u 10.0.0.100:80', 21, "multiple 'service-address' options specified"],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -m --ipip', 37, "multiple 'forwarding-method' options specified"],
    ['-A -t 10.0.0.100:80 -s rr -s rr', 27, "multiple 'scheduler' options specified"],
    [
      '-A -t web:80',
      7,
      'illegal virtual server address[:port] specified: got "web:80": names are not resolved here, ipvsadm -S -n writes numbers',
    ],
    ['-A -t fd00::g:80', 7, 'illegal virtual server address[:port] specified: got "fd00::g:80"'],
    ['-A -t [fd00::100', 7, 'illegal virtual server address[:port] specified: got "[fd00::100"'],
    ['-A -t [fd00::100]', 7, 'illegal virtual server address[:port] specified: got "[fd00::100]"'],
    ['-A -t [fd00::100]80', 7, 'illegal virtual server address[:port] specified: got "[fd00::100]80"'],
    ['-A -t [fd00::g]:80', 7, 'illegal virtual server address[:port] specified: got "[fd00::g]:80"'],
    ['-A -t [10.0.0.100]:80', 7, 'Zero port specified for non-persistent service: got "[10.0.0.100]:80"'],
    ['-A -t [fe80::1%eth0]:80', 7, 'illegal virtual server address[:port] specified: got "[fe80::1%eth0]:80"'],
    ['-a -f 1 -r fe80::1%2', 12, 'illegal real server address[:port] specified: got "fe80::1%2"'],
    ['-A -t [fd00::100]:http', 7, 'illegal virtual server address[:port] specified: got "[fd00::100]:http"'],
    [
      '-A -t fd00::100:80',
      7,
      'Zero port specified for non-persistent service: got "fd00::100:80": write [fd00::100]:80',
    ],
    ['-A -t 10.0.0.100:80 -p 0', 24, "invalid timeout value `0' specified"],
    ['-A -t [fd00::100]:80 -p 60 -M 129', 31, 'illegal ipv6 netmask specified: got "129"'],
    [
      '-A -t 10.0.0.100:80 --pe sap',
      26,
      'Scheduler or persistence engine not found: expected the engine sip, got "sap"',
    ],
    ['-A -t 10.0.0.100:80 -o', 21, 'One-Packet Scheduling is only for UDP virtual services'],
    ['-A -f 0', 7, "invalid fwmark value `0' specified"],
    ['-A -f 4294967296', 7, "invalid fwmark value `4294967296' specified"],
    ['-A -f 0x10', 7, "invalid fwmark value `0x10' specified"],
    ['-A -6 -f 1', 4, '-6 used before -f'],
    ['-A -t 10.0.0.100:80 -6', 21, '-6 used before -f'],
    ['-A -t 10.0.0.100:80 -f 1', 21, "multiple 'service-address' options specified"],
    [
      '-a -t [fd00::100]:80 -r 10.1.0.11 -m',
      25,
      'Different address family is allowed only for tunneling servers: got "10.1.0.11"',
    ],
    [
      '-a -f 1 -r [fd00::1]:80 -g',
      12,
      'Different address family is allowed only for tunneling servers: got "[fd00::1]:80"',
    ],
    ['-a -f 1 -6 -r 10.1.0.1', 15, 'Different address family is allowed only for tunneling servers: got "10.1.0.1"'],
    [
      '-A -t 10.0.0.100:http',
      7,
      'illegal virtual server address[:port] specified: got "10.0.0.100:http": names are not resolved here, ipvsadm -S -n writes numbers',
    ],
    ['-A -t 10.0.0.100:65536', 7, 'illegal virtual server address[:port] specified: got "10.0.0.100:65536"'],
    ['-A -t 10.0.0.100:', 7, 'illegal virtual server address[:port] specified: got "10.0.0.100:"'],
    ['-A -t 10.0.0.100:80:80', 7, 'illegal virtual server address[:port] specified: got "10.0.0.100:80:80"'],
    ['-A -t 10.0.0.100:0', 7, 'Zero port specified for non-persistent service: got "10.0.0.100:0"'],
    ['-A -t 10.0.0.100', 7, 'Zero port specified for non-persistent service: got "10.0.0.100"'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -w 65536', 37, 'illegal weight specified: got "65536"'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -w -1', 37, 'illegal weight specified'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -w 0x10', 37, 'illegal weight specified: got "0x10"'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -x 2147483648', 37, 'illegal u_threshold specified: got "2147483648"'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -m --tun-type ipip', 37, 'Tunnel options conflict with forward method'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 --tun-csum', 34, 'Tunnel options conflict with forward method'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-type sit', 48, 'illegal tunnel type specified: got "sit"'],
    [
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-type gue',
      34,
      "You need to supply the 'tun-port' option for the 'gue' tunnel type",
    ],
    [
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-port 6080',
      37,
      "Illegal 'tun-port' option with the 'ipip' tunnel type",
    ],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-nocsum', 37, "Illegal 'tun-nocsum' option with the 'ipip' tunnel type"],
    [
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-type gre --tun-port 1',
      52,
      "Illegal 'tun-port' option with the 'gre' tunnel type",
    ],
    [
      '-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-type gre --tun-remcsum',
      52,
      "Illegal 'tun-remcsum' option with the 'gre' tunnel type",
    ],
    ['-a -t 10.0.0.100:80 -r 10.1.0.11 -i --tun-type gue --tun-port 0', 63, 'illegal tunnel port specified: got "0"'],
    [
      '-a -t 10.0.0.1:80 -r 10.1.0.11 -i --tun-csum --tun-nocsum',
      46,
      "Illegal 'tun-nocsum' option with the 'ipip' tunnel type",
    ],
    ['-A -t 10.0.0.100:80 --tun-type ipip', 21, "Illegal 'tun-type' option with the 'add-service' command"],
    [
      '-d -t 10.0.0.100:80 -r 10.1.0.11 --tun-type ipip',
      34,
      "Illegal 'tun-type' option with the 'delete-server' command",
    ],
    [
      '-A -t 10.0.0.100:80 -s fastest',
      24,
      'Scheduler or persistence engine not found: expected one of rr, wrr, lc, wlc, lblc, lblcr, dh, sh, mh, maglev, sed, nq, fo, ovf, twos, got "fastest"',
    ],
    ['-A -t 10.0.0.100:80 -s rr -b sh-port', 30, "incompatible scheduler flag `sh-port'"],
    ['-A -t 10.0.0.100:80 -s mh -b mh-port,toString', 38, "invalid scheduler flag `toString'"],
    ['-A -t 10.0.0.100:80 -s sh -b mh-port', 30, "incompatible scheduler flag `mh-port'"],
    ['--set 900 120', 1, '--set option requires 3 timeout values'],
    ['--set 900 120 300 4', 19, 'unexpected argument 4'],
    ['--set 900 120 2678401', 15, "invalid timeout value `2678401' specified"],
  ] as const)('%j', (line, column, text) => {
    const error = refusal(line);
    expect(error.message).toBe(`rules.txt:7:${column === undefined ? '' : `${column}:`} ${text}`);
    expect(error).toMatchObject({ code: 'BAD_INPUT', file: 'rules.txt', line: 7, column });
  });

  it('hint at what -b of ipvsadm is with the dialect dpvs', () => {
    const flags = '-A -t 10.0.0.100:80 -s mh -b mh-port';
    expect(() => parseRule(flags, at, 'dpvs')).toThrow(/: with --dialect dpvs, -b is --fullnat, .*--sched-flags$/);
    expect(() => parseRule(`${flags} --what`, at, 'dpvs')).toThrow(/^(?!.*--dialect)/);
  });

  const later = 'not handled by this version';
  it.each([
    ['--start-daemon master', 1, '--start-daemon', later],
    ['-Ln', 1, '-L', 'not a rule'],
    ['-l', 1, '-l', 'not a rule'],
    ['--list --stats', 1, '--list', 'not a rule'],
    ['-S -n', 1, '-S', 'not a rule'],
    ['-R', 1, '-R', 'not a rule'],
  ])('name what ipvsadm has and we do not: %j', (line, column, word, why) => {
    const error = refusal(line);
    expect(error.message).toContain(word);
    expect(error.message).toContain(why);
    expect(error).toMatchObject({ file: 'rules.txt', line: 7, column });
  });

  it('carry file and line for any text at all', () => {
    const word = fc.constantFrom(
      '-A',
      '-a',
      '-e',
      '-d',
      '-C',
      '--set',
      '-t',
      '-u',
      '-r',
      '-s',
      '-b',
      '-w',
      '-m',
      '-i',
      '-x',
      '-y',
      '-p',
      '--',
      '--tun-type',
      'ipip',
      'gue',
      '--tun-port=5',
      '--tun-csum',
      '-f',
      '-6',
      '[fd00::1]:80',
      '[fd00::1]',
      'fd00::1',
      '10.0.0.1:80',
      '10.0.0.1',
      'rr',
      'sh',
      'sh-port',
      '5',
      '-1',
      '#',
      'ipvsadm',
      '--weight=3',
      '-wm',
      '=',
      '-=',
    );
    const line = fc.oneof(
      fc.array(word, { maxLength: 10 }).map((words) => words.join(' ')),
      fc.string(),
    );
    let taken = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
        const text = lines.join('\n');
        try {
          parseRules(text, 'x.rules');
          taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(RuleError);
          const { file, line: number, message, code, column } = error as RuleError;
          expect([file, code]).toEqual(['x.rules', 'BAD_INPUT']);
          expect(number).toBeLessThanOrEqual(text.split('\n').length);
          expect(message).toMatch(column === undefined ? `x.rules:${number}: ` : `x.rules:${number}:${column}: `);
          if (column !== undefined) expect(column).toBeLessThanOrEqual(text.split('\n')[number - 1]!.length + 1);
        }
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(0);
  });
});
