// Programs from the distribution that tests and benchmarks talk to. Everything works without them: what needs one skips and says so.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isCommand } from './prepare.mjs'

/** `file`: what is there when it is no command. neededBy: 'test' = `npm test` installs it, 'bench' = `npm run bench` does. `forWhat` ends the sentence "… is skipped". */
export const systemPackages = [
  { command: 'nginx', package: 'nginx-light', neededBy: ['test', 'bench'], forWhat: 'what is tested against nginx, and the comparison with it,' },
  { command: 'haproxy', package: 'haproxy', neededBy: ['test', 'bench'], forWhat: 'what is tested against HAProxy, and the comparison with it,' },
  { command: 'caddy', package: 'caddy', neededBy: ['bench'], forWhat: 'the comparison with Caddy' },
  { command: 'h2load', package: 'nghttp2-client', neededBy: ['bench', 'test'], forWhat: 'the load over HTTP/2' },
  { command: 'wrk', package: 'wrk', neededBy: ['bench'], forWhat: 'the load of the benchmark' },
  { command: 'sslscan', package: 'sslscan', neededBy: ['test'], forWhat: 'the scan of TLS listeners' },
  { command: 'python3', package: 'python3', neededBy: ['test'], forWhat: 'what is tested as a service manager does it' },
  { file: '/usr/lib/python3/dist-packages/grpc/aio', command: 'the package grpc of Python', package: 'python3-grpcio', neededBy: ['test'], forWhat: 'the agent in Python' },
  { command: 'protoc', package: 'protobuf-compiler', neededBy: ['test'], forWhat: 'the agent in Python' },
  { command: 'faketime', package: 'faketime', neededBy: ['test'], forWhat: 'what is tested while the clock jumps' },
  { command: 'redis-server', package: 'redis-server', neededBy: ['test'], forWhat: 'what is tested against Redis' },
  { command: 'memcached', package: 'memcached', neededBy: ['test'], forWhat: 'what is tested against memcached' },
  { command: 'promtool', package: 'prometheus', neededBy: ['test'], forWhat: 'what is tested with the tools of Prometheus' },
  { command: 'chromium', package: 'chromium', neededBy: ['test'], forWhat: 'what is tested in a browser' },
  { command: 'systemd-notify', package: 'systemd', neededBy: ['test'], forWhat: 'what is tested with the tools of systemd' }
]

const updateTimeoutMs = 120_000
const installTimeoutMs = 300_000
const servicePolicy = '/usr/sbin/policy-rc.d'

/** Installs what `purpose` needs and is missing. Never throws: returns the rows that are still missing, and has said why. */
export function provideSystemPackages (purpose) {
  const missing = systemPackages.filter((row) => row.neededBy.includes(purpose) && !isThere(row))
  if (missing.length === 0) return []
  const reason = whyNot()
  if (reason === undefined) installAll(missing.map((row) => row.package))
  const still = missing.filter((row) => !isThere(row))
  for (const row of still) {
    process.stderr.write(`${row.command} is not installed (${reason ?? `apt-get install ${row.package} failed`}): ${row.forWhat} is skipped.\n`)
  }
  return still
}

function isThere ({ command, file }) {
  return file === undefined ? isCommand(command) : existsSync(file)
}

function whyNot () {
  if (process.env.SENTINEL_SKIP_SYSTEM_PACKAGES === '1') return 'SENTINEL_SKIP_SYSTEM_PACKAGES=1'
  if (!isCommand('apt-get')) return 'no apt-get here'
  if (process.getuid?.() !== 0) return 'not root'
  return undefined
}

function installAll (packages) {
  process.stderr.write(`Installing system packages: ${packages.join(' ')}.\n`)
  // Debian starts a service as soon as it is installed, unless this file forbids it. One that is already there is the owner's word.
  const forbid = !existsSync(servicePolicy)
  if (forbid) writeFileSync(servicePolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    aptGet(['update'], updateTimeoutMs)
    // One by one: a name that this release does not have must not cost the others.
    for (const name of packages) aptGet(['install', '-y', '--no-install-recommends', name], installTimeoutMs)
  } finally {
    if (forbid) rmSync(servicePolicy, { force: true })
  }
}

function aptGet (args, timeout) {
  const result = spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=60', ...args], {
    timeout,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  })
  if (result.status === 0) return
  const last = (result.stderr ?? '').trim().split('\n').slice(-3).join('\n')
  process.stderr.write(`apt-get ${args.join(' ')} failed (${result.error?.code ?? `exit ${result.status}`})\n${last}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) provideSystemPackages(process.argv[2] ?? 'test')
