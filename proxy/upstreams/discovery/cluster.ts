import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Api, ApiTls } from './http-api.ts'
import { listOf, recordOf, textOf } from './http-api.ts'
import { parseYaml } from './kubeconfig-yaml.ts'
import { DiscoveryError } from './source.ts'

export interface ClusterSettings {
  readonly kubeconfig?: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly serviceAccount?: string
}

const pod = '/var/run/secrets/kubernetes.io/serviceaccount'

/** How the cluster is reached. Read for each question: tokens of pods are exchanged while they run. */
export function clusterOf ({ kubeconfig, env, serviceAccount = pod }: ClusterSettings): Api {
  if (kubeconfig !== undefined) {
    const file = kubeconfig.startsWith('~/') ? join(env['HOME'] ?? '/', kubeconfig.slice(2)) : resolve(kubeconfig)
    return fromKubeconfig(parseYaml(read(file)), dirname(file))
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (host === undefined || host === '') throw new DiscoveryError('this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): write kubeconfig')
  return {
    host, port: Number(port), tls: { ca: read(join(serviceAccount, 'ca.crt')) },
    headers: { Authorization: `Bearer ${read(join(serviceAccount, 'token')).trim()}` },
  }
}

/** The current context of a kubeconfig file. Paths in it start at its folder. */
export function fromKubeconfig (json: unknown, folder: string): Api {
  const config = recordOf(json)
  const name = textOf(config['current-context'])
  if (name === undefined) throw new DiscoveryError('the kubeconfig has no current-context')
  const context = entry(config, 'contexts', 'context', name)
  const cluster = entry(config, 'clusters', 'cluster', textOf(context['cluster']))
  const user = context['user'] === undefined ? {} : entry(config, 'users', 'user', textOf(context['user']))
  for (const way of ['exec', 'auth-provider', 'username']) {
    if (user[way] !== undefined) throw new DiscoveryError(`the kubeconfig has '${way}' for its user, which is not supported: only a token or a client certificate is`)
  }
  const server = urlOf(cluster['server'])
  if (server === undefined || !/^https?:$/.test(server.protocol)) throw new DiscoveryError('the kubeconfig has no server that is a URL')
  const tokenFile = textOf(user['tokenFile'])
  const token = textOf(user['token']) ?? (tokenFile === undefined ? undefined : read(resolve(folder, tokenFile)).trim())
  const secure = server.protocol === 'https:'
  return {
    host: server.hostname.replace(/^\[|\]$/g, ''), port: Number(server.port === '' ? secure ? 443 : 80 : server.port),
    ...secure ? { tls: tlsIn(cluster, user, folder) } : {},
    ...token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } },
  }
}

function tlsIn (cluster: Readonly<Record<string, unknown>>, user: Readonly<Record<string, unknown>>, folder: string): ApiTls {
  const ca = dataOf(cluster, 'certificate-authority', folder)
  const cert = dataOf(user, 'client-certificate', folder)
  const key = dataOf(user, 'client-key', folder)
  const serverName = textOf(cluster['tls-server-name'])
  return {
    ...ca === undefined ? {} : { ca }, ...cert === undefined ? {} : { cert }, ...key === undefined ? {} : { key },
    ...serverName === undefined ? {} : { serverName }, insecureSkipVerify: cluster['insecure-skip-tls-verify'] === true,
  }
}

function dataOf (from: Readonly<Record<string, unknown>>, name: string, folder: string): Buffer | string | undefined {
  const data = textOf(from[`${name}-data`])
  if (data !== undefined) return Buffer.from(data, 'base64')
  const file = textOf(from[name])
  return file === undefined ? undefined : read(resolve(folder, file))
}

function entry (config: Readonly<Record<string, unknown>>, list: string, member: string, name: string | undefined): Readonly<Record<string, unknown>> {
  const found = listOf(config[list]).map(recordOf).find((one) => one['name'] === name)
  if (found === undefined) throw new DiscoveryError(`the kubeconfig has no ${member} of the name that its context says`)
  return recordOf(found[member])
}

function read (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new DiscoveryError(`${file} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'}`, error)
  }
}

function urlOf (written: unknown): URL | undefined {
  return typeof written === 'string' && URL.canParse(written) ? new URL(written) : undefined
}
