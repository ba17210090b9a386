import { describe, expect, it } from 'vitest';
import { Director } from '../../src/index.js';
import { type IpvsadmOptions, runIpvsadm, runIpvsadmRestore, runIpvsadmSave } from '../../src/rules/index.js';

const WEB = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;

interface Session {
  readonly director: Director;
  out: string;
  err: string;
  run(line: string, options?: IpvsadmOptions, input?: string): number;
}

function session(): Session {
  const director = Director.createSync({ plan: { connections: 64, connections6: 64, services: 8 }, seed: 0n });
  const self: Session = {
    director,
    out: '',
    err: '',
    run(line, options, input = '') {
      self.out = '';
      self.err = '';
      const io = {
        out: (text: string) => {
          self.out += text;
        },
        err: (text: string) => {
          self.err += text;
        },
        input: () => input,
      };
      const [program = '', ...argv] = line.split(' ');
      if (program === 'ipvsadm-save') return runIpvsadmSave(argv, director, io, options);
      if (program === 'ipvsadm-restore') return runIpvsadmRestore(director, io, options);
      return runIpvsadm(argv, director, io, options);
    },
  };
  return self;
}

describe('runIpvsadm', () => {
  it('data goes to one stream and complaints to the other', () => {
    const one = session();
    expect(one.run('ipvsadm -A -t 10.0.0.100:80')).toBe(0);
    expect(one.run('ipvsadm -S -n')).toBe(0);
    expect([one.out, one.err]).toEqual(['-A -t 10.0.0.100:80 -s wlc\n', '']);
    expect(one.run('ipvsadm -A -t 10.0.0.100:80')).toBe(255);
    expect([one.out, one.err]).toEqual(['', 'Service already exists\n']);
  });

  it('repeats the name that it was called by', () => {
    const one = session();
    expect(one.run('ipvsadm -q', { program: '/sbin/ipvsadm' })).toBe(255);
    expect(one.err).toBe("Try `/sbin/ipvsadm -h' or '/sbin/ipvsadm --help' for more information.\n");
  });

  it('lists everything without a command', () => {
    const one = session();
    expect(one.run('ipvsadm')).toBe(0);
    expect(one.out).toMatch(/^IP Virtual Server version 1\.2\.1 \(size=4096\)\n/);
  });

  it('has a help and a version', () => {
    const one = session();
    expect(one.run('ipvsadm -h', { program: 'lvs' })).toBe(0);
    expect(one.out).toContain('lvs -D SERVICE');
    expect(one.out).toContain('-w, --weight VALUE');
    expect(one.run('ipvsadm --version')).toBe(0);
    expect(one.out).toContain('1.31');
  });

  it('refuses to synchronise, and says so', () => {
    const one = session();
    expect(one.run('ipvsadm --start-daemon master --mcast-interface eth0')).toBe(255);
    expect(one.err).toMatch(/not handled by ipvs-wasm/);
    expect(one.run('ipvsadm -L --daemon')).toBe(0);
    expect(one.out).toBe('');
  });

  it('what does not fit is the memory of the kernel that is used up', () => {
    const one = session();
    for (let port = 1; port <= 8; port++) expect(one.run(`ipvsadm -A -t 10.0.0.100:${port}`)).toBe(0);
    expect(one.run('ipvsadm -A -t 10.0.0.100:9')).toBe(255);
    expect(one.err).toBe('Memory allocation problem\n');
  });

  it('JSON has the services of the director, counters as whole numbers', () => {
    const one = session();
    one.run('ipvsadm -A -t 10.0.0.100:80 -s sh -b sh-port -p 60 -M 255.255.255.0');
    one.run('ipvsadm -a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m');
    one.run('ipvsadm -L', { json: true });
    expect(JSON.parse(one.out)).toMatchObject({
      services: [{ ...WEB, flags: ['sh-port'], persistent: 60, netmask: '255.255.255.0', stats: { inBytes: 0 } }],
    });
    one.run('ipvsadm -Lc', { json: true });
    expect(JSON.parse(one.out)).toEqual({ connections: [] });
    one.run('ipvsadm -L --timeout', { json: true });
    expect(JSON.parse(one.out)).toEqual({ tcp: 900, tcpfin: 120, udp: 300 });
  });

  it('lossless saving keeps thresholds', () => {
    const one = session();
    one.run('ipvsadm -A -t 10.0.0.100:80');
    one.run('ipvsadm -a -t 10.0.0.100:80 -r 10.1.0.11 -x 9 -y 3');
    one.run('ipvsadm -S', { lossless: true });
    expect(one.out).toContain('-r 10.1.0.11:80 -g -w 1 -x 9 -y 3\n');
  });
});

describe('the scripts', () => {
  it('ipvsadm-save takes -n and nothing else', () => {
    const one = session();
    one.run('ipvsadm -A -t 10.0.0.100:80');
    expect(one.run('ipvsadm-save -n foo')).toBe(0);
    expect(one.out).toBe('-A -t 10.0.0.100:80 -s wlc\n');
    expect(one.run('ipvsadm-save -x')).toBe(1);
    expect([one.out, one.err]).toEqual([
      '',
      'ipvsadm-save: Script to save the IPVS table to stdout.\n' +
        '   With the -n option, prints out the table in numeric format.\n',
    ]);
  });

  it('ipvsadm-restore replaces everything, leaves out comments, and stops at a mistake', () => {
    const one = session();
    one.run('ipvsadm -A -t 10.0.0.100:81');
    const rules = '# mine\n-A -t 10.0.0.100:80\n-A -t x\n-A -t 10.0.0.100:82\n';
    expect(one.run('ipvsadm-restore', {}, rules)).toBe(2);
    expect(one.err).toBe('illegal virtual server address[:port] specified\n');
    expect(one.director.services()).toMatchObject([WEB]);
  });
});
