/**
 * From a packet to its connection: hash, index, record; one after the other, in a random order.
 *
 * @module
 */
import { join } from 'node:path';
import { BURST_MAX as BURST, Feeder, feederBytes, ownMemory, SLOT_BYTES } from '../feeder.js';
import { ETHERNET } from '../frames.js';
import { inProcess } from '../harness.js';
import { corePieces, nativePiece } from '../pieces.js';
import { MapRival, type Packet } from '../rivals/map.js';
import { FIRST, TypedArrayRival } from '../rivals/typed-array.js';
import { writeWorld } from '../rivals/world.js';
import { makeWorld } from '../scenario.js';
import { inFolder, type Result, result, type Settings, type Suite } from '../suite.js';

const PACKET: Packet = { ip: ETHERNET, length: 50, src: '', dst: '', protocol: 6, sport: 0, dport: 0 };

function* measure(settings: Settings, connections: number, folder: string): Generator<Result> {
  const world = makeWorld({ mode: 'nat-in', connections });
  const file = join(folder, 'world');
  writeWorld(world, file);

  // the list of addresses comes first, then the feeder
  const { core, memory, held } = corePieces(connections, BURST * 4 + feederBytes(world.frames));
  const feeder = new Feeder(world.frames, memory, held + BURST * 4);
  const list = new Uint32Array(memory.buffer, held, BURST);
  for (let i = 0; i < BURST; i++) list[i] = feeder.slot(i) + ETHERNET;
  feeder.feed(BURST);
  if (core.lookupMany(held, BURST) !== BURST) throw new Error('lookup: the core does not find a connection');

  const rivalMemory = ownMemory(world.frames);
  const rival = new TypedArrayRival(world, false, rivalMemory.buffer);
  const rivalFeeder = new Feeder(world.frames, rivalMemory, 0, FIRST);
  const words = Array.from({ length: BURST }, (_, i) => (rival.slot(i) + ETHERNET) >> 2);
  let found = 0;

  const mapRival = new MapRival(world);
  const mapMemory = ownMemory(world.frames);
  const mapFeeder = new Feeder(world.frames, mapMemory);
  const views = Array.from({ length: BURST }, (_, i) => new DataView(mapMemory.buffer, mapFeeder.slot(i), 64));
  const dotted = (view: DataView, at: number): string =>
    `${view.getUint8(at)}.${view.getUint8(at + 1)}.${view.getUint8(at + 2)}.${view.getUint8(at + 3)}`;

  const contenders = [
    inProcess(
      'ipvs-wasm',
      BURST,
      () => {
        feeder.feed(BURST);
        core.lookupMany(held, BURST);
      },
      () => feeder.feed(BURST),
    ),
    nativePiece(settings.native, file, 'lookup', BURST, SLOT_BYTES),
    inProcess(
      'typed arrays',
      BURST,
      () => {
        rivalFeeder.feed(BURST);
        for (let i = 0; i < BURST; i++) found ^= rival.lookup(words[i]!);
      },
      () => rivalFeeder.feed(BURST),
    ),
    inProcess(
      'Map',
      BURST,
      () => {
        mapFeeder.feed(BURST);
        for (let i = 0; i < BURST; i++) {
          const view = views[i]!;
          PACKET.src = dotted(view, 26);
          PACKET.dst = dotted(view, 30);
          PACKET.sport = view.getUint16(34);
          PACKET.dport = view.getUint16(36);
          if (mapRival.lookup(PACKET) !== undefined) found++;
        }
      },
      () => mapFeeder.feed(BURST),
    ),
  ];
  const task = `${connections.toLocaleString('en')} connections`;
  yield result({ suite: 'lookup', task, item: 'lookup', connections }, contenders, settings);
  if (found === 0) throw new Error('lookup: the rivals find nothing');
}

export const lookup: Suite = function* run(settings) {
  for (const connections of settings.connections) {
    yield* inFolder((folder) => measure(settings, connections, folder));
  }
};
