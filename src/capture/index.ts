/**
 * Captures: pcap and pcapng, read, written and merged, in comfort or without an allocation per packet.
 *
 * @module
 */

export { CaptureError } from './capture-error.js';
export { FileSink } from './file-sink.js';
export {
  DLT_RAW,
  DLT_RAW_OPENBSD,
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_RAW,
  type LinkKind,
  linkKind,
} from './link-type.js';
export { CaptureMerger, type MergedInterface, type MergedPacket, type MergeInput, mergeCaptures } from './merge.js';
export { PcapScanner } from './pcap-reader.js';
export { PcapWriter } from './pcap-writer.js';
export { PcapngScanner } from './pcapng-reader.js';
export { PcapngWriter } from './pcapng-writer.js';
export { type CapturedPacket, CaptureInput, type CaptureInputOptions, createScanner, readCapture } from './reader.js';
export { type CaptureInterface, CaptureScanner, MAX_CAPTURED_LENGTH, type PacketAnnotations } from './scanner.js';
export type { CaptureSource } from './source.js';
export {
  type CaptureSink,
  CaptureWriter,
  type PacketOptions,
  type WriterInterface,
  type WriterOptions,
} from './writer.js';
