/**
 * The defence against floods: `secure_tcp`, `drop_entry` and `drop_packet`.
 *
 * @module
 */

import type { Controller } from './connection.js';
import type { ConnectionTable } from './connections.js';
import type { Random } from './random.js';
import type { Records } from './records.js';
import type * as words from './types.js';

type Sysctl = Required<words.ReferenceSysctl>;

/** The switches of which 1 is automatic, and 2 the same while there is little room. */
const MODES = ['secure_tcp', 'drop_entry', 'drop_packet'] as const;

/** After a pause it looks no more often than this. */
const MOST_LOOKS = 64;
/** Milliseconds that a connection was idle before it may be dropped. */
const IDLE = 60_000;
/** Packets from the client of one that may be dropped. */
const MOST_PACKETS = 8;

/** What of the director it watches. */
export interface Watched {
  sysctl: Sysctl;
  readonly connections: ConnectionTable;
  readonly records: Records;
  readonly random: Random;
}

/** Looks once a second, and whenever one of its switches is turned. */
export class Defence {
  readonly #watched: () => Watched;
  /** The second of the clock in which it looked last. */
  #second: number | undefined;
  /** Of how many packets one is dropped, 0: none; and how many are left until then. */
  #rate = 0;
  #left = 0;
  /** By packets of the client, how many idle connections are passed over before one is dropped. */
  readonly #passedOver = new Array<number>(MOST_PACKETS + 1).fill(0);

  constructor(watched: () => Watched) {
    this.#watched = watched;
  }

  /** Time has passed, and what was due has ended. */
  advance(now: number): void {
    const second = Math.floor(now / 1000);
    const looks = Math.min(second - (this.#second ?? second), MOST_LOOKS);
    this.#second = Math.max(second, this.#second ?? second);
    for (let look = 0; look < looks; look++) {
      this.look();
      if (this.#watched().sysctl.drop_entry >= 2) this.#dropEntries(now);
    }
  }

  /** Switches were turned. */
  turned(before: Sysctl): void {
    if (MODES.some((mode) => this.#watched().sysctl[mode] !== before[mode])) this.look();
  }

  /** Sets modes and rate by how much room there is. */
  look(): void {
    const { sysctl, records } = this.#watched();
    const { amemthresh: least } = sysctl;
    const room = records.room();
    for (const mode of MODES) {
      if (sysctl[mode] === 1 || sysctl[mode] === 2) sysctl[mode] = room < least ? 2 : 1;
    }
    this.#rate = sysctl.drop_packet === 3 ? sysctl.am_droprate : 0;
    if (sysctl.drop_packet === 2) this.#left = this.#rate = Math.floor(least / (least - room));
  }

  /** Whether a packet that would open a connection is one of those that are dropped. */
  drops(): boolean {
    if (this.#rate === 0) return false;
    this.#left -= 1;
    if (this.#left > 0) return false;
    this.#left = this.#rate;
    return true;
  }

  /** A 32nd of the records, each drawn by itself. */
  #dropEntries(now: number): void {
    const { connections, records, random } = this.#watched();
    for (const family of [4, 6] as const) {
      const planned = records.planned(family);
      for (let left = Math.ceil(planned / 32); left > 0; left--) {
        const entry = records.at(family, random.draw(planned));
        if (entry === undefined || entry.controlled.size > 0 || connections.isOwing(entry)) continue;
        if (this.#mayEnd(entry, now)) connections.cutOff(entry);
      }
    }
  }

  #mayEnd(entry: Controller, now: number): boolean {
    if ('assured' in entry) return entry.dest.service.once ? this.#isTurn(entry, now) : !entry.assured;
    const { state } = entry;
    if (state === 'UDP' || state === 'ESTABLISHED') return this.#isTurn(entry, now);
    return ['SYN_RECV', 'SYNACK', 'INIT1', 'INIT'].includes(state);
  }

  /** Of idle ones with n packets every n-th. */
  #isTurn({ timeout, expiresAt, inPackets }: Controller, now: number): boolean {
    if (now < expiresAt - timeout + IDLE || inPackets < 1 || inPackets > MOST_PACKETS) return false;
    this.#passedOver[inPackets]! -= 1;
    if (this.#passedOver[inPackets]! > 0) return false;
    this.#passedOver[inPackets] = inPackets;
    return true;
  }
}
