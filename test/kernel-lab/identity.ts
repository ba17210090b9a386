/**
 * What tells an IP packet wherever it is found: alone, in a tunnel or quoted, before a translation or after it.
 *
 * @module
 */
import { layersOf } from '../../src/decode/layers.js';
import { fieldOf } from '../../src/scenario/packet.js';

export interface Identity {
  readonly source: string;
  readonly destination: string;
  /** Whether it is a fragment: what follows its headers is not what the whole begins with. */
  readonly isFragment: boolean;
  /** Hex of what follows the IP header: source port, and the rest up to where a checksum may be that was not mended. */
  readonly sourcePort: string;
  readonly rest: string;
}

/** Extension headers of IPv6, as layers are called. */
const EXTENSIONS = new Set(['hopopts', 'dstopts', 'routing', 'fragment']);

/** The IP packets in a frame, from the outside in; with a prefix those that lie behind it, such as `quoted.`. */
export function identitiesIn(frame: Uint8Array, prefix = ''): Identity[] {
  const layers = layersOf(frame);
  return layers.flatMap((layer) => {
    const { kind, payload, end } = layer;
    const [source, destination] = [fieldOf(layer, `${kind}.src`), fieldOf(layer, `${kind}.dst`)];
    if ((kind !== 'ip' && kind !== 'ipv6') || !layer.prefix.startsWith(prefix)) return [];
    if (source === undefined || destination === undefined) return [];
    const isFragment =
      kind === 'ip'
        ? fieldOf(layer, 'ip.frag_offset') !== '0' || fieldOf(layer, 'ip.flags')?.includes('MF') === true
        : layers.some((one) => one.kind === 'fragment' && one.prefix === layer.prefix);
    const extensions = layers.filter((one) => EXTENSIONS.has(one.kind) && one.prefix === layer.prefix);
    // Behind its end may be padding.
    const body = Buffer.from(frame.subarray(Math.max(payload, ...extensions.map((one) => one.payload)), end));
    const hex = (from: number, to: number) => body.subarray(from, to).toString('hex');
    return [{ source, destination, isFragment, sourcePort: hex(0, 2), rest: hex(2, 6) }];
  });
}

export function isSame(a: Identity, b: Identity): boolean {
  const isPiece = a.isFragment || b.isFragment;
  return a.source === b.source && (isPiece || a.sourcePort === b.sourcePort) && isSameButSource(a, b);
}

/** Whether they are the same, but that one has another source: what the client sent, or its server. */
export function isSameButSource(a: Identity, b: Identity): boolean {
  return a.destination === b.destination && (a.isFragment || b.isFragment || a.rest === b.rest);
}
