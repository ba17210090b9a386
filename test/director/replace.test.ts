/** Rules that are replaced: what lives on, what ends, and what is refused. */
import { describe, expect, it } from 'vitest';
import { DEST_SIZE, SERVICE_SIZE } from '../../src/abi/memory.js';
import type { Director, ServiceRules } from '../../src/director.js';
import type { SchedulerName } from '../../src/types.js';
import { createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { ACK, SYN, tcp } from '../support/packets.js';

const WEB = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
const MAIL = { protocol: 'tcp', address: '10.0.0.100', port: 25 } as const;
const NOW = 1_700_000_000_000;
const dest = (n: number) => ({ address: `10.1.0.${n}`, port: 8080, method: 'nat' }) as const;

function director(sysctl = {}): Director {
  const interfaces = [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] } as const,
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] } as const,
  ];
  const made = createDirector('release', { network: { interfaces }, sysctl });
  made.replaceRules([{ service: { ...WEB, scheduler: 'rr' }, added: [dest(11), dest(12), dest(13)] }]);
  return made;
}

function send(to: Director, sport: number, flags: number) {
  return to.send(tcp({ source: '10.0.0.2', destination: WEB.address, sport, dport: 80, flags }), 'cli', NOW)[0];
}

const picks = (to: Director, ports: number[]) => ports.map((port) => send(to, port, SYN)?.connection?.destAddress);

it('replaces nothing by what is the same: the round goes on', () => {
  const web = director();
  expect(picks(web, [1000])).toEqual(['10.1.0.13']);
  web.replaceRules([{ service: { ...WEB, scheduler: 'rr' }, added: [dest(11), dest(12), dest(13)] }]);
  expect(picks(web, [1001])).toEqual(['10.1.0.12']);
});

it('edits in place: counts and connections stay, the order is the new one', () => {
  const web = director();
  picks(web, [1000, 1001, 1002]);
  web.replaceRules([{ service: { ...WEB, scheduler: 'rr' }, added: [dest(13), { ...dest(11), weight: 3 }, dest(14)] }]);
  const [{ dests } = { dests: [] }] = web.services();
  expect(dests.map(({ address, weight, activeConnections }) => [address, weight, activeConnections])).toEqual([
    ['10.1.0.14', 1, 0],
    ['10.1.0.11', 3, 1],
    ['10.1.0.13', 1, 1],
  ]);
  expect(dests[1]?.stats.connections).toBe(1n);
  expect(send(web, 1002, ACK)?.verdict).toBe('forward');
  // 10.1.0.12's client waits until that one comes back.
  expect(send(web, 1001, ACK)?.verdict).toBe('drop');
  web.replaceRules([{ service: { ...WEB, scheduler: 'rr' }, added: [dest(12)] }]);
  expect(send(web, 1001, ACK)?.connection?.destAddress).toBe('10.1.0.12');
});

it('ends connections of what is gone with expire_nodest_conn', () => {
  const web = director({ expire_nodest_conn: 1 });
  picks(web, [1000, 1001, 1002]);
  web.replaceRules([
    { service: WEB, added: [dest(12)] },
    { service: MAIL, added: [] },
  ]);
  expect(web.connections(NOW).map(({ destAddress }) => destAddress)).toEqual(['10.1.0.12']);
  expect(web.getSysctl().expire_nodest_conn).toBe(1);
});

describe('refuses', () => {
  const rules = (...all: unknown[]): ServiceRules[] => all as ServiceRules[];
  it.each([
    [
      'a service twice',
      rules({ service: WEB, added: [] }, { service: WEB, added: [] }),
      'rules[1].service: tcp 10.0.0.100:80: is there twice',
    ],
    [
      'a dest twice',
      rules({ service: WEB, added: [dest(1), dest(1)] }),
      'rules[0].added[1]: tcp 10.0.0.100:80 -> 10.1.0.1:8080: is there twice',
    ],
    [
      'a weight',
      rules({ service: WEB, added: [dest(1), { ...dest(2), weight: -1 }] }),
      'rules[0].added[1]: expected a weight from 0 to 65535, got -1',
    ],
    [
      'too many',
      rules({
        service: WEB,
        added: Array.from({ length: 5000 }, (_, n) => ({ address: `10.2.${n >> 8}.${n & 255}` })),
      }),
      'room for 4096 dests',
    ],
    [
      'a listing, whose order is another',
      rules({ service: WEB, dests: [] }),
      'expected a key of service, added, got dests',
    ],
    ['no list', rules({ service: WEB }), 'rules[0].added: expected a list'],
    ['nothing', undefined as unknown as ServiceRules[], 'rules: expected a list'],
  ])('%s, and nothing has changed', (_, refused, message) => {
    const web = director({ expire_nodest_conn: 1 });
    picks(web, [1000, 1001, 1002]);
    const before = web.snapshot();
    expect(() => web.replaceRules(refused)).toThrow(message);
    expect(Buffer.from(before).equals(web.snapshot())).toBe(true);
    expect(picks(web, [1003])).toEqual(['10.1.0.13']);
  });
});

describe('refuses what does not fit after what does: tables of schedulers have 4 KiB', () => {
  const web: ServiceRules = { service: { ...WEB, scheduler: 'rr' }, added: [dest(11)] };
  const mail: ServiceRules = { service: MAIL, added: [dest(12), dest(13)] };
  const large: ServiceRules = { service: { ...MAIL, port: 26, scheduler: 'maglev' }, added: [] };

  it('no service or dest of it stays, and the next rules are taken', () => {
    const memory = memoryFor('release');
    const made = createDirector('release', { plan: { ...SMALL_PLAN, schedulerBytes: 4096 }, memory });
    made.replaceRules([web]);
    const [services, all] = [made.services(), Buffer.from(memory.buffer)];
    const before = Buffer.from(all);
    expect(() => made.replaceRules([web, mail, large])).toThrow('no room left for its scheduler');
    expect(made.services()).toEqual(services);
    for (const [{ base, count }, size] of [
      [made.plan.services, SERVICE_SIZE],
      [made.plan.dests, DEST_SIZE],
    ] as const) {
      expect(all.compare(before, base, base + count * size, base, base + count * size)).toBe(0);
    }
    made.replaceRules([mail, web]);
    expect(made.services().map(({ port, dests }) => [port, dests.length])).toEqual([
      [80, 1],
      [25, 2],
    ]);
    made.clear();
    expect(made.services()).toEqual([]);
  });
});

it('has room for a table that another service gives up, whichever of them comes first', () => {
  const plan = { ...SMALL_PLAN, schedulerBytes: 20_000 };
  const made = createDirector('release', { plan });
  const rules = (web: SchedulerName, mail: SchedulerName): ServiceRules[] => [
    { service: { ...WEB, scheduler: web }, added: [dest(11)] },
    { service: { ...MAIL, scheduler: mail }, added: [dest(12)] },
  ];
  for (const [web, mail] of [
    ['mh', 'wlc'],
    ['rr', 'mh'],
    ['mh', 'wlc'],
    ['wlc', 'mh'],
  ] as const) {
    made.replaceRules(rules(web, mail));
    expect(made.services().map(({ scheduler }) => scheduler)).toEqual([web, mail]);
  }
  expect(() => made.replaceRules(rules('mh', 'mh'))).toThrow('no room left for its scheduler');
});

it('a dest with connections needs its place until expire_nodest_conn has ended them', () => {
  const interfaces = [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] } as const,
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] } as const,
  ];
  const plan = { ...SMALL_PLAN, dests: 1 };
  const made = createDirector('release', { network: { interfaces }, plan, sysctl: { expire_nodest_conn: 1 } });
  made.replaceRules([{ service: WEB, added: [dest(11)] }]);
  expect(picks(made, [1000])).toEqual(['10.1.0.11']);
  expect(() => made.replaceRules([{ service: WEB, added: [dest(12)] }])).toThrow('room for 1 dests');
  made.replaceRules([]);
  made.replaceRules([{ service: WEB, added: [dest(12)] }]);
  expect(picks(made, [1001])).toEqual(['10.1.0.12']);
});
