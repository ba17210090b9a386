/**
 * CRC32c (RFC 9260 appendix A), SCTP's checksum, over whole packets.
 *
 * @module
 */
import { BUFFERS, crcLoops, layPackets } from '../contenders/crc32c.js';
import { inProcess, sink } from '../harness.js';
import { corePieces } from '../pieces.js';
import { result, type Suite } from '../suite.js';

const LENGTHS = [64, 576, 1500, 9000];

export const crc32c: Suite = function* run(settings) {
  for (const length of LENGTHS) {
    const { core, memory, held } = corePieces(BUFFERS, BUFFERS * length);
    const loops = crcLoops(core, layPackets(memory.buffer, held, length));
    const contenders = loops.map(({ name, run: loop }) =>
      inProcess(name, BUFFERS, () => {
        sink.value ^= loop();
      }),
    );
    yield result({ suite: 'crc32c', task: `${length} bytes`, item: 'checksum' }, contenders, settings);
  }
};
