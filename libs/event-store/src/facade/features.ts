/**
 * ServerFeatures: the methods that are served, and no other. Clients choose by this list (BatchAppend if it is there) and by
 * the version: 23.10 is the first that tells a subscription when it has caught up, and the last before features that are not here.
 */
import type { handleUnaryCall, ServiceDefinition } from '@grpc/grpc-js';
import { serverFeatures } from '../protocol/index.js';
import type { shared } from '../protocol/index.js';

const VERSION = '23.10.0';

/** What a method can do beyond its first form, in the words that the official server lists. */
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  '/event_store.client.streams.streams/read': ['position', 'events'],
  '/event_store.client.streams.streams/batchappend': ['deadline_duration'],
};

export function getSupportedMethods(
  services: readonly ServiceDefinition[],
): handleUnaryCall<shared.Empty, serverFeatures.SupportedMethods> {
  const supported = new serverFeatures.SupportedMethods();
  supported.setEventStoreServerVersion(VERSION);
  for (const service of services) {
    for (const { path } of Object.values(service)) supported.addMethods(supportedMethod(path.toLowerCase()));
  }
  return (_call, answer) => answer(null, supported);
}

function supportedMethod(path: string): serverFeatures.SupportedMethod {
  const [, service = '', method = ''] = path.split('/');
  const supported = new serverFeatures.SupportedMethod();
  supported.setServiceName(service);
  supported.setMethodName(method);
  supported.setFeaturesList([...(FEATURES[path] ?? [])]);
  return supported;
}
