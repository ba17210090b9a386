/**
 * The life of two directors of both families, step by step.
 *
 * @module
 */
import type { Outcome } from '../../../src/director.js';
import type { DestConfig, DestKey, ServiceKey, SysctlConfig } from '../../../src/types.js';
import type { Binary } from '../../support/core.js';
import { type Tally, Twins } from '../twins.js';
import { Choices } from './choices.js';
import type { Family } from './hosts.js';
import type { LifeChoices, Step } from './steps.js';
import { framesOf, type Known } from './traffic.js';
import {
  behindProxy,
  destBehindProxy,
  destOf,
  insideOf,
  isSnat,
  KEYS,
  networkOf,
  serviceOf,
  snatDestOf,
  synproxyOf,
  sysctlOf,
  worldOf,
} from './world.js';

/** Sent packets that errors may be about; the newest first. */
const REMEMBERED = 8;

const TIMES = [
  ...[1, 10, 1000, 1000, 2500, 9000, 11_000, 29_000],
  ...[31_000, 59_000, 61_000, 121_000, 301_000, 601_000, 901_000, 4e9],
];

/** Around the timeouts of established connections of TCP. */
const IDLE = [901_000, 91_000, 899_000, 89_000];

/** A service as it is listed. */
type Listed = ServiceKey & { synproxy?: true; dests: readonly (Required<DestKey> & { method: string })[] };

/** Two directors that live the same. */
export interface Pair extends Pick<Twins, 'network' | 'pass' | 'setNetwork' | 'both' | 'send'> {
  connections(): readonly Known[];
  services(): readonly Listed[];
}

export class Life {
  readonly #twins: Pair;
  readonly #isProxied: boolean;
  #seen: Uint8Array[] = [];
  /** Where SNAT is. */
  #inside: Family[] = [];
  /** What is behind SYN proxies. */
  #proxies: ServiceKey[] = [];

  /** @param isProxied whether its services are behind SYN proxies */
  constructor(twins: Pair, isProxied = false) {
    this.#twins = twins;
    this.#isProxied = isProxied;
    this.#look();
  }

  #look(): void {
    const services = this.#twins.services();
    this.#inside = insideOf(services);
    this.#proxies = services.filter(({ synproxy }) => synproxy);
  }

  take({ kind, drawn }: Step): void {
    const choices = new Choices(drawn);
    if (kind === 'time') this.#twins.pass(choices.of(TIMES));
    else if (kind === 'control') this.#control(choices);
    else if (kind === 'idle') this.#idle(choices);
    else if (kind === 'open' && this.#isProxied) this.#shakeHands(choices);
    else this.#send(kind, choices);
  }

  /** A client calls, and goes on as far as it pleases. */
  #shakeHands(choices: Choices): void {
    for (const kind of choices.of([
      ['open', 'cookie', 'asked'],
      ['open', 'cookie', 'asked', 'talk'],
      ['open', 'cookie'],
      ['open'],
      ['cookie'],
      ['cookie', 'asked', 'talk'],
    ] as const)) {
      this.#send(kind, choices);
    }
  }

  #send(kind: Step['kind'], choices: Choices): void {
    const twins = this.#twins;
    const { network } = twins;
    const context = {
      ...{ network, connections: twins.connections(), seen: this.#seen, inside: this.#inside },
      ...(this.#isProxied && { proxies: this.#proxies }),
    };
    for (const arrival of framesOf(kind, choices, context)) {
      for (const outcome of twins.send(arrival)) this.#remember(outcome);
    }
  }

  #idle(choices: Choices): void {
    // Where nobody has a connection, somebody opens one.
    for (let times = 0; times < 2; times++) this.#send('idle', choices);
    this.#twins.pass(choices.of(IDLE));
    // Who is told that it is over hears so with the next packet, whatever that is.
    this.#send('link', choices);
  }

  #remember({ verdict, frame, outInterface }: Outcome): void {
    const device = this.#twins.network.interfaces.find(({ name }) => name === outInterface);
    if (verdict !== 'forward' || device === undefined) return;
    const link = device.kind === 'raw' ? 0 : device.vlan === undefined ? 14 : 18;
    this.#seen = [frame.slice(link), ...this.#seen].slice(0, REMEMBERED);
  }

  #control(choices: Choices): void {
    const twins = this.#twins;
    const key = choices.of<ServiceKey>(KEYS);
    switch (choices.below(8)) {
      case 0:
        twins.setNetwork(networkOf(choices));
        break;
      case 1:
        twins.both('setSysctl', { ...sysctlOf(choices), ...(this.#isProxied && synproxyOf(choices)) });
        break;
      case 2:
        {
          const what = choices.of(['addService', 'editService'] as const);
          const service = serviceOf(key, choices);
          twins.both(what, this.#isProxied && !choices.once(8) ? behindProxy(service) : service);
        }
        break;
      case 3:
        if (choices.once(3)) twins.both('deleteService', key);
        break;
      case 4:
        twins.both('setTimeouts', {
          tcp: choices.of([0, 1, 1000]),
          tcpfin: choices.of([0, 30]),
          udp: choices.of([0, 5]),
        });
        break;
      default:
        this.#changeDest(choices);
    }
    this.#look();
  }

  /** Of a service that there is, one that there is, or another. */
  #changeDest(choices: Choices): void {
    const services = this.#twins.services();
    if (services.length === 0) return;
    const service = choices.of(services);
    const drawn = anyDestOf(service, choices);
    const dest = this.#isProxied && !choices.once(8) ? destBehindProxy(service, drawn) : drawn;
    const there = choices.once(3) ? undefined : service.dests[choices.below(4)];
    const what = choices.of(['addDest', 'editDest', 'deleteDest'] as const);
    const { address, port } = (what === 'addDest' ? undefined : there) ?? (dest as Required<DestKey>);
    if (what === 'deleteDest') this.#twins.both(what, service, { address, port });
    else this.#twins.both(what, service, { ...dest, address, port });
  }
}

/** By mark mostly of the kind that its service has. */
function anyDestOf(service: Listed, choices: Choices): DestConfig {
  const isOfSnat = 'fwmark' in service && choices.once(6) !== isSnat(service);
  return isOfSnat ? snatDestOf(service.family ?? 4, choices) : destOf(service, choices);
}

/** Lives it, with those sysctls besides. @throws Error that names the first difference */
export function live({ world, steps }: LifeChoices, binary: Binary, tally: Tally, more: SysctlConfig = {}): void {
  const start = worldOf(new Choices(world));
  const twins = new Twins({ ...start, sysctl: { ...start.sysctl, ...more } }, binary, tally);
  const life = new Life(
    twins,
    start.services.some(({ service }) => service.synproxy),
  );
  for (const step of steps) life.take(step);
  twins.compareState();
}
