/**
 * Which fragments Linux takes, as plainly as can be: an oracle for reassembly.
 *
 * @module
 */
import { toHex } from '../support/packets.js';

interface Fragment {
  v6: boolean;
  id: number;
  at: number;
  more: boolean;
  payload: Uint8Array;
}

interface Datagram {
  since: number;
  v6: boolean;
  /** [from, to), in no order. */
  runs: [from: number, to: number][];
  bytes: Map<number, number>;
  /** Up to where it goes, as far as is known. */
  told: number;
  /** The end, once the last fragment was seen. */
  end: number | undefined;
}

export class FragmentModel {
  readonly #datagrams = new Map<string, Datagram>();

  get count(): number {
    return this.#datagrams.size;
  }

  /** The payload of the whole as hexadecimal digits, or the reason of the verdict. */
  receive({ v6, id, at, more, payload }: Fragment, now: number): string {
    for (const [key, { since, v6: six }] of this.#datagrams) {
      if (now - since >= (six ? 60_000 : 30_000)) this.#datagrams.delete(key);
    }
    const key = `${v6} ${id}`;
    const known = this.#datagrams.get(key);
    const length = more && !v6 ? payload.length - (payload.length % 8) : payload.length;
    const end = at + length;
    if (v6 && known === undefined && length > 0 && at === 0 && !more) return toHex(payload);

    const high = Math.max(0, ...(known?.runs ?? []).map(([, to]) => to));
    const told = known?.told ?? 0;
    const conflict = more ? known?.end !== undefined && end > known.end : end < told || (known?.end ?? end) !== end;
    if (v6 && more && length % 8 !== 0) {
      this.#datagrams.delete(key);
      return 'fragment-malformed';
    }
    const datagram: Datagram = known ?? { since: now, v6, runs: [], bytes: new Map(), told: 0, end: undefined };
    if (length === 0 || conflict) {
      if (!v6) this.#datagrams.delete(key);
      // Of IPv6 it has told where the datagram ends, all the same.
      else if (!conflict && end > 0) this.#datagrams.set(key, tell(datagram, end, more));
      return 'fragment-malformed';
    }

    if (datagram.runs.some(([from, to]) => from <= at && end <= to)) {
      this.#datagrams.set(key, tell(datagram, end, more));
      return 'fragment-duplicate';
    }
    if (datagram.runs.some(([from, to]) => from < end && at < to)) {
      this.#datagrams.delete(key);
      return 'fragment-overlap';
    }
    this.#datagrams.set(key, tell(datagram, end, more));
    // Only what comes behind everything else makes a run longer.
    const last = datagram.runs.find(([, to]) => to === high && to === at);
    if (last) last[1] = end;
    else datagram.runs.push([at, end]);
    for (let i = 0; i < length; i++) datagram.bytes.set(at + i, payload[i] as number);
    if (datagram.bytes.size !== datagram.end) return 'fragment-held';
    this.#datagrams.delete(key);
    return toHex(Uint8Array.from({ length: datagram.end }, (_, i) => datagram.bytes.get(i) as number));
  }
}

/** The datagram, of which a fragment has told that it goes on or ends there. */
function tell(datagram: Datagram, end: number, more: boolean): Datagram {
  datagram.told = Math.max(datagram.told, end);
  if (!more) datagram.end = end;
  return datagram;
}
