/**
 * Gossip: a cluster of one, which leads itself. The address is the one by which the client has just come: whatever stands
 * between (a container's port, a name in a certificate), it leads here again.
 */
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Clock } from '@vw/runtime';
import { gossip, uuidMessage } from '../protocol/index.js';
import type { shared } from '../protocol/index.js';

export interface Member {
  /** A UUID of this run of the server, of version 1 to 5: some clients refuse a later one as none at all. */
  readonly instanceId: string;
  readonly host: string;
  readonly port: () => number;
  readonly clock: Clock;
}

export function readGossip(member: Member): handleUnaryCall<shared.Empty, gossip.ClusterInfo> {
  return (call, answer) => {
    const { host, port } = addressIn(call.getHost()) ?? { host: member.host, port: member.port() };
    const endPoint = new gossip.EndPoint();
    endPoint.setAddress(host);
    endPoint.setPort(port);
    const info = new gossip.MemberInfo();
    info.setInstanceId(uuidMessage(member.instanceId, 'structured'));
    info.setTimeStamp(`${member.clock.now()}0000`);
    info.setState(gossip.MemberInfo.VNodeState.LEADER);
    info.setIsAlive(true);
    info.setHttpEndPoint(endPoint);
    const cluster = new gossip.ClusterInfo();
    cluster.addMembers(info);
    answer(null, cluster);
  };
}

/** The parts of an `:authority`; a name without a port leads nowhere that is known. */
function addressIn(authority: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  return host && port ? { host, port: Number(port) } : undefined;
}
