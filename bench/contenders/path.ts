/**
 * Contenders for the whole way of a frame, each in the world of one scenario.
 *
 * @module
 */
import { ReferenceDirector } from 'ipvs-wasm/reference';
import { copier } from '../copier.js';
import { BURST_MAX, Feeder, feederBytes, HEADROOM, ownMemory, TICK } from '../feeder.js';
import { type Contender, inProcess, sink } from '../harness.js';
import { MapRival } from '../rivals/map.js';
import { timeNative } from '../rivals/native.js';
import { FIRST, TypedArrayRival } from '../rivals/typed-array.js';
import type { Frames, World } from '../rivals/world.js';
import { type AnyMode, interfaceName, markOf, NETWORK, type Scenario } from '../scenario.js';
import { configure, establishedDirector, openingFrames } from './director.js';
import { assertReasons, held, type Tally, WANTED_REASON, wantedVerdict } from './held.js';

/** Bytes of a burst descriptor of the library. */
const DESCRIPTOR_BYTES = 32;
const KEPT_BYTES = BURST_MAX * DESCRIPTOR_BYTES;
/** Makes the contender for one burst size. */
export type ForBurst = (burst: number) => Contender;

function metaOf(frames: Frames): { length: number; inside: number } {
  return { length: frames.meta[0]! & 0xffff, inside: frames.meta[0]! >>> 16 };
}

/** A feeder in the memory of a director, whose frames lie where the host holds them, as in a ring or a capture. */
function fedDirector(scenario: Scenario<AnyMode>, frames: Frames) {
  const { director, memory, held } = establishedDirector(scenario, KEPT_BYTES + feederBytes(frames));
  return { director, memory, kept: held, feeder: new Feeder(frames, memory, held + KEPT_BYTES) };
}

/** The library: what `process` costs, and what everything costs that a host does with a burst. */
export function ours(scenario: Scenario<AnyMode>, frames: Frames): { core: ForBurst; host: ForBurst } {
  const { director, feeder, memory, kept } = fedDirector(scenario, frames);
  const { burst, plan } = director;
  const { length, inside } = metaOf(frames);
  const { own: mark } = markOf(scenario.mode);
  const copy = copier(memory);
  let now = 1;
  let given = 0;
  const tally = (): Tally => ({ given, right: Number(director.counters()[WANTED_REASON[scenario.mode]]) });

  const place = (size: number): void => {
    burst.reset();
    for (let i = 0; i < size; i++) burst.place(feeder.slot(i), length, HEADROOM, inside, 0, mark);
  };
  const process = (size: number): void => {
    given += size;
    now += size * TICK;
    director.process(now);
  };

  const core: ForBurst = (size) => {
    // the descriptors are set through the API once, and then copied back before each burst, which is told their number
    const { base } = plan.descriptors;
    const bytes = size * DESCRIPTOR_BYTES;
    const prepare = (): void => {
      place(size);
      copy(base, kept, bytes, bytes, 1);
    };
    const fill = (): void => {
      feeder.feed(size);
      copy(kept, base, bytes, bytes, 1);
      burst.reset();
      burst.accept(size);
    };
    const work = (): void => {
      fill();
      process(size);
    };
    return held(inProcess('ipvs-wasm', size, work, fill, prepare), scenario, tally);
  };

  const host: ForBurst = (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      place(size);
      process(size);
      for (let i = 0; i < size; i++) {
        sink.value ^= burst.verdict(i) + burst.out(i) + burst.address(i) + burst.frameLength(i);
      }
    };
    return held(inProcess("  with the host's part", size, work, fill), scenario, tally);
  };
  return { core, host };
}

/**
 * Hand-tuned JavaScript.
 *
 * @param staged whether it works in stages, or packet by packet
 */
export function typedArrays(scenario: Scenario, world: World, staged: boolean): ForBurst {
  const memory = ownMemory(world.frames);
  const rival = new TypedArrayRival(world, staged, memory.buffer);
  const feeder = new Feeder(world.frames, memory, 0, FIRST);
  const { length, inside } = metaOf(world.frames);
  rival.inLength.fill(length);
  rival.inInterface.fill(inside);
  let now = 1;
  let given = 0;
  const tally = (): Tally => ({ given, right: rival.verdicts[wantedVerdict(scenario)]! });
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      given += size;
      now += size * TICK;
      rival.process(size, now);
    };
    return held(inProcess(staged ? 'typed arrays, staged' : 'typed arrays', size, work, fill), scenario, tally);
  };
}

/** Slots of their own for those who take one frame after the other. */
function views(frames: Frames): { feeder: Feeder; arrays: Uint8Array[]; inside: number } {
  const memory = ownMemory(frames);
  const feeder = new Feeder(frames, memory);
  const { length, inside } = metaOf(frames);
  const arrays = Array.from({ length: BURST_MAX }, (_, i) => new Uint8Array(memory.buffer, feeder.slot(i), length));
  return { feeder, arrays, inside };
}

/** What most people would write first. */
export function map(scenario: Scenario, world: World): ForBurst {
  const rival = new MapRival(world);
  const { feeder, arrays, inside } = views(world.frames);
  const wanted = wantedVerdict(scenario);
  const tally = { given: 0, right: 0 };
  let now = 1;
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      tally.given += size;
      now += size * TICK;
      for (let i = 0; i < size; i++) if (rival.process(arrays[i]!, inside, now).verdict === wanted) tally.right++;
    };
    return held(inProcess('Map', size, work, fill), scenario, () => ({ ...tally }));
  };
}

/** The reference. */
export function reference(scenario: Scenario<AnyMode>, frames: Frames): ForBurst {
  const director = new ReferenceDirector({ network: NETWORK });
  configure(director, scenario);
  for (const { frame, interface: from, mark } of openingFrames(scenario)) {
    director.send(frame, interfaceName(from), 0, { mark });
  }
  const { own: mark } = markOf(scenario.mode);
  const { feeder, arrays, inside } = views(frames);
  const name = interfaceName(inside);
  const wanted = WANTED_REASON[scenario.mode];
  const tally = { given: 0, right: 0 };
  let now = 1;
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      tally.given += size;
      now += size * TICK;
      for (let i = 0; i < size; i++) {
        if (director.send(arrays[i]!, name, now, { mark })[0]?.reason === wanted) tally.right++;
      }
    };
    return held(inProcess('reference', size, work, fill), scenario, () => ({ ...tally }));
  };
}

/** C, in a process of its own. */
export function native(scenario: Scenario, binary: string, worldFile: string): ForBurst {
  return (burst) => ({
    name: 'native C',
    measure(seconds) {
      const { ns, copy, packets, reasons } = timeNative(binary, worldFile, 'path', burst, seconds * 0.7);
      assertReasons('native C', scenario, packets, reasons);
      return { ns, outside: copy, rme: undefined };
    },
  });
}
