/**
 * The suites for the whole way of a frame: one mode each, over numbers of connections and burst sizes.
 *
 * @module
 */
import { join } from 'node:path';
import { type ForBurst, map, native, ours, reference, typedArrays } from '../contenders/path.js';
import { writeWorld } from '../rivals/world.js';
import { type AnyMode, type Mode, makeFrames, makeWorld } from '../scenario.js';
import { inFolder, type Result, result, type Settings, type Suite } from '../suite.js';

function count(n: number): string {
  if (n >= 1e6) return `${n / 1e6} M`;
  return n >= 1000 ? `${n / 1000} k` : String(n);
}

/** A mode, and one of the library's own that stands beside it. */
export interface Beside {
  mode: AnyMode;
  beside: AnyMode;
}

/** The suite of modes that the rivals do not know: the library, what it takes for a mode beside, and the reference. */
export function furtherSuite(suite: string, pairs: Beside[]): Suite {
  function* measureAll(settings: Settings, { mode, beside }: Beside, connections: number): Generator<Result> {
    const scenario = { mode, connections, length: settings.length };
    const frames = makeFrames(scenario);
    const library = ours(scenario, frames);
    const other = { ...scenario, mode: beside };
    const otherLibrary = ours(other, makeFrames(other)).core;
    const contenders: (ForBurst | undefined)[] = [
      library.core,
      library.host,
      (burst) => ({ ...otherLibrary(burst), name: `  ${beside} beside` }),
      connections <= settings.referenceConnections ? reference(scenario, frames) : undefined,
    ];
    for (const burst of settings.bursts) {
      const task = `${mode}, ${count(connections)} connections, burst ${burst}`;
      const taking = contenders.map((make) => make?.(burst));
      yield result({ suite, task, item: 'packet', connections, burst }, taking, settings);
    }
  }

  return function* run(settings) {
    for (const pair of pairs)
      for (const connections of settings.connections) yield* measureAll(settings, pair, connections);
  };
}

/** The suite of some modes. */
export function pathSuite(suite: string, modes: Mode[]): Suite {
  function* measureAll(settings: Settings, mode: Mode, connections: number, folder: string): Generator<Result> {
    const scenario = { mode, connections, length: settings.length };
    const world = makeWorld(scenario);
    const { frames } = world;
    const file = join(folder, 'world');
    if (settings.native) writeWorld(world, file);
    const library = ours(scenario, frames);
    const contenders = [
      library.core,
      library.host,
      settings.native ? native(scenario, settings.native, file) : undefined,
      typedArrays(scenario, world, false),
      typedArrays(scenario, world, true),
      map(scenario, world),
      connections <= settings.referenceConnections ? reference(scenario, frames) : undefined,
    ];
    for (const burst of settings.bursts) {
      const task = `${mode}, ${count(connections)} connections, burst ${burst}`;
      const taking = contenders.map((make) => make?.(burst));
      yield result({ suite, task, item: 'packet', connections, burst }, taking, settings);
    }
  }

  return function* run(settings) {
    for (const mode of modes) {
      for (const connections of settings.connections) {
        yield* inFolder((folder) => measureAll(settings, mode, connections, folder));
      }
    }
  };
}
