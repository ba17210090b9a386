/** SNAT in rules of ipvsadm and DPVS, listings, and keepalived.conf. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import {
  applyRules,
  checkKeepalived,
  type IpvsadmOptions,
  keepalivedServices,
  listConnections,
  parseKeepalived,
  parseRule,
  parseRules,
  runIpvsadm,
  saveRules,
} from '../../src/rules/index.js';
import { NOW } from '../support/fullnat.js';
import { addSnat, fromInner, MARK, send, snat } from '../support/snat.js';

const RULES = `-A -f 7 -s rr -p 60
-a -f 7 -r 203.0.113.1:0 --snat -w 2
-A -f 7 -6 -s wrr --profile dpvs
-a -f 7 -6 -r [fd00:2::1]:0 --snat -w 1
`;

function ipvsadm(director: Director, line: string, options?: IpvsadmOptions, input = '') {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    input: () => input,
  };
  return { code: runIpvsadm(line.split(' '), director, io, options), out, err };
}

const bare = (): Director => snat({}, {}, []);

describe('rules of SNAT', () => {
  it('come out as they went in', () => {
    const director = bare();
    applyRules(director, parseRules(RULES));
    expect(saveRules(director.services())).toBe(RULES);
    expect(ipvsadm(director, '-S -n').out).toBe(RULES);
    expect(ipvsadm(bare(), '-R', {}, RULES).code).toBe(0);
    const json = JSON.parse(ipvsadm(director, '-L -n', { json: true }).out);
    expect(json.services[0].dests[0]).toMatchObject({ address: '203.0.113.1', port: 0, method: 'snat', weight: 2 });
    const again = bare();
    again.replaceRules(director.services().map((service) => ({ service, added: service.dests })));
    expect(saveRules(again.services())).toBe(RULES);
  });

  it('need no port, and have a short option in the dialect of DPVS', () => {
    const rule = { command: 'add-server', dest: { address: '203.0.113.1', port: 0, method: 'snat' } };
    expect(parseRule('-a -f 7 -r 203.0.113.1 --snat')).toMatchObject(rule);
    expect(parseRules('-a -f 7 -r 203.0.113.1 -J', 'rules', 'dpvs')).toMatchObject([rule]);
    expect(() => parseRule('-a -f 7 -r 203.0.113.1 -J')).toThrow('-J');
    expect(() => parseRule('-a -f 7 -r 203.0.113.1 -m --snat')).toThrow("multiple 'forwarding-method' options");
    expect(() => parseRule('-a -f 7 -r fd00::1 --snat')).toThrow('Different address family');
  });

  it('are listed as SNAT, and connections with their local address', () => {
    const director = snat();
    send(director, fromInner(4), 'in');
    expect(ipvsadm(director, '-L -n').out).toContain(
      'FWM  7 rr\n  -> 203.0.113.1:0                SNAT    1      1          0         \n',
    );
    expect(listConnections(director.connections(NOW)).split('\n').slice(1, 3)).toEqual([
      'pro expire state       source             virtual            local              destination',
      'TCP 01:00  SYN_RECV    10.1.0.11:40001    198.51.100.9:443   203.0.113.1:1024   198.51.100.9:443',
    ]);
  });

  it.each([
    ['-a -t 203.0.113.2:80 -r 203.0.113.1 --snat', /expected a service by firewall mark for the method snat/],
    ['-a -f 7 -r 203.0.113.2:80 --snat', /expected port 0 for the method snat/],
    ['-a -f 7 -r 10.1.0.11 -m', /no other dest beside those by snat/],
    ['-e -f 7 -r 203.0.113.1 -m', undefined],
    ['-E -f 7 -s rr -o', /other than snat with one-packet scheduling/],
    ['-E -f 7 -s rr --toa', /other than snat with carry/],
  ])('%s, refused, is in words of its own', (line, reason) => {
    const director = snat({}, {}, [4]);
    director.addService({ protocol: 'tcp', address: '203.0.113.2', port: 80 });
    const { code, err } = ipvsadm(director, line);
    expect(code).toBe(reason === undefined ? 0 : 255);
    if (reason !== undefined) expect(err).toMatch(reason);
  });
});

describe('keepalived.conf', () => {
  const CONFIG = `virtual_server fwmark ${MARK} {
  lvs_sched rr
  lvs_method SNAT
  real_server 203.0.113.1 0 {
    weight 3
  }
}
`;

  it('has services by SNAT', () => {
    const director = bare();
    director.replaceRules(keepalivedServices(parseKeepalived(CONFIG)));
    expect(saveRules(director.services())).toBe('-A -f 7 -s rr\n-a -f 7 -r 203.0.113.1:0 --snat -w 3\n');
    expect(checkKeepalived(CONFIG).problems).toEqual([]);
  });

  it.each([
    [/fwmark 7/, '203.0.113.9 80', /^SNAT is only for a virtual_server fwmark$/],
    [/lvs_sched rr/, 'lvs_sched rr\n  ops', /^SNAT goes with neither ops nor syn_proxy$/],
    [/203.0.113.1 0/, '203.0.113.1 80', /^203.0.113.1:80: SNAT has no port$/],
    [
      /weight 3\n {2}\}/,
      'weight 3\n  }\n  sorry_server 10.1.0.9 80\n  sorry_server_lvs_method NAT',
      /no other lvs_method/,
    ],
  ])('%s as %s is an error', (there, instead, text) => {
    const { problems } = checkKeepalived(CONFIG.replace(there, instead));
    expect(problems).toContainEqual(expect.objectContaining({ severity: 'error', text: expect.stringMatching(text) }));
  });
});

it('a dest added by hand is as one by a rule', () => {
  const director = bare();
  director.addService({ fwmark: MARK, family: 4, scheduler: 'rr' });
  addSnat(director, 4, { address: '203.0.113.1' });
  expect(saveRules(director.services())).toBe('-A -f 7 -s rr\n-a -f 7 -r 203.0.113.1:0 --snat -w 1\n');
});
