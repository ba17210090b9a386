/** Whatever rules there were: after `replaceRules` they are the new ones, what lives on lives on, and picks are those of a fresh load. */
import fc from 'fast-check';
import { it } from 'vitest';
import { DEST_SIZE, SERVICE_SIZE } from '../../src/abi/memory.js';
import { Director, type ServiceRules } from '../../src/director.js';
import type { ServiceInfo } from '../../src/records.js';
import type { ServiceKey } from '../../src/types.js';
import { createDirector, memoryFor, moduleOf, SMALL_PLAN } from '../support/core.js';
import { ACK, SYN, tcp } from '../support/packets.js';
import { properties } from '../support/property.js';
import { destOf, isV6, KEYS, MARK, NETWORK, serviceOf } from './crowd.js';
import { Choices, drawn } from './families/choices.js';

const property = properties(import.meta.url);

const NOW = 1_700_000_000_000;
/** All connections have ended by then. */
const LATER = NOW + 10_000_000;
/** So small that new rules do not always fit. */
const PLAN = { ...SMALL_PLAN, dests: 18, schedulerBytes: 60_000 };
/** What each director of that plan works in. */
const MEMORY = memoryFor('release');

function rulesOf(choices: Choices): ServiceRules[] {
  return KEYS.filter(() => !choices.once(4)).map((key) => ({
    // What twos draws hangs on all that was drawn before.
    service: { ...serviceOf(key, choices, ['twos', 'maglev']) },
    added: [0, 1, 2, 3, 4, 5]
      .filter(() => choices.once(2))
      .sort(() => (choices.once(2) ? 1 : -1))
      .map((n) => destOf(key, n, choices)),
  }));
}

function directorWith(rules: readonly ServiceRules[], plan: object): Director {
  const director = createDirector('release', { network: NETWORK, plan });
  for (const { service, added } of rules) {
    director.addService(service);
    for (const dest of added) director.addDest(service, dest);
  }
  return director;
}

/** Client `n`'s segment; a mark's service is at any address. */
function send(director: Director, key: ServiceKey, n: number, flags: number, now: number) {
  const marked = 'fwmark' in key;
  const ends = {
    source: isV6(key) ? `fd00:7::${n + 1}` : `192.0.2.${n}`,
    destination: marked ? (isV6(key) ? `fd00::${300 + n}` : `10.3.0.${n}`) : key.address,
  };
  const frame = tcp({ ...ends, sport: 1000 + n, dport: 80, flags });
  return director.send(frame, 'cli', now, { mark: marked ? MARK : 0 })[0];
}

const label = (service: ServiceKey): string =>
  'fwmark' in service ? `${service.fwmark}/${service.family ?? 4}` : service.address;

/** What is listed, without counts; by what names a service. */
function listing(director: Director): Map<string, string> {
  const entries = director.services().map((service: ServiceInfo): [string, string] => {
    const dests = service.dests.map(({ stats, rates, activeConnections, inactiveConnections, ...rest }) => rest);
    const { stats, rates, ...rest } = service;
    return [label(service), JSON.stringify({ ...rest, dests })];
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function same(what: string, got: unknown, expected: unknown): void {
  const [a, b] = [got, expected].map((each) =>
    JSON.stringify(each, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one), 1),
  );
  if (a !== b) throw new Error(`${what}: got ${a}\nexpected ${b}`);
}

let done = 0;
let refused = 0;

property(
  'rules are replaced, or nothing is',
  fc.property(drawn(400), (numbers) => {
    const choices = new Choices(numbers);
    const first = rulesOf(choices);
    const then = choices.once(6) ? first : rulesOf(choices);
    const director = directorWith(first, { ...PLAN, dests: 64, schedulerBytes: 200_000 });
    for (let n = 0; n < 20; n++) {
      const key = choices.of(KEYS);
      for (const flags of choices.of([[SYN], [SYN, ACK]])) send(director, key, n, flags, NOW);
    }
    replaceAndCheck(Director.restoreSync(director.snapshot(), { wasm: moduleOf('release') }), director, then);
    const small = (() => {
      try {
        return Director.restoreSync(director.snapshot(), { wasm: moduleOf('release'), plan: PLAN, memory: MEMORY });
      } catch {
        return undefined;
      }
    })();
    if (small !== undefined) refuseOrReplace(small, then, rulesOf(choices));
  }),
);

/** `rules` are those of `small`, which may have no room for `others`. */
function refuseOrReplace(small: Director, rules: readonly ServiceRules[], others: readonly ServiceRules[]): void {
  const [snapshot, services, records] = [small.snapshot(), small.services(), recordsOf(small)];
  try {
    small.replaceRules(others);
    return;
  } catch {
    refused++;
  }
  same('services of refused rules', small.services(), services);
  const isSame = Buffer.compare(snapshot, small.snapshot()) === 0 && Buffer.compare(records, recordsOf(small)) === 0;
  if (!isSame) throw new Error('rules were refused, and something has changed');
  const fewer = rules.slice(1);
  small.replaceRules(fewer);
  same('then replaced', [...listing(small)], [...listing(directorWith(fewer, small.plan.options))]);
  small.clear();
  same('then cleared', small.services(), []);
}

/** All bytes where services and dests lie, also those of records that were never handed out. */
function recordsOf({ plan: { services, dests } }: Director): Buffer {
  return Buffer.concat(
    [
      [services.base, services.count * SERVICE_SIZE],
      [dests.base, dests.count * DEST_SIZE],
    ].map(([base, length]) => Buffer.from(MEMORY.buffer, base, length)),
  );
}

/** `untouched` is what `director` was. */
function replaceAndCheck(untouched: Director, director: Director, rules: readonly ServiceRules[]): void {
  const fresh = directorWith(rules, director.plan.options);
  const before = director.connections(NOW);
  director.replaceRules(rules);
  done++;
  same('listing', [...listing(director)], [...listing(fresh)]);
  same('connections', director.connections(NOW), before);
  for (const old of untouched.services()) {
    const now = director.services().find((each) => label(each) === label(old));
    if (now === undefined) continue;
    same('counts', now.stats, old.stats);
    for (const { address, stats, activeConnections, inactiveConnections } of old.dests) {
      const dest = now.dests.find((each) => each.address === address);
      if (dest === undefined) continue;
      const counts = { stats, activeConnections, inactiveConnections };
      same(`counts of ${address}`, { ...dest, ...counts }, dest);
    }
  }
  checkConnections(untouched, director);

  const lists = [untouched, director].map(listing);
  for (const each of [untouched, director, fresh]) each.advance(LATER);
  for (const { service } of rules) {
    const isSame = lists[0]?.get(label(service)) === lists[1]?.get(label(service));
    const pattern = isSame ? untouched : fresh;
    // What these remember of an address lives on; a mark's service is asked for others.
    if (!isSame && service.scheduler?.startsWith('lblc') && !('fwmark' in service)) continue;
    for (let n = 100; n < 112; n++) {
      const [got, expected] = [director, pattern].map((each) => send(each, service, n, SYN, LATER));
      const words = [got, expected].map((each) => `${each?.reason} ${each?.connection?.destAddress}`);
      same(`${isSame ? 'same' : 'changed'} ${service.scheduler}: pick ${n}`, words[0], words[1]);
    }
  }
}

/** Connections go on to the dest that they had, where service and dest live on. */
function checkConnections(untouched: Director, director: Director): void {
  for (let n = 0; n < 20; n++) {
    for (const key of KEYS) {
      const had = send(untouched, key, n, ACK, NOW + 1)?.connection;
      const service = director.services().find((each) => label(each) === label(key));
      if (had === undefined || !service?.dests.some(({ address }) => address === had.destAddress)) continue;
      const has = send(director, key, n, ACK, NOW + 1);
      same('connection', [has?.verdict, has?.connection], ['forward', had]);
    }
  }
}

it('has replaced rules and refused some', () => {
  console.log(`replaced ${done} times, refused ${refused} times`);
  if (done >= 1000 && refused < 50) throw new Error('expected more rules to be refused');
});
