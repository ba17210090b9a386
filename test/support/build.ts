/**
 * Builds the binaries before the first test, when a source is newer than they are.
 *
 * @module
 */
import { buildBinaries } from '../../scripts/build-stale.mjs';

export default buildBinaries;
