/**
 * The boundary between the way of nearly every packet and the rest: functions that the packets of known connections hardly
 * ever need. What only these lead to is compiled small, apart from the other part (split.mjs).
 *
 * Names are those of the compiler: the file, then the function. The build fails when there is no such function.
 */
export const RARE = [
  // The clock turns once a burst.
  'assembly/index/pass',
  // What no known connection takes the short way, and frames that are not what they mostly are.
  'assembly/hook/input/input',
  'assembly/net/interface/findVlan',
  'assembly/wire/extension/walkExtensions',
  'assembly/wire/extension/checkHopByHop',
  'assembly/flow/options/walkOptions',
  'assembly/flow/offload/fillChecksum',
  // Answers instead of forwarding, cutting, other ways to send.
  'assembly/forward/transmit/fits',
  'assembly/forward/transmit/transmitLocal',
  'assembly/forward/answer/answerTimeExceeded',
  'assembly/forward/answer/answerUnreachable',
  'assembly/forward/cut/sendCut',
  // Once for each dest in each state of the network.
  'assembly/net/hop/resolveAny',
  'assembly/service/dest/Dest#currentMtu',
  // Once for each state of a connection.
  'assembly/conn/wheel/hang',
  'assembly/conn/wheel/unhang',
  // Whoever sums up a whole packet does not notice a call.
  'assembly/wire/sctp/fillSctpChecksum',
  'assembly/forward/translate/fullUdp',
  'assembly/forward/tunnel/putGre',
  'assembly/forward/tunnel/putGue',
  'assembly/forward/tunnel/putUdp',
  'assembly/forward/decapsulate/openGre',
  'assembly/forward/decapsulate/openGue',
  // SCTP's state machine is five times as long as TCP's.
  'assembly/conn/sctp-state/sctpEvent',
  'assembly/conn/sctp-state/nextSctpState',
];
