/**
 * The classes that protoc made of EventStoreDB's own .proto files, as the official client's package carries them. They are
 * CommonJS and fill their exports while they run, so each comes in whole; this is the one place that knows so.
 */
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import gossipServices from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import serverFeatures from '@eventstore/db-client/generated/serverfeatures_pb.js';
import serverFeaturesServices from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import streamsServices from '@eventstore/db-client/generated/streams_grpc_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';

export {
  any,
  empty,
  gossip,
  gossipServices,
  serverFeatures,
  serverFeaturesServices,
  shared,
  status,
  streams,
  streamsServices,
};
