/**
 * What a template is found by (layout in src/abi/connections.ts).
 *
 * @module
 */
import {
  KEY_CALL_ID,
  KEY_CALL_ID_LENGTH,
  KEY_CLIENT,
  KEY_PROTOCOL,
  KEY_V6,
  KEY_VIRTUAL,
  KEY_VPORT_BE,
} from '../../src/abi/connections';
import { SB_TEMPLATE_KEY, SUPERBLOCK } from '../../src/abi/superblock';

/** View of a key. */
@unmanaged
@final
export class TemplateKey {
  /** Where its addresses are. */
  get client(): usize {
    return changetype<usize>(this) + KEY_CLIENT;
  }
  get virtual(): usize {
    return changetype<usize>(this) + KEY_VIRTUAL;
  }
  /** Where the Call-ID is. */
  get callId(): usize {
    return load<u32>(changetype<usize>(this), KEY_CALL_ID);
  }
  set callId(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, KEY_CALL_ID);
  }
  /** Bytes of it; 0: none. */
  get length(): u32 {
    return load<u32>(changetype<usize>(this), KEY_CALL_ID_LENGTH);
  }
  set length(value: u32) {
    store<u32>(changetype<usize>(this), value, KEY_CALL_ID_LENGTH);
  }
  get vportBE(): u32 {
    return load<u16>(changetype<usize>(this), KEY_VPORT_BE);
  }
  set vportBE(value: u32) {
    store<u16>(changetype<usize>(this), value, KEY_VPORT_BE);
  }
  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), KEY_PROTOCOL);
  }
  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, KEY_PROTOCOL);
  }
  get isV6(): bool {
    return load<bool>(changetype<usize>(this), KEY_V6);
  }
  set isV6(value: bool) {
    store<bool>(changetype<usize>(this), value, KEY_V6);
  }
}

/** The key of the template that is looked for: there is one at a time. */
export function templateKey(): TemplateKey {
  return changetype<TemplateKey>(<usize>SUPERBLOCK + SB_TEMPLATE_KEY);
}
