/**
 * The TCP state machine of a director, which sees both directions (NAT) or only one (DR, TUN).
 *
 * A row is a number: the hexadecimal digit i, counted from the right, is the state that follows
 * state i. The order of states is that of `ConnState`: NO ES SS SR FW TW CL CW LA LI SA.
 *
 * @module
 */
import { ConnState } from '../../src/abi/protocol';
import { ACK, FIN, RST, SYN } from '../wire/tcp';

/** Which way a segment went, and so which table counts. */
export enum Direction {
  In,
  Out,
  InOnly,
}

// client to server                                  from NO ES SS SR FW TW CL CW LA LI SA
const IN_SYN: u64 = 0x33333333113; //                     SR ES ES SR SR SR SR SR SR SR SR
const IN_FIN: u64 = 0x59876555276; //                     CL CW SS TW TW TW CL CW LA LI TW
const IN_ACK: u64 = 0x19676541211; //                     ES ES SS ES FW TW CL CW CL LI ES
const IN_RST: u64 = 0x39866663666; //                     CL CL CL SR CL CL CL CL LA LI SR
// server to client
const OUT_SYN: u64 = 0x39222223212; //                    SS ES SS SR SS SS SS SS SS LI SR
const OUT_FIN: u64 = 0x59856545245; //                    TW FW SS TW FW TW CL TW LA LI TW
const OUT_ACK: u64 = 0x11876541211; //                    ES ES SS ES FW TW CL CW LA ES ES
const OUT_RST: u64 = 0x66666566266; //                    CL CL SS CL CL TW CL CL CL CL CL
// client to server, where the server answers past the director
const IN_ONLY_SYN: u64 = 0x33333333113; //                SR ES ES SR SR SR SR SR SR SR SR
const IN_ONLY_FIN: u64 = 0x59876545246; //                CL FW SS TW FW TW CL CW LA LI TW
const IN_ONLY_ACK: u64 = 0x19676541211; //                ES ES SS ES FW TW CL CW CL LI ES
const IN_ONLY_RST: u64 = 0x69866663666; //                CL CL CL SR CL CL CL CL LA LI CL

// With secure_tcp: rows that are others, where only a server's word leads on from SYN_RECV
const SECURE_IN_SYN: u64 = 0xa3333333113; //              SR ES ES SR SR SR SR SR SR SR SA
const SECURE_IN_FIN: u64 = 0xa9876555276; //              CL CW SS TW TW TW CL CW LA LI SA
const SECURE_IN_ACK: u64 = 0xa9676543211; //              ES ES SS SR FW TW CL CW CL LI SA
const SECURE_IN_RST: u64 = 0x69866663666; //              CL CL CL SR CL CL CL CL LA LI CL
const SECURE_OUT_SYN: u64 = 0xa922222a212; //             SS ES SS SA SS SS SS SS SS LI SA
const SECURE_IN_ONLY_SYN: u64 = 0xaaaaaaa311a; //         SA ES ES SR SA SA SA SA SA SA SA

/** The row of secure_tcp; 0 where it is that of `row`. */
function secureRow(direction: Direction, flags: u32): u64 {
  if (direction == Direction.In) {
    if (flags & RST) return SECURE_IN_RST;
    if (flags & SYN) return SECURE_IN_SYN;
    return flags & FIN ? SECURE_IN_FIN : SECURE_IN_ACK;
  }
  if ((flags & (RST | SYN)) != SYN) return 0;
  return direction == Direction.Out ? SECURE_OUT_SYN : SECURE_IN_ONLY_SYN;
}

/** The row for a segment's flags: the first of RST, SYN, FIN, ACK that is set decides. */
function row(direction: Direction, flags: u32): u64 {
  if (flags & RST) return direction == Direction.In ? IN_RST : direction == Direction.Out ? OUT_RST : IN_ONLY_RST;
  if (flags & SYN) return direction == Direction.In ? IN_SYN : direction == Direction.Out ? OUT_SYN : IN_ONLY_SYN;
  if (flags & FIN) return direction == Direction.In ? IN_FIN : direction == Direction.Out ? OUT_FIN : IN_ONLY_FIN;
  return direction == Direction.In ? IN_ACK : direction == Direction.Out ? OUT_ACK : IN_ONLY_ACK;
}

/** The state after a segment with these flags. Without any of RST, SYN, FIN, ACK it is CLOSE. */
export function nextTcpState(direction: Direction, flags: u32, state: u32, isSecure: bool): u32 {
  if ((flags & (RST | SYN | FIN | ACK)) == 0) return ConnState.Close;
  const other: u64 = isSecure ? secureRow(direction, flags) : 0;
  const next = other != 0 ? other : row(direction, flags);
  return <u32>((next >> ((<u64>state) << 2)) & 15);
}

/** Whether a connection in this state counts as active. */
export function isActiveTcp(state: u32): bool {
  return (
    state == ConnState.Established ||
    state == ConnState.SynSent ||
    state == ConnState.SynRecv ||
    state == ConnState.SynAck
  );
}
