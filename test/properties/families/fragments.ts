/**
 * Packets in pieces: in order or not, some missing, twice, overlapping or longer than they should be.
 *
 * @module
 */

import { fragmentsOf } from '../../support/fragments.js';
import { fixIpv4 } from '../../support/packets.js';
import type { Choices } from './choices.js';

const FRAGMENT = 44;

/** The pieces in which a packet arrives; itself if it is too short to be cut. */
export function inPieces(choices: Choices, packet: Uint8Array): Uint8Array[] {
  const v6 = (packet[0] ?? 0) >> 4 === 6;
  const header = v6 ? 40 : ((packet[0] ?? 0) & 15) * 4;
  const payload = packet.length - header;
  // A packet that is damaged, or in pieces already, stays as it is.
  // Nor is there a place for the fragment header where a hop-by-hop header is.
  const isPiece = v6 ? packet[6] === 0 || packet[6] === FRAGMENT || packet[40] === FRAGMENT : isFragment(packet);
  if (header < 20 || payload < 16 || isPiece) return [packet];
  const size = choices.of([Math.ceil(payload / 16) * 8, 8, 64, 552, 1232, 24]);
  const count = Math.min(8, Math.floor((payload - 1) / size));
  const cuts = Array.from({ length: count }, (_, i) => (i + 1) * size);
  const pieces = fragmentsOf(packet, cuts, 0x01020300 + choices.below(3));
  const at = choices.below(pieces.length);
  switch (choices.of([0, 0, 1, 2, 3, 0, 1, 4, 5, 6, 7, 8, 9])) {
    case 1:
      return pieces.reverse();
    case 2:
      return pieces.filter((_, i) => i !== at);
    case 3:
      return [...pieces.slice(0, at + 1), ...pieces.slice(at)];
    case 4:
      return pieces.map((piece, i) => (i === at ? moved(piece, v6, choices.of(i === 0 ? [1, 2] : [1, -1, 2])) : piece));
    case 5:
      return [...pieces.slice(at), ...pieces.slice(0, at)];
    case 6:
      return pieces.map((piece, i) => (i === at ? remarked(piece, v6, choices.of([1, 2, 3])) : piece));
    case 7:
      return pieces
        .map((piece, i) => (i === at ? piece.slice(0, piece.length - choices.of([1, 4, 8])) : piece))
        .map((piece) => relength(piece, v6));
    case 8:
      return pieces.map((piece) => uncut(piece, v6));
    case 9:
      return pieces.map((piece, i) => (i === at ? uncut(piece, v6) : piece));
    default:
      return pieces;
  }
}

function isFragment(packet: Uint8Array): boolean {
  return (((packet[6] ?? 0) & 0x3f) | (packet[7] ?? 0)) !== 0;
}

/** The fragment with its offset changed by some eights of bytes. */
function moved(piece: Uint8Array, v6: boolean, by: number): Uint8Array {
  const view = new DataView(piece.buffer);
  if (v6) view.setUint16(42, (view.getUint16(42) & 7) | ((view.getUint16(42) + by * 8) & 0xfff8));
  else view.setUint16(6, (view.getUint16(6) & 0xe000) | ((view.getUint16(6) + by) & 0x1fff));
  return v6 ? piece : fixIpv4(piece);
}

/** The fragment with another ECN field. */
function remarked(piece: Uint8Array, v6: boolean, ecn: number): Uint8Array {
  if (v6) piece[1] = ((piece[1] ?? 0) & 0xcf) | (ecn << 4);
  else piece[1] = ((piece[1] ?? 0) & 0xfc) | ecn;
  return v6 ? piece : fixIpv4(piece);
}

/** The fragment with DF, which only IPv4 has. */
function uncut(piece: Uint8Array, v6: boolean): Uint8Array {
  if (v6) return piece;
  piece[6] = (piece[6] ?? 0) | 0x40;
  return fixIpv4(piece);
}

function relength(piece: Uint8Array, v6: boolean): Uint8Array {
  new DataView(piece.buffer).setUint16(v6 ? 4 : 2, piece.length - (v6 ? 40 : 0));
  return v6 ? piece : fixIpv4(piece);
}
