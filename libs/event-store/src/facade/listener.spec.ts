import { describe, expect, it } from 'vitest';
import { credentialsFor, isLoopback, socketAddress } from './listener.js';

const tls = { certificate: 'c', key: 'k' };
const users = [{ name: 'a', password: 'b' }];

describe('listening', () => {
  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]'])('%s is one’s own machine', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => credentialsFor({ host, users: [] })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.org', '', '127.0.0.1.example.org', 'localhost.example.org'])(
    '%s is refused without TLS and users, in one sentence',
    (host) => {
      expect(() => credentialsFor({ host, users: [] })).toThrow(/only with a TLS certificate and a user; without/);
      expect(() => credentialsFor({ host, users })).toThrow(/only with a TLS certificate; without/);
      expect(() => credentialsFor({ host, tls, users: [] })).toThrow(/only with a user; without/);
    },
  );

  it('writes an IPv6 address in brackets', () => {
    expect(socketAddress('::1', 2113)).toBe('[::1]:2113');
    expect(socketAddress('localhost', 0)).toBe('localhost:0');
  });
});
