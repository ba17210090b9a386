/**
 * Snapshots of NAT connections, and directors restored from them. An item is a connection: 1,000 ns of each are a second for
 * a million.
 *
 * @module
 */
import { Director } from 'ipvs-wasm';
import { establishedDirector } from '../contenders/director.js';
import { inProcess, sink } from '../harness.js';
import { result, type Suite } from '../suite.js';

const MODES = [
  ['nat-in', 'IPv4'],
  ['nat6-in', 'IPv6'],
  ['fullnat-in', 'FullNAT'],
] as const;

export const snapshot: Suite = function* run(settings) {
  for (const connections of settings.connections) {
    for (const [mode, kind] of MODES) {
      const { director } = establishedDirector({ mode, connections }, 0);
      const bytes = director.snapshot();
      const restore = (plan = {}): void => {
        const { connectionCount } = Director.restoreSync(bytes, { plan });
        if (connectionCount !== connections)
          throw new Error(`expected ${connections} connections, got ${connectionCount}`);
      };
      const larger = { connections: connections * 2, connections6: connections * 2 };
      const contenders = [
        inProcess('snapshot', connections, () => {
          sink.value ^= director.snapshot().length;
        }),
        inProcess('restore', connections, restore),
        inProcess('restore, into twice the plan', connections, () => restore(larger)),
      ];
      const task = `${connections.toLocaleString('en')} connections of ${kind}, ${bytes.length.toLocaleString('en')} bytes`;
      yield result({ suite: 'snapshot', task, item: 'connection', connections }, contenders, settings);
    }
  }
};
