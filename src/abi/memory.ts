/**
 * The whole memory map under one name, for the host. The core's compiler has no such lists: it takes each name from its file.
 *
 * @module
 */
export * from './connections.js';
export * from './frames.js';
export * from './superblock.js';
export * from './tables.js';
