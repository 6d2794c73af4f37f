import assert from 'node:assert/strict'
import {
  type NomadSettings,
  targetOf,
} from '../../../../../adapters/scheduler/nomad/client/target.ts'
import { Rejected } from '../../../../../src/core/errors.ts'

const of = (settings: Partial<NomadSettings>, env: NodeJS.ProcessEnv = {}) =>
  targetOf({ tls: {}, ...settings }, env)

describe('where a Nomad is', () => {
  it('is on this machine, where nobody says anything', () => {
    const expected = {
      origin: 'http://127.0.0.1:4646',
      basePath: '',
      namespace: 'default',
      tls: { verify: true },
    }
    assert.deepEqual(of({}), expected)
    assert.deepEqual(of({}, { NOMAD_ADDR: '', NOMAD_TOKEN: '', NOMAD_CACERT: '' }), expected)
  })

  it('is told by the variables of Nomad’s own client', () => {
    const env = {
      NOMAD_ADDR: 'https://nomad.example.com:4646',
      NOMAD_REGION: 'eu',
      NOMAD_NAMESPACE: 'longhaul',
      NOMAD_HTTP_AUTH: 'user:pass:word',
      NOMAD_TOKEN: 'secret',
      NOMAD_CACERT: '/ca.pem',
      NOMAD_CAPATH: '/cas',
      NOMAD_CLIENT_CERT: '/c.pem',
      NOMAD_CLIENT_KEY: '/k.pem',
      NOMAD_TLS_SERVER_NAME: 'server.eu.nomad',
      NOMAD_SKIP_VERIFY: 'TRUE',
    }
    assert.deepEqual(of({}, env), {
      origin: 'https://nomad.example.com:4646',
      basePath: '',
      region: 'eu',
      namespace: 'longhaul',
      basicAuth: 'user:pass:word',
      token: { value: 'secret' },
      tls: {
        caFile: '/ca.pem',
        certFile: '/c.pem',
        keyFile: '/k.pem',
        serverName: 'server.eu.nomad',
        verify: false,
      },
    })
    assert.equal(of({}, { NOMAD_CAPATH: '/cas' }).tls.caFolder, '/cas')
    assert.equal(of({}, { NOMAD_HTTP_AUTH: 'user' }).basicAuth, 'user:')
    assert.equal(of({}, { NOMAD_SKIP_VERIFY: 'yes' }).tls.verify, true)
  })

  it('is where the daemon’s file says, whatever the environment does', () => {
    const env = {
      NOMAD_ADDR: 'http://elsewhere',
      NOMAD_REGION: 'us',
      NOMAD_NAMESPACE: 'other',
      NOMAD_TOKEN: 'other',
      NOMAD_CACERT: '/other.pem',
      NOMAD_CAPATH: '/others',
      NOMAD_CLIENT_CERT: '/other-c.pem',
      NOMAD_CLIENT_KEY: '/other-k.pem',
      NOMAD_TLS_SERVER_NAME: 'other',
    }
    const tls = { caFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem', serverName: 'mine' }
    const written = { address: 'https://here', region: 'eu', namespace: 'mine', tokenFile: '/t' }
    assert.deepEqual(of({ ...written, tls }, env), {
      origin: 'https://here',
      basePath: '',
      region: 'eu',
      namespace: 'mine',
      token: { file: '/t' },
      tls: { ...tls, verify: true },
    })
  })

  it('may be a Unix socket, a path of a proxy, or have a user in its address', () => {
    const { origin, socketPath } = of({ address: 'unix:///secrets/api%20v1.sock' })
    assert.deepEqual([origin, socketPath], ['http://127.0.0.1', '/secrets/api v1.sock'])
    assert.equal(of({ address: 'https://proxy/nomad/' }).basePath, '/nomad')
    assert.equal(of({ address: 'http://a:b%40c@127.0.0.1:4646' }).basicAuth, 'a:b@c')
  })

  for (const address of ['127.0.0.1:4646', 'nomad', 'ftp://nomad', 'unix://', 'http://', '://'])
    it(`is not at ${address}`, () => {
      assert.throws(() => of({}, { NOMAD_ADDR: address }), Rejected)
    })

  it('is not in all namespaces at once', () => {
    assert.throws(() => of({}, { NOMAD_NAMESPACE: '*' }), /one namespace/)
  })
})
