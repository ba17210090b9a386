/**
 * The boundary between the way of nearly every packet and the rest: functions that the packets of known connections hardly
 * ever need. What only these lead to is compiled small, apart from the other part (split.mjs).
 *
 * Names are those of the compiler: the file, then the function. The build fails when there is no such function.
 */
export const RARE = [
  // The clock turns once a burst.
  'assembly/index/pass',
  // Frames that are not what they mostly are.
  'assembly/net/interface/findVlan',
  'assembly/flow/parse/locateBehind',
  'assembly/wire/extension/checkHopByHop',
  'assembly/flow/options/walkOptions',
  'assembly/hook/input/isForUs6',
  'assembly/hook/input/checkAddresses6',
  'assembly/flow/offload/fillChecksum',
  'assembly/flow/gather/gather',
  'assembly/hook/schedule/markedService',
  'assembly/hook/schedule/otherService',
  // What no known connection takes the short way, but for packets of none that are for the host's own stack, out of a tunnel.
  'assembly/hook/input/openLate',
  'assembly/hook/input/mayEndAnew',
  'assembly/hook/input/isServed',
  'assembly/flow/tuple/seekByTuple',
  'assembly/conn/table/endConnection',
  'assembly/conn/expiry/livesOn',
  'assembly/flow/tuple/findWaiting',
  'assembly/hook/balance/serveKnown',
  'assembly/hook/balance/open',
  'assembly/hook/balance/answerLocalClient',
  'assembly/hook/icmp/icmpIn',
  'assembly/hook/forward/routePacket',
  'assembly/forward/route/keepHop',
  'assembly/hook/stray/isOfServer',
  'assembly/forward/answer/answerMalformedOption',
  // Answers instead of forwarding, cutting, other ways to send.
  'assembly/forward/transmit/fits',
  'assembly/forward/transmit/goesInPieces',
  'assembly/forward/transmit/refuseCut',
  'assembly/forward/transmit/transmitLocal',
  'assembly/forward/answer/answerTimeExceeded',
  'assembly/forward/answer/answerUnreachable',
  'assembly/forward/cut/sendCut',
  // Connections with a helper.
  'assembly/forward/help/changeIn',
  'assembly/forward/ftp/helpOut',
  'assembly/forward/help/changeOut',
  'assembly/forward/transmit/hopOfExtended',
  'assembly/forward/transmit/hopOfMixed',
  // FullNAT of what does not go the short way.
  'assembly/forward/fullnat/transmitFull<v128>',
  'assembly/forward/carry-segment/carryPrefix',
  'assembly/forward/carry-segment/insertToa',
  'assembly/forward/carry-datagram/carryDatagram',
  'assembly/forward/ahead/makeAhead',
  'assembly/forward/ahead/sendAhead',
  'assembly/wire/tcp-options/effaceToa',
  'assembly/flow/sequence/clearTimestamps',
  // NAT64, SNAT.
  'assembly/forward/nat64/transmit64',
  'assembly/forward/fullnat/transmitSnat',
  'assembly/hook/snat/sendMarked<u32>',
  'assembly/hook/fullnat/returnReply',
  'assembly/hook/balance/takeQuery',
  'assembly/flow/query/findMessage',
  'assembly/forward/fullnat/putOtherPorts',
  'assembly/forward/carry/noteAnswer',
  // That of IPv6 is so much longer that its calls hardly show.
  'assembly/pipeline/judgeFullOf<v128>',
  // SYN proxy: handshakes, and what changes afterwards.
  'assembly/hook/synproxy/openProxied',
  'assembly/flow/proxied/adjustForClient',
  'assembly/flow/proxied/adjustForServer',
  'assembly/hook/synproxy/mayPassProxy',
  'assembly/forward/syn-ack/answerSyn',
  'assembly/forward/proxied/answerServer',
  'assembly/forward/owed/sendOwed',
  // Ends that are told when it is over.
  'assembly/flow/expected/noteEstablished',
  'assembly/flow/expected/noteAcknowledged',
  // Once for each dest in each state of the network.
  'assembly/net/hop/resolveAny',
  'assembly/service/dest/Dest#currentMtu',
  // A segment that changes its connection's state.
  'assembly/flow/segment/moveState',
  'assembly/flow/segment/hasOwnTimeout',
  // Three times as long as IPv4's, which a call does not change.
  'assembly/conn/hash/hashTuple6',
  // Whoever sums up a whole packet does not notice a call.
  'assembly/forward/translate/updateOther',
  // A checksum that is only begun.
  'assembly/forward/translate/updateBegun',
  'assembly/forward/tunnel/putIpv6',
  'assembly/forward/tunnel/middleSizeOf',
  'assembly/forward/tunnel/putMiddle',
  'assembly/forward/tunnel/putUdp',
  'assembly/forward/decapsulate/openGre',
  'assembly/forward/decapsulate/openGue',
  // A packet that met congestion.
  'assembly/forward/decapsulate/setTos',
  // Of several lookups that an IPv6 tunnel packet needs.
  'assembly/forward/decapsulate/isTunnelEnd',
  'assembly/net/hop/findRoute6',
  // UDP where GUE is taken.
  'assembly/forward/decapsulate/isGue',
  'assembly/forward/decapsulate/leavesChecksum',
  'assembly/hook/input/leaveChecksum',
];

/** Fast, but functions of their own: the burst loop keeps its registers for the packets of known connections (measured). */
export const APART = ['assembly/hook/input/input', 'assembly/pipeline/judgeFull'];
