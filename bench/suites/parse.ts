/**
 * Is it a whole IPv4 packet? Version, lengths, header checksum. (The plain ones make an object of it.)
 *
 * @module
 */
import { join } from 'node:path';
import { findIpv4Fault, parseIpv4 } from 'ipvs-wasm/reference';
import { SLOT_BYTES } from '../feeder.js';
import { ETHERNET } from '../frames.js';
import { inProcess } from '../harness.js';
import { corePieces, nativePiece } from '../pieces.js';
import { MapRival } from '../rivals/map.js';
import { TypedArrayRival } from '../rivals/typed-array.js';
import { ipv4Length } from '../rivals/typed-array-packet.js';
import { writeWorld } from '../rivals/world.js';
import { frameOf, layOut, makeWorld } from '../scenario.js';
import { inFolder, result, type Suite } from '../suite.js';

const FRAMES = 256;

export const parse: Suite = (settings) =>
  inFolder(function* (folder) {
    const all = Array.from({ length: FRAMES }, (_, n) => frameOf('nat-in', n, { payload: settings.length - 54 }));
    const scenario = { mode: 'nat-in', connections: FRAMES } as const;
    const world = makeWorld(scenario, layOut(all, FRAMES, settings.length));
    const file = join(folder, 'world');
    writeWorld(world, file);
    const room = settings.length - ETHERNET;

    // the list of addresses comes first, then the packets
    const { core, memory, held } = corePieces(FRAMES, FRAMES * 4 + FRAMES * SLOT_BYTES);
    const bytes = new Uint8Array(memory.buffer);
    const list = new Uint32Array(memory.buffer, held, FRAMES);
    const rival = new TypedArrayRival(world, false);
    const rivalBytes = new Uint8Array(rival.words.buffer);
    for (const [i, { frame }] of all.entries()) {
      list[i] = held + FRAMES * 4 + i * SLOT_BYTES + ETHERNET;
      bytes.set(frame, list[i]! - ETHERNET);
      rivalBytes.set(frame, rival.slot(i));
    }
    if (core.parseMany(held, FRAMES, room) !== FRAMES) throw new Error('parse: the core refuses a frame');

    const mapRival = new MapRival(world);
    const views = all.map(({ frame }) => new DataView(frame.buffer));
    let whole = 0;
    const wordOf = all.map((_, i) => (rival.slot(i) + ETHERNET) >> 2);
    const contenders = [
      inProcess('ipvs-wasm', FRAMES, () => core.parseMany(held, FRAMES, room)),
      nativePiece(settings.native, file, 'parse', FRAMES, SLOT_BYTES),
      inProcess('typed arrays', FRAMES, () => {
        for (let i = 0; i < FRAMES; i++) whole += ipv4Length(rival.words, wordOf[i]!, room);
      }),
      inProcess('Map', FRAMES, () => {
        for (let i = 0; i < FRAMES; i++) {
          if (typeof mapRival.parse(all[i]!.frame, views[i]!, ETHERNET) !== 'string') whole++;
        }
      }),
      inProcess('reference', FRAMES, () => {
        for (let i = 0; i < FRAMES; i++) {
          const packet = all[i]!.frame.subarray(ETHERNET);
          if (findIpv4Fault(packet) === undefined) whole += parseIpv4(packet).payload.length;
        }
      }),
    ];
    yield result(
      { suite: 'parse', task: `IPv4 header of ${settings.length}-byte frames`, item: 'packet' },
      contenders,
      settings,
    );
    if (whole === 0) throw new Error('parse: a rival refuses every frame');
  });
