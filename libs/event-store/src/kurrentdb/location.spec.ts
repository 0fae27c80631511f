import { describe, expect, it } from 'vitest';
import { parseLocation } from './location.js';

describe('a connection string', () => {
  it('names one node, with TLS unless told', () => {
    expect(parseLocation('esdb://db.example:2114')).toEqual({
      hosts: [{ address: 'db.example', port: 2114 }],
      discover: false,
      tls: true,
      files: {},
      numbers: {},
    });
    expect(parseLocation(' esdb://db.example/?tls=false ')).toMatchObject({
      hosts: [{ address: 'db.example', port: 2113 }],
      tls: false,
    });
    expect(parseLocation('esdb://[::1]:2113').hosts).toEqual([{ address: '[::1]', port: 2113 }]);
  });

  it('names several, or the name that DNS has for all', () => {
    expect(parseLocation('esdb://a:1,b:2,c?tls=false').hosts).toEqual([
      { address: 'a', port: 1 },
      { address: 'b', port: 2 },
      { address: 'c', port: 2113 },
    ]);
    expect(parseLocation('esdb+discover://cluster.example')).toMatchObject({
      hosts: [{ address: 'cluster.example', port: 2113 }],
      discover: true,
    });
  });

  it('may be written as the client of newer servers writes it', () => {
    expect(parseLocation('kurrentdb://a:1,b:2?tls=false')).toEqual(parseLocation('esdb://a:1,b:2?tls=false'));
    expect(parseLocation('kurrentdb+discover://c')).toEqual(parseLocation('esdb+discover://c'));
  });

  it('carries name and password, percent-encoded where need be', () => {
    expect(parseLocation('esdb://ad%3Amin:p%40ss%2Fw@ord@db:2113').credentials).toEqual({
      username: 'ad:min',
      password: 'p@ss/w@ord',
    });
  });

  it('carries options in any case, with dashes or underscores', () => {
    expect(
      parseLocation(
        'esdb://db?TLS=true&tls-ca-file=%2Fetc%2Fca.pem&user_cert_file=c.pem&userKeyFile=k.pem&connectionName=ledger%201' +
          '&keepAliveInterval=-1&gossipTimeout=3&defaultDeadline=5000&nodePreference=Leader&throwOnAppendFailure=false&tlsVerifyCert=true',
      ),
    ).toEqual({
      hosts: [{ address: 'db', port: 2113 }],
      discover: false,
      tls: true,
      files: { authority: '/etc/ca.pem', certificate: 'c.pem', key: 'k.pem' },
      connectionName: 'ledger 1',
      numbers: { keepAliveInterval: -1, gossipTimeout: 3, defaultDeadline: 5000 },
    });
  });

  it.each([
    ['db:2113', 'esdb://[name:password@]host'],
    ['http://db', 'esdb://[name:password@]host'],
    ['esdb:/db', 'esdb://[name:password@]host'],
    ['esdb://', "'' should be a host"],
    ['esdb://db:port', "after 'db:' should come a port, a number from 1 to 65535"],
    ['esdb://db:70000', "after 'db:' should come a port"],
    ['esdb://d%62', "'d%62' should be a host"],
    ['esdb://a,,b', "'' should be a host"],
    ['esdb://a:1:2', "after 'a:' should come a port"],
    ['esdb+discover://a,b', 'esdb+discover:// names one host'],
    ['esdb://admin@db', 'before the @ should be name:password'],
    ['esdb://admin:100%@db', 'percent-encoded'],
    ['esdb://db?tls', "option 'tls' should be given as tls=value"],
    ['esdb://db?tls=yes', 'option tls should be true or false'],
    ['esdb://db?gossipTimeout=soon', 'option gossipTimeout should be a whole number'],
    ['esdb://db?tlsVerifyCert=false', 'tlsCAFile=FILE'],
    ['esdb://db?userCertFile=c.pem', 'userCertFile and userKeyFile go together'],
    ['esdb://db?nodePreference=follower', 'nodePreference can only be leader'],
    ['esdb://db?colour=red', "option 'colour' is unknown; known are tls, tlsCAFile"],
  ])('like %s is refused with what was expected', (text, expectation) => {
    expect(() => parseLocation(text)).toThrow(RangeError);
    expect(() => parseLocation(text)).toThrow(expectation);
  });

  it.each([
    'esdb://admin:s3cret@db:port',
    'esdb://admin:s3cret@db?colour=red',
    'esdb://admin:s3cret%@db',
    'http://admin:s3cret@db',
    'esdb://admin:s3cret@a,,b',
    'esdb+discover://admin:s3cret@a,b',
    'esdb://:s3cret@a',
    'esdb://admin:s3cret',
    'admin:s3cret@db',
  ])('that is refused gives no password away: %s', (text) => {
    let said = '';
    try {
      parseLocation(text);
    } catch (error) {
      said = String(error);
    }
    expect(said).toContain('malformed');
    expect(said).not.toContain('s3cret');
  });
});
