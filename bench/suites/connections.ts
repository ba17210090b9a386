/**
 * New connections: what one costs by scheduler and number of servers, and when its keys were chosen against the hash; and
 * what making a scheduler's table anew costs.
 *
 * @module
 */
import type { SchedulerName } from 'ipvs-wasm';
import { type Keys, opener, scheduled } from '../contenders/opener.js';
import { inProcess } from '../harness.js';
import { SERVICE_PORT, VIP } from '../scenario.js';
import { result, type Settings, type Suite } from '../suite.js';
import { keyedHashes } from '../testing.js';

const SCHEDULERS: readonly SchedulerName[] = [
  ...(['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh'] as const),
  ...(['mh', 'maglev', 'sed', 'nq', 'fo', 'ovf', 'twos'] as const),
];
const DESTS = [2, 10, 100, 1000, 10_000];
/** Connections that live at a time, and tuples that call in turn: each has ended when its turn comes again. */
const LIVING = 32_768;
const ROOM = 65_536;
/** One of so many buckets that chosen keys meet in. */
const SHARE = 64n;
const MILLION = 1_000_000;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Random tuples, or those for which `wants` holds. */
function keysOf(count: number, wants: (address: number, port: number) => boolean = () => true): Keys {
  const next = random(0x9e3779b9);
  const keys = { addresses: new Uint32Array(count), ports: new Uint16Array(count) };
  for (let n = 0; n < count; ) {
    // Behind the clients' router.
    const address = (0xac10_0000 | (next() >>> 12)) >>> 0;
    const port = 1024 + (next() % 60_000);
    if (!wants(address, port)) continue;
    keys.addresses[n] = address;
    keys.ports[n++] = port;
  }
  return keys;
}

function bySchedulers(settings: Settings, dests: number) {
  const keys = keysOf(2 * ROOM);
  const contenders = SCHEDULERS.map((name) => opener(name, scheduled(name, dests, ROOM), keys, LIVING));
  const task = `new connections, ${dests.toLocaleString('en')} servers`;
  return result({ suite: 'connections', task, item: 'connection' }, contenders, settings);
}

function chosenKeys(settings: Settings) {
  const hash = keyedHashes(0n, 0n);
  const isMet = (address: number, port: number): boolean =>
    ((hash(address, VIP, port, SERVICE_PORT) >> 32n) * SHARE) >> 32n === 0n;
  const contenders = [
    opener('random keys', scheduled('rr', 4, MILLION), keysOf(MILLION), MILLION * 0.9),
    opener('chosen keys', scheduled('rr', 4, MILLION), keysOf(MILLION, isMet), MILLION * 0.9),
  ];
  const task = 'new connections of a million keys that meet in 1/64 of the buckets of an unkeyed hash';
  return result({ suite: 'connections', task, item: 'connection' }, contenders, settings);
}

function tables(settings: Settings, dests: number) {
  const contenders = (['mh', 'maglev'] as const).map((scheduler) => {
    const director = scheduled(scheduler, dests, 16);
    const service = { protocol: 'tcp', address: VIP, port: SERVICE_PORT } as const;
    let weight = 1;
    return inProcess(scheduler, 1, () => {
      weight = 3 - weight;
      director.editDest(service, { address: '10.1.16.0', method: 'nat', weight });
    });
  });
  const task = `a table of 4,093 (mh) or 65,537 slots (maglev) made anew, ${dests.toLocaleString('en')} servers`;
  return result({ suite: 'connections', task, item: 'table' }, contenders, settings);
}

export const connections: Suite = function* run(settings) {
  for (const dests of DESTS) yield bySchedulers(settings, dests);
  for (const dests of [2, 100, 1000]) yield tables(settings, dests);
  yield chosenKeys(settings);
};
